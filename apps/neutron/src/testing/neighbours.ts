import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An event that nova was told. */
export interface ToldEvent {
  readonly name: string;
  readonly server_uuid: string;
  readonly tag: string;
  readonly status: string;
}

/** The other services as neutron meets them, in one server: keystone's tokens, nova's events. */
export interface Neighbours {
  readonly url: string;
  readonly events: ToldEvent[];
  /** While set, nova is not to be had. */
  novaAway: boolean;
  close(): Promise<void>;
}

const IMPLIED: Readonly<Record<string, readonly string[]>> = {
  admin: ['admin', 'manager', 'member', 'reader'],
  member: ['member', 'reader'],
  reader: ['reader'],
  service: ['service'],
  nobody: [],
};

/** A token that the stub keystone knows: of a project, with a role and what it implies. */
export function tokenOf(project: string, role = 'member'): string {
  return `gAAAA~${project}~${role}`;
}

export async function startNeighbours(): Promise<Neighbours> {
  const events: ToldEvent[] = [];
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const body = await received(request);
    if (path === '/v3/auth/tokens') {
      token(request, response);
      return;
    }
    if (path === '/v2.1/os-server-external-events' && neighbours.novaAway) {
      json(response, 503, {});
      return;
    }
    if (path === '/v2.1/os-server-external-events') {
      events.push(...(JSON.parse(body.toString()) as { events: ToldEvent[] }).events);
      json(response, 200, { events: [] });
      return;
    }
    json(response, 404, {});
  }

  function token(request: IncomingMessage, response: ServerResponse): void {
    const subject = request.method === 'POST' ? tokenOf('service', 'service') : header(request, 'x-subject-token');
    const [, project = '', role = ''] = subject.split('~');
    const roles = IMPLIED[role];
    if (roles === undefined) {
      json(response, 404, {});
      return;
    }
    const domain = { id: 'default', name: 'Default' };
    const endpoint = { interface: 'internal', url: `${url}/v2.1`, region: 'RegionOne', region_id: 'RegionOne' };
    response.setHeader('x-subject-token', subject);
    json(response, request.method === 'POST' ? 201 : 200, {
      token: {
        user: { id: `u-${project}`, name: project, domain },
        project: { id: project, name: project, domain },
        roles: roles.map((name) => ({ id: name, name })),
        audit_ids: [subject],
        expires_at: new Date(Date.now() + 3_600_000).toISOString(),
        catalog: [{ type: 'compute', endpoints: [endpoint] }],
      },
    });
  }

  const neighbours: Neighbours = {
    url,
    events,
    novaAway: false,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return neighbours;
}

async function received(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}
