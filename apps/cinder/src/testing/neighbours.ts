import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An image of the stub glance. */
export interface StubImage {
  fields: Record<string, unknown>;
  data: Buffer | null;
}

/** The other services as cinder meets them, in one server: keystone's tokens, glance's images, nova's events. */
export interface Neighbours {
  readonly url: string;
  readonly images: Map<string, StubImage>;
  /** Bodies of `os-server-external-events`. */
  readonly events: unknown[];
  /** Whether an image may be made. */
  onCreate: (() => boolean) | null;
  /** Called before an image's data are sent. */
  onDownload: (() => void) | null;
  addImage(data: Buffer, fields?: Record<string, unknown>): string;
  close(): Promise<void>;
}

const IMPLIED: Readonly<Record<string, readonly string[]>> = {
  admin: ['admin', 'manager', 'member', 'reader'],
  member: ['member', 'reader'],
  reader: ['reader'],
  service: ['service'],
};

/** A token that the stub keystone knows: of a project, with a role and what it implies. */
export function tokenOf(project: string, role: keyof typeof IMPLIED = 'member'): string {
  return `gAAAA~${project}~${String(role)}`;
}

export async function startNeighbours(): Promise<Neighbours> {
  const images = new Map<string, StubImage>();
  const events: unknown[] = [];
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
    if (path === '/v2.1/os-server-external-events') {
      events.push(JSON.parse(body.toString()));
      json(response, 200, { events: [] });
      return;
    }
    const [, id, file] = /^\/v2\/images(?:\/([^/]+))?(\/file)?$/.exec(path) ?? [];
    if (id === undefined && request.method === 'POST') {
      const fields = JSON.parse(body.toString()) as Record<string, unknown>;
      if (neighbours.onCreate !== null && !neighbours.onCreate()) {
        json(response, 403, { message: 'no more images', code: '403 Forbidden', title: 'Forbidden' });
        return;
      }
      const made = typeof fields['id'] === 'string' ? fields['id'] : randomUUID();
      images.set(made, { fields: { ...fields, status: 'queued', size: null }, data: null });
      json(response, 201, view(made));
      return;
    }
    const image = id === undefined ? undefined : images.get(id);
    if (id === undefined || image === undefined || hidden(image, header(request, 'x-auth-token'))) {
      json(response, 404, { message: 'No image found', code: '404 Not Found', title: 'Not Found' });
      return;
    }
    if (request.method === 'DELETE') {
      images.delete(id);
      response.statusCode = 204;
      response.end();
    } else if (file === undefined) {
      json(response, 200, view(id));
    } else if (request.method === 'PUT') {
      image.data = body;
      image.fields = { ...image.fields, status: 'active', size: body.length };
      response.statusCode = 204;
      response.end();
    } else if (neighbours.onDownload === null) {
      response.setHeader('content-type', 'application/octet-stream');
      response.end(image.data);
    } else {
      neighbours.onDownload();
      json(response, images.has(id) ? 200 : 404, {});
    }
  }

  /** What others keep to themselves; services see it. */
  function hidden({ fields }: StubImage, token: string): boolean {
    const [, project, role] = token.split('~');
    return fields['owner'] !== undefined && fields['owner'] !== project && role !== 'service';
  }

  function token(request: IncomingMessage, response: ServerResponse): void {
    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const subject = request.method === 'POST' ? tokenOf('service', 'service') : header(request, 'x-subject-token');
    const [, project = '', role = ''] = subject.split('~');
    const roles = IMPLIED[role];
    if (roles === undefined) {
      json(response, 404, {});
      return;
    }
    const domain = { id: 'default', name: 'Default' };
    const entry = (type: string) => ({
      type,
      endpoints: [{ interface: 'internal', url, region: 'RegionOne', region_id: 'RegionOne' }],
    });
    response.setHeader('x-subject-token', subject);
    json(response, request.method === 'POST' ? 201 : 200, {
      token: {
        user: { id: `u-${project}`, name: project, domain },
        project: { id: project, name: project, domain },
        roles: roles.map((name) => ({ id: name, name })),
        audit_ids: [subject],
        expires_at: expires,
        catalog: [entry('image'), entry('compute')],
      },
    });
  }

  function view(id: string): Record<string, unknown> {
    return {
      id,
      name: 'image',
      disk_format: 'raw',
      container_format: 'bare',
      min_disk: 0,
      min_ram: 0,
      checksum: null,
      virtual_size: null,
      created_at: '2026-01-02T03:04:05Z',
      ...images.get(id)?.fields,
    };
  }

  const neighbours: Neighbours = {
    url,
    images,
    events,
    onDownload: null,
    onCreate: null,
    addImage(data, fields = {}) {
      const id = randomUUID();
      images.set(id, { fields: { status: 'active', size: data.length, ...fields }, data });
      return id;
    },
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
