import { waitFor } from '@nestack/kernel/process';
import { hasPhysicalNetwork, type ConfigSources } from '../cloud/config-files';
import { secretOf, type CloudSettings } from '../cloud/settings';
import type { Progress } from '../progress';
import { UserError } from '../user-error';
import { ensureExternalNetwork } from './external-network';
import { bootstrapIdentity } from './identity';
import { ensureFlavors, ensurePrivateNetwork, hasImage, uploadImage } from './resources';
import { ensureMetadefs } from './metadefs';
import { patiently, Rest } from './rest';

/**
 * What every cloud has from the start, through the services' own APIs. `image` is the default image's file, once it is
 * built, or null.
 */
export async function bootstrap(
  sources: ConfigSources,
  keystone: string,
  progress: Progress,
  image: Promise<string | null>,
): Promise<void> {
  const { settings } = sources;
  const rest = new Rest({
    authUrl: keystone,
    username: 'admin',
    password: secretOf(settings, 'admin'),
    project: 'admin',
    // Where each service is a host of its own, clients' URLs lead nowhere from within.
    face: 'internal',
  });
  try {
    const { demo, service } = await progress.step('projects, users, roles, catalogue', async () => {
      await patiently(() => rest.login(), 30_000);
      const made = await bootstrapIdentity(rest, sources, keystone);
      // The catalogue came with the token: another one, with the services that were added.
      await rest.login();
      return { demo: made.demoProjectId, service: made.serviceProjectId };
    });
    await Promise.all([
      progress.step('flavors', () => patiently(() => ensureFlavors(rest), 30_000)),
      patiently(() => ensureMetadefs(rest), 30_000),
      progress.step('networks private and public', () =>
        patiently(async () => {
          await ensurePrivateNetwork(rest, demo);
          if (hasPhysicalNetwork(sources))
            await ensureExternalNetwork(rest, sources.underlay.external, { demo, service });
        }, 30_000),
      ),
      ensureImage(rest, settings, progress, image),
      progress.step('compute hosts', (say) => waitForHosts(rest, settings, say)),
    ]);
  } finally {
    await rest.close();
  }
}

async function ensureImage(
  rest: Rest,
  settings: CloudSettings,
  progress: Progress,
  building: Promise<string | null>,
): Promise<void> {
  if (await patiently(() => hasImage(rest), 30_000)) return;
  const file = await building.catch((error: unknown) => {
    if (settings.virt === 'libvirt')
      progress.note(`the small Linux image could not be built: ${String(error).slice(0, 300)}`);
    return null;
  });
  if (file === null) return;
  await progress.step('image cirros', () => uploadImage(rest, file));
}

/** Waits until every compute host reports to nova and takes guests. */
async function waitForHosts(rest: Rest, settings: CloudSettings, say: (text: string) => void): Promise<void> {
  interface Service {
    readonly binary: string;
    readonly host: string;
    readonly state: string;
  }
  let up_: readonly string[] = [];
  const ready = async (): Promise<boolean> => {
    const { services } = await rest.get<{ services: Service[] }>(`${rest.endpoint('compute')}/os-services`);
    up_ = services.filter((one) => one.binary === 'nova-compute' && one.state === 'up').map((one) => one.host);
    return settings.hosts.every((host) => up_.includes(host));
  };
  await waitFor('the compute hosts', ready, 90_000, 200).catch(() => {
    const absent = settings.hosts.filter((host) => !up_.includes(host));
    throw new UserError(`No compute service on ${absent.join(', ')}.`, 'See nestack logs.');
  });
  say(settings.hosts.join(', '));
}
