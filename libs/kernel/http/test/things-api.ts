import { Readable } from 'node:stream';
import { Injectable, Module } from '@nestjs/common';
import Type from 'typebox';
import type { Authenticator } from '@nestack/kernel/auth';
import type { Actor } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { ApiReply, defineApi, Handles, novaEnvelope, operation, type ApiRequest, type RequestOf } from '../src/index';

const listThings = operation({
  id: 'listThings',
  summary: 'Lists',
  method: 'GET',
  path: '/things',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    all_tenants: Type.Optional(Type.Boolean()),
    tag: Type.Optional(Type.Array(Type.String())),
  }),
  status: 200,
});
export const showThing = operation({
  id: 'showThing',
  summary: 'Shows',
  method: 'GET',
  path: '/things/{thing_id}',
  status: 200,
});
const detailThings = operation({
  id: 'detailThings',
  summary: 'Details',
  method: 'GET',
  path: '/things/detail',
  status: 200,
});
const createThing = operation({
  id: 'createThing',
  summary: 'Creates',
  method: 'POST',
  path: '/things',
  body: [
    {
      since: '2.1',
      schema: Type.Object({
        thing: Type.Object({ name: Type.String({ minLength: 1 }) }, { additionalProperties: false }),
      }),
    },
    {
      since: '2.10',
      schema: Type.Object({
        thing: Type.Object(
          { name: Type.String({ minLength: 1 }), tags: Type.Array(Type.String()) },
          { additionalProperties: false },
        ),
      }),
    },
  ],
  status: 202,
});
const startThing = operation({
  id: 'startThing',
  summary: 'Starts',
  method: 'POST',
  path: '/things/{thing_id}/action',
  action: 'os-start',
  body: Type.Object({ 'os-start': Type.Null() }),
  status: 202,
});
const lockThing = operation({
  id: 'lockThing',
  summary: 'Locks',
  method: 'POST',
  path: '/things/{thing_id}/action',
  action: 'lock',
  minVersion: '2.5',
  status: 202,
});
const adminOnly = operation({
  id: 'adminOnly',
  summary: 'Admin',
  method: 'GET',
  path: '/secrets',
  policy: 'things:secrets',
  status: 200,
});
const breaks = operation({ id: 'breaks', summary: 'Breaks', method: 'GET', path: '/breaks', status: 200 });
const upload = operation({
  id: 'upload',
  summary: 'Upload',
  method: 'PUT',
  path: '/things/{thing_id}/file',
  bodyType: 'raw',
  status: 200,
});
const download = operation({
  id: 'download',
  summary: 'Download',
  method: 'GET',
  path: '/things/{thing_id}/file',
  status: 200,
});
const remove = operation({
  id: 'remove',
  summary: 'Remove',
  method: 'DELETE',
  path: '/things/{thing_id}',
  status: 204,
});

export const api = defineApi({
  service: 'nova',
  type: 'compute',
  title: 'Things',
  prefixes: ['/v2.1', '/v2.1/{project_id}'],
  microversions: { min: '2.1', max: '2.96', service: 'compute', legacyHeader: 'X-OpenStack-Nova-API-Version' },
  envelope: novaEnvelope,
  operations: [
    listThings,
    showThing,
    detailThings,
    createThing,
    startThing,
    lockThing,
    adminOnly,
    breaks,
    upload,
    download,
    remove,
  ],
  documents: {
    '/': ({ rootUrl }) => ({ status: 200, body: { versions: [{ href: `${rootUrl}/v2.1/` }] } }),
    '*': () => ({ status: 300, body: { choices: [] } }),
  },
  bodyLimit: 2000,
});

@Injectable()
class Things {
  @Handles(listThings)
  async list(r: RequestOf<typeof listThings>) {
    return { query: r.query, base: r.baseUrl, project: r.ctx.actor?.projectId };
  }
  @Handles(showThing)
  async show(r: ApiRequest) {
    if (r.params['thing_id'] === 'missing')
      throw new DomainError({ kind: 'notFound', code: 'ThingNotFound', message: 'Thing missing could not be found.' });
    return { thing: { id: r.params['thing_id'], global: r.ctx.globalRequestId } };
  }
  @Handles(detailThings)
  async detail() {
    return { things: [] };
  }
  @Handles(createThing)
  async create(r: RequestOf<typeof createThing>) {
    return new ApiReply({ thing: { id: 't1', ...r.body.thing } }, { headers: { Location: `${r.baseUrl}/things/t1` } });
  }
  @Handles(startThing)
  async start() {
    return null;
  }
  @Handles(lockThing)
  async lock() {
    return null;
  }
  @Handles(adminOnly)
  async secrets() {
    return {};
  }
  @Handles(breaks)
  async breaks() {
    throw new Error('the password is hunter2');
  }
  @Handles(upload)
  async upload(r: ApiRequest) {
    let size = 0;
    for await (const chunk of r.stream as AsyncIterable<Buffer>) size += chunk.length;
    return { size };
  }
  @Handles(download)
  async download(r: ApiRequest) {
    const broken = r.params['thing_id'] === 'broken';
    const chunks = function* () {
      for (let index = 0; index < 50; index += 1) {
        if (broken && index === 20) throw new Error('disk');
        yield Buffer.alloc(65_536, index);
      }
    };
    return new ApiReply(Readable.from(chunks()), { headers: { 'Content-Type': 'application/octet-stream' } });
  }
  @Handles(remove)
  async remove() {
    return null;
  }
}

@Module({ providers: [Things] })
export class ThingsModule {}

@Module({})
export class EmptyModule {}

export const actor = (roles: string[]): Actor => ({
  userId: 'u1',
  userName: 'demo',
  userDomain: { id: 'default', name: 'Default' },
  projectId: 'p1',
  projectName: 'demo',
  projectDomain: { id: 'default', name: 'Default' },
  domainId: null,
  systemScope: false,
  roles,
});

export const authenticator: Authenticator = {
  authUri: 'http://keystone/v3',
  async authenticate(token) {
    if (token !== 'member' && token !== 'admin')
      throw new DomainError({ kind: 'unauthenticated', code: 'Unauthorized', message: 'no' });
    return { actor: actor([token]), expiresAt: new Date(Date.now() + 60_000), auditIds: [], serviceRoles: [] };
  },
};
