import { operation, type HttpMethod, type Operation } from '@nestack/kernel/http';
import Type from 'typebox';

/** What upstream took out of its API while keeping the routes, by path: they answer 410 at every microversion. */
const REMOVED: Readonly<Record<string, readonly HttpMethod[]>> = {
  '/os-agents': ['GET', 'POST'],
  '/os-agents/{agent_id}': ['PUT', 'DELETE'],
  '/os-cells': ['GET', 'POST'],
  '/os-cells/capacities': ['GET'],
  '/os-cells/detail': ['GET'],
  '/os-cells/info': ['GET'],
  '/os-cells/sync_instances': ['POST'],
  '/os-cells/{cell_id}': ['GET', 'PUT', 'DELETE'],
  '/os-cells/{cell_id}/capacities': ['GET'],
  '/os-certificates': ['POST'],
  '/os-certificates/{certificate_id}': ['GET'],
  '/os-cloudpipe': ['GET', 'POST'],
  '/os-cloudpipe/{cloudpipe_id}': ['PUT'],
  '/os-fixed-ips/{fixed_ip}': ['GET'],
  '/os-fixed-ips/{fixed_ip}/action': ['POST'],
  '/os-floating-ip-dns': ['GET'],
  '/os-floating-ip-dns/{dns_domain}': ['PUT', 'DELETE'],
  '/os-floating-ip-dns/{dns_domain}/entries/{dns_entry}': ['GET', 'PUT', 'DELETE'],
  '/os-floating-ips-bulk': ['GET', 'POST'],
  '/os-floating-ips-bulk/{range}': ['GET', 'PUT'],
  '/os-fping': ['GET'],
  '/os-fping/{server_id}': ['GET'],
  '/os-networks': ['POST'],
  '/os-networks/add': ['POST'],
  '/os-networks/{network_id}': ['DELETE'],
  '/os-networks/{network_id}/action': ['POST'],
  '/os-security-group-default-rules': ['GET', 'POST'],
  '/os-security-group-default-rules/{rule_id}': ['GET', 'DELETE'],
  '/os-tenant-networks': ['POST'],
  '/os-tenant-networks/{network_id}': ['DELETE'],
  '/servers/{server_id}/consoles': ['GET', 'POST'],
  '/servers/{server_id}/consoles/{console_id}': ['GET', 'DELETE'],
  '/servers/{server_id}/os-virtual-interfaces': ['GET'],
};

const removed = Object.entries(REMOVED).flatMap(([path, methods]) =>
  methods.map((method) =>
    operation({
      id: `gone${method[0] ?? ''}${method.slice(1).toLowerCase()}${nameOf(path)}`,
      summary: 'Removed from the API',
      method,
      path,
      status: 410,
      errors: ['Gone'],
    }),
  ),
);

/** upstream: nova/api/openstack/compute/admin_actions.py */
const resetNetwork = operation({
  id: 'resetNetwork',
  summary: 'Removed from the API',
  method: 'POST',
  path: '/servers/{server_id}/action',
  action: 'resetNetwork',
  status: 410,
  body: Type.Object({ resetNetwork: Type.Unknown() }, { additionalProperties: false }),
  errors: ['Gone'],
});

/** Operations that are no more. upstream: the `wsgi.removed` methods of nova/api/openstack/compute/ */
export const goneOperations: readonly Operation[] = [...removed, resetNetwork];

/** `/os-cells/{cell_id}/capacities`: `OsCellsCellIdCapacities`. */
function nameOf(path: string): string {
  return path.replaceAll(/[^a-z]+([a-z]?)/g, (_all, letter: string) => letter.toUpperCase());
}
