import { defineRpc } from '@nestack/kernel/rpc';
import Type from 'typebox';

/** What the server tells hosts that carry routers, to `l3_agent.<host>`: a doorbell, upon which they ask `sync_routers`. */
export const L3AgentRpc = defineRpc({
  exchange: 'neutron',
  topic: 'l3_agent',
  version: '1.0',
  methods: {
    /** Routers were given to the host, taken away from it, changed or deleted. */
    routers_updated: { kind: 'cast', since: '1.0', args: Type.Object({ routers: Type.Array(Type.String()) }) },
  },
});
