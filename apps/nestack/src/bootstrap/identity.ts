import type { ConfigSources } from '../cloud/config-files';
import { secretOf, type PortName } from '../cloud/settings';
import type { Rest } from './rest';

interface Named {
  readonly id: string;
  readonly name: string;
}

/** Users as which services speak to each other. Keystone itself needs none. */
export const SERVICE_USERS = ['glance', 'placement', 'nova', 'cinder', 'neutron'] as const;

interface ServiceEntry {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly port: PortName;
  readonly path: string;
}

const CATALOGUE: readonly ServiceEntry[] = [
  { name: 'keystone', type: 'identity', description: 'Identity', port: 'keystone', path: '/v3' },
  { name: 'glance', type: 'image', description: 'Image', port: 'glance', path: '' },
  { name: 'placement', type: 'placement', description: 'Placement', port: 'placement', path: '' },
  { name: 'nova', type: 'compute', description: 'Compute', port: 'nova', path: '/v2.1' },
  { name: 'cinder', type: 'block-storage', description: 'Block storage', port: 'cinder', path: '/v3/%(project_id)s' },
  // The name that older clients look for.
  { name: 'cinderv3', type: 'volumev3', description: 'Block storage', port: 'cinder', path: '/v3/%(project_id)s' },
  { name: 'neutron', type: 'network', description: 'Networking', port: 'neutron', path: '' },
];

export const REGION = 'RegionOne';

/** Projects, users, roles and the catalogue; what is there already is left alone. */
export async function bootstrapIdentity(
  rest: Rest,
  sources: Pick<ConfigSources, 'settings' | 'publicUrl' | 'internalUrl'>,
  keystone: string,
): Promise<{ readonly demoProjectId: string; readonly serviceProjectId: string }> {
  const { settings } = sources;
  const find = async (collection: string, query = ''): Promise<Named[]> =>
    (await rest.get<Record<string, Named[]>>(`${keystone}/${collection}${query}`))[collection] ?? [];
  const ensure = async (
    collection: string,
    singular: string,
    name: string,
    fields: Record<string, unknown>,
  ): Promise<string> => {
    const found = (await find(collection, `?name=${encodeURIComponent(name)}`)).find((one) => one.name === name);
    if (found !== undefined) return found.id;
    const body = { [singular]: { name, ...fields } };
    const made = await rest.post<Record<string, Named>>(`${keystone}/${collection}`, body);
    return made[singular]?.id ?? '';
  };
  const inDomain = { domain_id: 'default' };
  const [serviceProject, demoProject, adminProject] = [
    await ensure('projects', 'project', 'service', { ...inDomain, description: 'Users of the services themselves' }),
    await ensure('projects', 'project', 'demo', { ...inDomain, description: 'For trying things out' }),
    rest.projectId,
  ];
  const roles = new Map((await find('roles')).map((role) => [role.name, role.id]));
  for (const name of ['admin', 'member', 'reader', 'service']) {
    if (!roles.has(name)) roles.set(name, await ensure('roles', 'role', name, {}));
  }
  const grant = async (project: string, user: string, role: string): Promise<void> => {
    await rest.call('PUT', `${keystone}/projects/${project}/users/${user}/roles/${roles.get(role) ?? ''}`);
  };
  const demo = await ensure('users', 'user', 'demo', {
    ...inDomain,
    password: secretOf(settings, 'demo'),
    default_project_id: demoProject,
  });
  await grant(demoProject, demo, 'member');
  await grant(demoProject, rest.userId, 'admin');
  await grant(adminProject, rest.userId, 'admin');
  for (const name of SERVICE_USERS) {
    const password = secretOf(settings, `user-${name}`);
    const user = await ensure('users', 'user', name, { ...inDomain, password, default_project_id: serviceProject });
    await grant(serviceProject, user, 'service');
    await grant(serviceProject, user, 'admin');
  }
  await ensureCatalogue(rest, sources, keystone, find);
  return { demoProjectId: demoProject, serviceProjectId: serviceProject };
}

async function ensureCatalogue(
  rest: Rest,
  sources: Pick<ConfigSources, 'publicUrl' | 'internalUrl'>,
  keystone: string,
  find: (collection: string, query?: string) => Promise<Named[]>,
): Promise<void> {
  const regions = (await rest.get<{ regions: { id: string }[] }>(`${keystone}/regions`)).regions;
  if (!regions.some((region) => region.id === REGION)) {
    await rest.post(`${keystone}/regions`, { region: { id: REGION, description: '' } });
  }
  const services = (await find('services')) as (Named & { type: string })[];
  const { endpoints } = await rest.get<{
    endpoints: { id: string; service_id: string; interface: string; url: string }[];
  }>(`${keystone}/endpoints`);
  for (const entry of CATALOGUE) {
    const { name, type, description } = entry;
    const id =
      services.find((service) => service.type === type)?.id ??
      (await rest.post<{ service: Named }>(`${keystone}/services`, { service: { name, type, description } })).service
        .id;
    for (const face of ['public', 'internal', 'admin']) {
      const base = face === 'public' ? sources.publicUrl(entry.port) : sources.internalUrl(entry.port);
      const url = `${base}${entry.path}`;
      const existing = endpoints.find((one) => one.service_id === id && one.interface === face);
      if (existing?.url === url) continue;
      const endpoint = { service_id: id, interface: face, region_id: REGION, url };
      if (existing === undefined) await rest.post(`${keystone}/endpoints`, { endpoint });
      else await rest.call('PATCH', `${keystone}/endpoints/${existing.id}`, { body: { endpoint: { url } } });
    }
  }
}
