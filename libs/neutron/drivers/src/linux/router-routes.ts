import { gatewayDeviceName, type RouterInfo } from '@nestack/neutron/contract';
import type { NetworkNamespace } from './host';

export interface Route {
  /** `default` or a prefix. */
  readonly destination: string;
  readonly via: string;
  readonly device: string | null;
}

/** The route protocol by which our routes are known. */
const OURS = '201';

/** The ways out of a router: its gateway's, and the extra ones. */
export function routesOf(router: RouterInfo): Route[] {
  const { gateway_port: gateway } = router;
  const defaults = (gateway?.subnets ?? []).flatMap((subnet) =>
    gateway === null || subnet.gateway_ip === null
      ? []
      : [{ destination: 'default', via: subnet.gateway_ip, device: gatewayDeviceName(gateway.id) }],
  );
  const extra = router.routes.map((route) => ({
    destination: /^(0\.0\.0\.0|::)\/0$/.test(route.destination) ? 'default' : route.destination,
    via: route.nexthop,
    device: null,
  }));
  // An extra route stands in for the gateway's own of the same destination.
  const taken = new Set(extra.map(keyOf));
  return [...defaults.filter((one) => !taken.has(keyOf(one))), ...extra];
}

function keyOf(route: Pick<Route, 'destination' | 'via'>): string {
  return `${route.via.includes(':') ? '6' : '4'} ${route.destination}`;
}

interface Present {
  readonly dst: string;
  readonly gateway?: string;
}

/** Makes these the routes that we set in a namespace, and no others. */
export async function ensureRoutes(namespace: NetworkNamespace, routes: readonly Route[]): Promise<void> {
  for (const family of ['-4', '-6'] as const) {
    const wanted = routes.filter((one) => one.via.includes(':') === (family === '-6'));
    const text = await namespace.run('ip', [family, '-j', 'route', 'show', 'proto', OURS]);
    const present = (text.trim() === '' ? [] : JSON.parse(text)) as readonly Present[];
    for (const route of present) {
      if (!wanted.some((one) => plain(one.destination) === plain(route.dst)))
        await namespace.try('ip', [family, 'route', 'del', route.dst, 'proto', OURS]);
    }
    for (const route of wanted) {
      if (present.some((one) => plain(one.dst) === plain(route.destination) && one.gateway === route.via)) continue;
      const device = route.device === null ? [] : ['dev', route.device, 'onlink'];
      // A next hop that no subnet of the router holds (any more) must not keep the others from working.
      await namespace.try('ip', [
        family,
        'route',
        'replace',
        route.destination,
        'via',
        route.via,
        ...device,
        'proto',
        OURS,
      ]);
    }
  }
}

/** The kernel shows host routes without their prefix length. */
function plain(destination: string): string {
  return destination.replace(/\/(32|128)$/, '');
}
