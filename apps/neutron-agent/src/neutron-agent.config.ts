import Type, { type Static } from 'typebox';
import { brokerConfig, commonConfig } from '@nestack/kernel/config';

/** Settings of a host's network agent; names are upstream's where it has one. */
export const neutronAgentConfig = Type.Object(
  {
    ...commonConfig,
    ...brokerConfig,
    driver: Type.Optional(
      Type.Union([Type.Literal('linuxbridge'), Type.Literal('fake')], {
        default: 'linuxbridge',
        description: 'Real wires, which need Linux and root, or a simulation that keeps the same state.',
      }),
    ),
    state_path: Type.String({ description: 'Directory for what must outlive the process.' }),
    local_ip: Type.Optional(
      Type.Union([Type.String(), Type.Null()], {
        default: null,
        description: "This host's tunnel address; without one networks end at the host.",
      }),
    ),
    udp_dstport: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65535,
        default: 4789,
        description: 'UDP port of VXLAN; the same on all hosts.',
      }),
    ),
    bridge_mappings: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        default: {},
        description: "The host's own bridge onto each physical network that it has, by name.",
      }),
    ),
    filter_table: Type.Optional(
      Type.String({
        default: 'neutron',
        pattern: '^[a-z][a-z0-9_]{0,30}$',
        description: 'Name of the nftables tables; clouds on one host need different ones.',
      }),
    ),
    dns_domain: Type.Optional(Type.String({ default: 'openstacklocal', description: "Domain of guests' names." })),
    dnsmasq_dns_servers: Type.Optional(
      Type.Array(Type.String(), { default: [], description: "Resolvers that guests' queries are passed on to." }),
    ),
    nova_metadata_url: Type.Optional(
      Type.String({ default: 'http://127.0.0.1:8775', description: "Nova's metadata service." }),
    ),
    metadata_proxy_shared_secret: Type.Optional(
      Type.String({ default: '', description: "Signs instances' ids; the same as nova's." }),
    ),
    availability_zone: Type.Optional(Type.String({ default: 'nova' })),
    report_interval: Type.Optional(
      Type.Number({ minimum: 1, default: 30, description: 'Seconds between two reports to the server.' }),
    ),
    resync_interval: Type.Optional(
      Type.Number({
        minimum: 1,
        default: 600,
        description: 'Seconds after which the host is compared with the server without cause.',
      }),
    ),
    fake_delay: Type.Optional(
      Type.Number({ minimum: 0, default: 0, description: 'Seconds that wiring a simulated port takes.' }),
    ),
    fake_failure_rate: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, default: 0, description: 'Share of simulated wirings that fail.' }),
    ),
  },
  { additionalProperties: false },
);

export type NeutronAgentConfig = Static<typeof neutronAgentConfig>;
