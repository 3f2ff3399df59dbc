import Type, { type Static } from 'typebox';
import { apiConfig, authConfig, brokerConfig, commonConfig, databaseConfig } from '@nestack/kernel/config';
import { QUOTA_DEFAULTS } from '@nestack/neutron/contract';

const quotas = Object.fromEntries(
  Object.entries(QUOTA_DEFAULTS).map(([name, value]) => [
    name,
    Type.Optional(Type.Integer({ minimum: -1, default: value, description: 'Per project; -1 for any number.' })),
  ]),
);

const limit = (fallback: number, description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, default: fallback, description }));

/** Settings of neutron's server; names are upstream's where it has one. */
export const neutronConfig = Type.Object(
  {
    ...commonConfig,
    ...apiConfig,
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, default: 9696 })),
    ...databaseConfig,
    ...brokerConfig,
    ...authConfig,
    mechanism_driver: Type.Optional(
      Type.Union([Type.Literal('linuxbridge'), Type.Literal('fake')], {
        default: 'linuxbridge',
        description:
          'Ports are bound to hosts with a living agent; with `fake` to any, and work at once where no agent is.',
      }),
    ),
    tenant_network_type: Type.Optional(
      Type.Union([Type.Literal('vxlan'), Type.Literal('vlan'), Type.Literal('local')], {
        default: 'vxlan',
        description: 'Type of networks for which none is named.',
      }),
    ),
    vni_range: Type.Optional(
      Type.String({ pattern: '^\\d+:\\d+$', default: '1:16777215', description: 'Tunnel ids to give away.' }),
    ),
    flat_networks: Type.Optional(
      Type.Array(Type.String(), { default: ['*'], description: 'Physical networks for flat networks; * for any.' }),
    ),
    network_vlan_ranges: Type.Optional(
      Type.Array(Type.String({ pattern: '^[^:]+(:\\d+:\\d+)?$' }), {
        default: [],
        description: 'VLANs to give away: physnet:from:to, or physnet alone for those that administrators name.',
      }),
    ),
    path_mtu: Type.Optional(
      Type.Integer({ minimum: 68, default: 1500, description: "Bytes that the hosts' network carries." }),
    ),
    dns_domain: Type.Optional(Type.String({ default: 'openstacklocal.', description: "Domain of ports' names." })),
    base_mac: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f][02468ace](:[0-9a-f]{2}){2}$',
        default: 'fa:16:3e',
        description: 'First three bytes of MAC addresses.',
      }),
    ),
    agent_down_time: Type.Optional(
      Type.Number({ minimum: 1, default: 75, description: 'Seconds after which a silent agent counts as dead.' }),
    ),
    max_dns_nameservers: limit(5, 'Per subnet.'),
    max_subnet_host_routes: limit(20, 'Per subnet.'),
    max_routes: limit(30, 'Per router.'),
    max_allowed_address_pair: limit(10, 'Per port.'),
    quotas: Type.Optional(Type.Object(quotas, { additionalProperties: false })),
  },
  { additionalProperties: false },
);

export type NeutronConfig = Static<typeof neutronConfig>;
