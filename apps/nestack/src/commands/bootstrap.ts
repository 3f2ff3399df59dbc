import path from 'node:path';
import { waitFor } from '@nestack/kernel/process';
import { postgresAnswers } from '@nestack/kernel/servers';
import { bootstrap } from '../bootstrap/bootstrap';
import { writeCredentials } from '../bootstrap/credentials';
import { controllerRole, type ConfigSources } from '../cloud/config-files';
import { ensureDatabases } from '../cloud/databases';
import { writeAtomically } from '../cloud/files';
import {
  mergeSettings,
  portOf,
  readSettings,
  writeSettings,
  type NetDriver,
  type PortName,
  type VirtDriver,
  type VolumeDriver,
} from '../cloud/settings';
import { underlayOf } from '../cloud/underlay';
import { Progress } from '../progress';
import { placeOf, type CommonOptions } from './cloud';
import { ensureKeys } from './up';

interface BootstrapOptions extends CommonOptions {
  readonly phase: 'prepare' | 'cloud';
  readonly databaseUrl: string;
  readonly brokerUrl: string;
  readonly virt: VirtDriver;
  readonly net: NetDriver;
  readonly volume: VolumeDriver;
  readonly publicHost: string;
}

/** Names of the containers that serve a port. */
const CONTAINERS: Partial<Record<PortName, string>> = { nova: 'nova-api', metadata: 'nova-api' };

/**
 * Does for containers what `up` does for processes. `prepare` makes the database's roles and schemas, the keys and one
 * file with the settings of all apps (`services.json`); `cloud` fills the cloud once the services answer.
 */
export async function bootstrapCommand(options: BootstrapOptions): Promise<void> {
  const { layout } = placeOf(options);
  const { databaseUrl, brokerUrl, virt, net, volume } = options;
  const wanted = { databaseUrl, brokerUrl, virt, net, volume, bind: '0.0.0.0' };
  const settings = mergeSettings(readSettings(layout), wanted, { virt, net, volume, host: 'compute' });
  const sources: ConfigSources = {
    layout,
    settings,
    underlay: underlayOf(layout, settings),
    ownLibvirt: true,
    databaseUrl,
    brokerUrl,
    publicUrl: (port) => `http://${options.publicHost}:${portOf(settings, port)}`,
    internalUrl: (port) => `http://${CONTAINERS[port] ?? port}:${portOf(settings, port)}`,
  };
  const progress = new Progress();
  if (options.phase === 'prepare') {
    writeSettings(layout, settings);
    await progress.step('databases', async () => {
      await waitFor('PostgreSQL to answer', () => postgresAnswers(databaseUrl), 60_000, 500);
      await ensureDatabases(settings, databaseUrl);
    });
    await ensureKeys(layout);
    writeAtomically(
      path.join(layout.root, 'services.json'),
      JSON.stringify(controllerRole(sources).apps, null, 2),
      0o600,
    );
    return;
  }
  await bootstrap(sources, `${sources.internalUrl('keystone')}/v3`, progress, Promise.resolve(null));
  writeCredentials(layout, settings, `${sources.publicUrl('keystone')}/v3`);
}
