import { describe, expect, it } from '@jest/globals';
import { newContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { ApiClient, ApiClients } from '@nestack/kernel/http';
import { silentLogger } from '@nestack/kernel/log';
import type { ComputeEvent } from '@nestack/neutron/domain';
import { NovaClient } from './nova.client';

const ctx = newContext();

function plugged(server: string): ComputeEvent {
  return { name: 'network-vif-plugged', server_uuid: server, tag: `port-of-${server}`, status: 'completed' };
}

/** Nova: notes the servers of each request; `answer` may refuse. */
function nova(answer: (servers: string[]) => Promise<void> = async () => undefined) {
  const requests: string[][] = [];
  const call = async (_ctx: unknown, _operation: unknown, about: { body: { events: ComputeEvent[] } }) => {
    const servers = about.body.events.map((event) => event.server_uuid);
    requests.push(servers);
    await answer(servers);
    return { events: [] };
  };
  const clients: ApiClients = { client: () => ({ call }) as unknown as ApiClient };
  return { requests, client: new NovaClient(clients, silentLogger) };
}

const refused = (kind: 'badRequest' | 'notFound' | 'unavailable') =>
  new DomainError({ kind, code: 'X', message: 'no' });

describe('events for nova', () => {
  it('go together when they come during a request', async () => {
    const { requests, client } = nova();
    await Promise.all(['a', 'b', 'c', 'd'].map((server) => client.notify(ctx, [plugged(server)])));
    expect(requests).toEqual([['a'], ['b', 'c', 'd']]);
    await client.notify(ctx, []);
    expect(requests).toHaveLength(2);
  });

  it('are done with when nova does not know the servers', async () => {
    const { client } = nova(() => Promise.reject(refused('notFound')));
    await expect(client.notify(ctx, [plugged('a')])).resolves.toBeUndefined();
  });

  it('have to be told again when nova is away', async () => {
    const { client } = nova(() => Promise.reject(refused('unavailable')));
    const outcomes = await Promise.allSettled([client.notify(ctx, [plugged('a')]), client.notify(ctx, [plugged('b')])]);
    expect(outcomes.map((one) => one.status)).toEqual(['rejected', 'rejected']);
  });

  it('reach nova also beside one that it finds malformed', async () => {
    const { requests, client } = nova(async (servers) => {
      if (servers.includes('no uuid')) throw refused('badRequest');
    });
    await client.notify(ctx, [plugged('a'), plugged('no uuid'), plugged('b')]);
    expect(requests).toEqual([['a', 'no uuid', 'b'], ['a'], ['no uuid'], ['b']]);
  });
});
