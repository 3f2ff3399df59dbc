import { defineApi, novaEnvelope } from '@nestack/kernel/http';
import { NovaError } from '../errors';
import { aggregateOperations } from './aggregates';
import { consoleOperations } from './consoles';
import { flavorOperations } from './flavors';
import { goneOperations } from './gone';
import { hostOperations } from './hosts';
import { imageProxyOperations } from './images';
import { keyPairOperations } from './keypairs';
import { migrationOperations } from './migrations';
import { networkProxyOperations } from './network-proxies';
import { quotaOperations } from './quotas';
import { serverActionOperations } from './server-actions';
import { serverPartOperations } from './server-parts';
import { serverGroupOperations } from './server-groups';
import { serverOperations } from './servers';
import { volumeProxyOperations } from './volume-proxies';
import { usageOperations } from './usages';
import { NOVA_MAX_VERSION, NOVA_MIN_VERSION, novaDocuments } from './versions';

export * from './aggregates';
export * from './common';
export * from './consoles';
export * from './flavors';
export * from './gone';
export * from './hosts';
export * from './images';
export * from './keypairs';
export * from './migrations';
export * from './network-proxies';
export * from './quotas';
export * from './server-actions';
export * from './server-filters';
export * from './server-groups';
export * from './server-parts';
export * from './servers';
export * from './usages';
export * from './versions';
export * from './volume-proxies';

/** Nova's REST API. */
export const novaApi = defineApi({
  service: 'nova',
  type: 'compute',
  title: 'Compute API',
  prefixes: ['/v2.1', '/v2.1/{project_id}', '/v2', '/v2/{project_id}'],
  microversions: {
    min: NOVA_MIN_VERSION,
    max: NOVA_MAX_VERSION,
    service: 'compute',
    legacyHeader: 'X-OpenStack-Nova-API-Version',
  },
  envelope: novaEnvelope,
  errors: NovaError.declarations,
  operations: [
    ...serverOperations,
    ...serverActionOperations,
    ...serverPartOperations,
    ...consoleOperations,
    ...flavorOperations,
    ...imageProxyOperations,
    ...keyPairOperations,
    ...hostOperations,
    ...aggregateOperations,
    ...serverGroupOperations,
    ...usageOperations,
    ...migrationOperations,
    ...quotaOperations,
    ...networkProxyOperations,
    ...volumeProxyOperations,
    ...goneOperations,
  ],
  documents: novaDocuments,
});
