import type { Migration } from '@nestack/kernel/db';
import { addressFunctions } from './address-functions';
import { agentTables } from './agent-tables';
import { autoAllocateTables } from './auto-allocate-tables';
import { networkTables } from './network-tables';
import { portForwardingTables } from './port-forwarding-tables';
import { quotaTables } from './quota-tables';
import { routerTables } from './router-tables';

/** Neutron's schema. */
export const neutronMigrations: readonly Migration[] = [
  { name: '0001-quotas', up: quotaTables },
  { name: '0002-networks', up: networkTables },
  { name: '0003-addresses', up: addressFunctions },
  { name: '0004-agents', up: agentTables },
  { name: '0005-routers', up: routerTables },
  { name: '0006-auto-allocate', up: autoAllocateTables },
  { name: '0007-port-forwardings', up: portForwardingTables },
];
