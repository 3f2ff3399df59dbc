import { defineRpc } from '@nestack/kernel/rpc';
import Type from 'typebox';
import { DhcpPort } from './types';

/**
 * What the server tells neutron-agents, to `q-agent-notifier.<host>` or to all. The messages are doorbells: an agent asks
 * for the present state itself, so late, doubled and reordered ones do no harm. Ports on a DHCP network come with their
 * content and revision number, so that a large network is not read anew for each.
 */
export const AgentRpc = defineRpc({
  exchange: 'neutron',
  topic: 'q-agent-notifier',
  version: '1.0',
  methods: {
    /** The port was bound to this host, changed or unbound. */
    port_update: { kind: 'cast', since: '1.0', args: Type.Object({ port_id: Type.String() }) },
    port_delete: { kind: 'cast', since: '1.0', args: Type.Object({ port_id: Type.String() }) },
    /** MTU, state or the set of hosts that carry the network changed. */
    network_update: { kind: 'fanout', since: '1.0', args: Type.Object({ network_id: Type.String() }) },
    network_delete: { kind: 'fanout', since: '1.0', args: Type.Object({ network_id: Type.String() }) },
    security_groups_rule_updated: {
      kind: 'fanout',
      since: '1.0',
      args: Type.Object({ security_groups: Type.Array(Type.String()) }),
    },
    security_groups_member_updated: {
      kind: 'fanout',
      since: '1.0',
      args: Type.Object({ security_groups: Type.Array(Type.String()) }),
    },
    /** To the host of the network's DHCP server: it, its subnets or its DHCP port changed, or it goes elsewhere. */
    network_update_end: { kind: 'cast', since: '1.0', args: Type.Object({ network_id: Type.String() }) },
    /** To the same: a port was made or changed. */
    port_update_end: { kind: 'cast', since: '1.0', args: Type.Object({ port: DhcpPort }) },
    port_delete_end: {
      kind: 'cast',
      since: '1.0',
      args: Type.Object({ network_id: Type.String(), port_id: Type.String() }),
    },
  },
});
