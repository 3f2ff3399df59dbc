import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { app } from '@nestack/app/nova-novncproxy';
import { startApp, type RunningApp } from '@nestack/kernel/app';
import { newUuid } from '@nestack/kernel/ids';
import { freePort, until } from '@nestack/kernel/testing';
import { request } from 'undici';
import { WebSocket } from 'ws';
import { Bench, NOVNC_URL } from './testing/bench';

process.env['NESTACK_CHECK_RESPONSES'] = '1';

const HELLO = 'RFB 003.008\n';
let bench: Bench;
let proxies: readonly { readonly app: RunningApp; readonly port: number }[];
let server: string;

beforeAll(async () => {
  bench = await Bench.start();
  const start = async () => {
    const port = await freePort();
    const database = { url: bench.database.url, schema: 'nova' };
    return { port, app: await startApp(app, { host: 'h', database, port, log_level: 'error' }) };
  };
  proxies = [await start(), await start()];
  server = await bench.boot({ name: 'seen' });
  await bench.until(server, 'ACTIVE');
}, 60_000);

afterAll(async () => {
  for (const proxy of proxies) await proxy.app.close();
  await bench.tidy();
  await bench.close();
}, 30_000);

/** The answer to a request for a console. */
const ask = (id = server, as = bench.project) =>
  bench.call('POST', `/servers/${id}/remote-consoles`, {
    as,
    version: '2.6',
    body: { remote_console: { protocol: 'vnc', type: 'novnc' } },
  });
const urlOf = async (id = server): Promise<string> =>
  ((await ask(id)).json as { remote_console: { url: string } }).remote_console.url;
const tokenOf = (url: string): string => /token%3D([0-9a-f-]{36})$/.exec(url)?.[1] ?? '';

/** A viewer with a token, as noVNC comes; what has come from the screen is in `received`. */
class Viewer {
  received = Buffer.alloc(0);
  closed = false;
  readonly socket: WebSocket;
  /** 101, or the status of the refusal. */
  readonly status: Promise<number>;

  constructor(token: string, headers: Record<string, string> = {}, at = 0) {
    const port = proxies[at]?.port ?? 0;
    const path = headers['cookie'] === undefined ? `?token=${token}` : 'websockify';
    this.socket = new WebSocket(`ws://127.0.0.1:${String(port)}/${path}`, ['binary'], { headers });
    this.socket.on('message', (data: Buffer) => (this.received = Buffer.concat([this.received, data])));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.closed = true));
    this.status = Promise.race([
      once(this.socket, 'open').then(() => 101),
      once(this.socket, 'unexpected-response').then(([, response]) => {
        this.socket.terminate();
        return (response as { statusCode: number }).statusCode;
      }),
    ]);
  }

  /** The next so many bytes of the screen. */
  async bytes(count: number): Promise<Buffer> {
    await until(`${String(count)} bytes of the screen`, () => this.received.length >= count || this.closed);
    if (this.received.length < count) throw new Error('the console was closed');
    const taken = this.received.subarray(0, count);
    this.received = this.received.subarray(count);
    return taken;
  }

  /** Up to the picture; answers size and name of the screen. */
  async begin(): Promise<{ width: number; height: number; name: string }> {
    expect((await this.bytes(HELLO.length)).toString()).toBe(HELLO);
    this.socket.send(Buffer.from(HELLO));
    expect([...(await this.bytes(2))]).toEqual([1, 1]);
    this.socket.send(Buffer.from([1]));
    expect([...(await this.bytes(4))]).toEqual([0, 0, 0, 0]);
    this.socket.send(Buffer.from([1]));
    const init = await this.bytes(24);
    const name = (await this.bytes(init.readUInt32BE(20))).toString();
    return { width: init.readUInt16BE(0), height: init.readUInt16BE(2), name };
  }

  /** The whole picture; `incremental` waits until it differs from the last one. */
  async picture({ width, height }: { width: number; height: number }, incremental: boolean): Promise<Buffer> {
    const wanted = Buffer.alloc(10);
    wanted.set([3, incremental ? 1 : 0]);
    wanted.writeUInt16BE(width, 6);
    wanted.writeUInt16BE(height, 8);
    this.socket.send(wanted);
    const head = await this.bytes(16);
    expect([head[0], head.readUInt16BE(2), head.readUInt16BE(8), head.readUInt16BE(10), head.readInt32BE(12)]).toEqual([
      0,
      1,
      width,
      height,
      0,
    ]);
    return this.bytes(width * height * 4);
  }

  type(text: string): void {
    for (const character of text) {
      for (const down of [1, 0]) {
        const key = Buffer.from([4, down, 0, 0, 0, 0, 0, 0]);
        key.writeUInt32BE(character === '\n' ? 0xff0d : character.charCodeAt(0), 4);
        this.socket.send(key);
      }
    }
  }

  async gone(): Promise<void> {
    await until('the console is closed', () => this.closed);
  }
}

describe('a console', () => {
  it('has an address of upstream’s form in both versions of the API', async () => {
    const answer = await ask();
    expect([answer.status, answer.json]).toEqual([
      200,
      { remote_console: { protocol: 'vnc', type: 'novnc', url: expect.stringMatching(/^http/) } },
    ]);
    const url = await urlOf();
    expect(url.slice(0, -36)).toBe(`${NOVNC_URL}?path=%3Ftoken%3D`);
    const old = await bench.call('POST', `/servers/${server}/action`, {
      body: { 'os-getVNCConsole': { type: 'novnc' } },
    });
    expect([old.status, old.json]).toEqual([
      200,
      { console: { type: 'novnc', url: expect.stringContaining(`${NOVNC_URL}?path=%3Ftoken%3D`) } },
    ]);
    const kept = await bench.query<{ row: string }>('SELECT t::text AS row FROM console_auth_token t');
    expect(kept.rows.length).toBeGreaterThan(2);
    for (const { row } of kept.rows) expect(row).not.toContain(tokenOf(url));
  });

  it('is served by any proxy: the page, noVNC, and nothing else', async () => {
    for (const { port } of proxies) {
      const get = (path: string, method: 'GET' | 'POST' = 'GET') =>
        request(`http://127.0.0.1:${String(port)}${path}`, { method }).then(async ({ statusCode, headers, body }) => ({
          status: statusCode,
          type: String(headers['content-type']),
          text: await body.text(),
        }));
      const page = await get('/vnc_lite.html?path=%3Ftoken%3Dx');
      expect([page.status, page.type]).toEqual([200, 'text/html; charset=utf-8']);
      expect(page.text).toMatch(/<html[^>]*>[\s\S]*noVNC[\s\S]*<script[\s\S]*<\/html>/);
      const module = await get('/core/rfb.js');
      expect([module.status, module.type]).toEqual([200, 'text/javascript; charset=utf-8']);
      expect((await get('/nestack.js')).status).toBe(200);
      expect((await get('/healthcheck')).status).toBe(200);
      for (const path of [
        '/',
        '/core/',
        '/core/none.js',
        '/package.json',
        '/core/..%2fpackage.json',
        '/core/../../ws/index.js',
      ])
        expect([path, (await get(path)).status]).toEqual([path, 404]);
      expect((await get('/vnc_lite.html', 'POST')).status).toBe(405);
    }
  });

  it('shows the screen, and what is typed on it to all who look', async () => {
    const viewers = [new Viewer(tokenOf(await urlOf())), new Viewer(tokenOf(await urlOf()), {}, 1)] as const;
    const screens = [];
    for (const viewer of viewers) {
      expect(await viewer.status).toBe(101);
      expect(viewer.socket.protocol).toBe('binary');
      const screen = await viewer.begin();
      expect(screen.name).toBe('QEMU (seen)');
      screens.push({ viewer, screen, before: await viewer.picture(screen, false) });
    }
    expect(new Set(screens[0]?.before ?? []).size).toBeGreaterThan(2);
    const changed = screens.map(({ viewer, screen }) => viewer.picture(screen, true));
    viewers[0].type('root\n');
    const after = await Promise.all(changed);
    screens.forEach(({ before }, at) => expect(after[at]?.equals(before)).toBe(false));
    for (const viewer of viewers) viewer.socket.close();
    for (const viewer of viewers) await viewer.gone();
  });

  it('opens once, with the token in the query or in a cookie', async () => {
    const token = tokenOf(await urlOf());
    const both = [new Viewer(token), new Viewer(token, {}, 1)];
    const statuses = await Promise.all(both.map((viewer) => viewer.status));
    expect(statuses.sort()).toEqual([101, 403]);
    expect(await new Viewer(token).status).toBe(403);
    const cookie = new Viewer('', { cookie: `a=b; token=${tokenOf(await urlOf())}` });
    expect(await cookie.status).toBe(101);
    for (const viewer of [...both, cookie]) viewer.socket.terminate();
    for (const wrong of ['', 'x', newUuid(), `bad${tokenOf(await urlOf())}`])
      expect(await new Viewer(wrong).status).toBe(403);
  });

  it('opens for pages of its own host and scheme alone', async () => {
    const come = async (headers: Record<string, string>): Promise<number> => {
      const viewer = new Viewer(tokenOf(await urlOf()), headers);
      const status = await viewer.status;
      viewer.socket.terminate();
      return status;
    };
    expect(await come({ origin: 'http://127.0.0.1:6080' })).toBe(101);
    expect(await come({ origin: 'http://elsewhere.example' })).toBe(403);
    expect(await come({ origin: 'https://127.0.0.1:6080' })).toBe(403);
    expect(await come({ origin: 'http://127.0.0.1:6080', 'x-forwarded-proto': 'https' })).toBe(403);
    expect(await come({ origin: 'null' })).toBe(403);
  });

  it('expires', async () => {
    const token = tokenOf(await urlOf());
    await bench.query("UPDATE console_auth_token SET expires_at = now() - interval '1 second' RETURNING 1");
    expect(await new Viewer(token).status).toBe(403);
    await urlOf();
    const { rows } = await bench.query('SELECT 1 FROM console_auth_token WHERE expires_at <= now()');
    expect(rows).toEqual([]);
  });

  it('ends with a run of its server: neither its address nor who looks stays', async () => {
    const look = async (id: string) => {
      const viewer = new Viewer(tokenOf(await urlOf(id)));
      expect(await viewer.status).toBe(101);
      await viewer.begin();
      return viewer;
    };
    const act = (id: string, body: unknown) => bench.call('POST', `/servers/${id}/action`, { body });
    const id = await bench.boot({ name: 'short' });
    await bench.until(id, 'ACTIVE');
    const [viewer, unused, later] = [await look(id), tokenOf(await urlOf(id)), tokenOf(await urlOf(id))];
    await act(id, { 'os-stop': null });
    await bench.until(id, 'SHUTOFF');
    await viewer.gone();
    expect(await new Viewer(unused).status).toBe(403);
    const off = await ask(id);
    expect([off.status, off.json]).toEqual([
      409,
      { conflictingRequest: { code: 409, message: `Instance ${id} is not ready` } },
    ]);
    await act(id, { 'os-start': null });
    await bench.until(id, 'ACTIVE');
    // It counts again, but leads to a run that is over.
    expect(await new Viewer(later).status).toBe(502);
    const [second, third] = [await look(id), tokenOf(await urlOf(id))];
    await bench.query('UPDATE instance SET host = $2 WHERE uuid = $1::uuid RETURNING 1', [id, 'another']);
    expect(await new Viewer(third).status).toBe(403);
    await bench.query('UPDATE instance SET host = $2 WHERE uuid = $1::uuid RETURNING 1', [id, bench.hosts[0]?.name]);
    await bench.call('DELETE', `/servers/${id}`);
    await bench.until(id, 'GONE');
    await second.gone();
    expect(await new Viewer(third).status).toBe(403);
    expect((await ask(id)).status).toBe(404);
  }, 30_000);

  it('is of no other protocol or type', async () => {
    const create = (version: string, protocol: string, type: string) =>
      bench.call('POST', `/servers/${server}/remote-consoles`, {
        version,
        body: { remote_console: { protocol, type } },
      });
    const unavailable = (type: string) => [
      400,
      { badRequest: { code: 400, message: `Unavailable console type ${type}.` } },
    ];
    for (const [protocol, type] of [
      ['spice', 'spice-html5'],
      ['serial', 'serial'],
      ['mks', 'webmks'],
      ['vnc', 'xvpvnc'],
    ] as const) {
      const answer = await create('2.8', protocol, type);
      expect([answer.status, answer.json]).toEqual(unavailable(type));
    }
    expect((await create('2.7', 'mks', 'webmks')).status).toBe(400);
    expect((await create('2.6', 'rdp', 'rdp-html5')).status).toBe(400);
    expect((await create('2.5', 'vnc', 'novnc')).status).toBe(404);
    for (const [key, type] of [
      ['os-getVNCConsole', 'xvpvnc'],
      ['os-getSPICEConsole', 'spice-html5'],
      ['os-getRDPConsole', 'rdp-html5'],
      ['os-getSerialConsole', 'serial'],
    ] as const) {
      const old = await bench.call('POST', `/servers/${server}/action`, { body: { [key]: { type } } });
      expect([old.status, old.json]).toEqual(unavailable(type));
    }
    const gone = await bench.call('POST', `/servers/${server}/action`, {
      version: '2.6',
      body: { 'os-getVNCConsole': { type: 'novnc' } },
    });
    expect([400, 404]).toContain(gone.status);
  });

  it('tells an administrator where a token leads', async () => {
    const url = `/os-console-auth-tokens/${tokenOf(await urlOf())}`;
    const as = `${bench.project}:admin`;
    const shown = await bench.call('GET', url, { as, version: '2.31' });
    expect([shown.status, shown.json]).toEqual([
      200,
      {
        console: {
          instance_uuid: server,
          host: '127.0.0.1',
          port: expect.any(Number),
          internal_access_path: expect.stringMatching(`^${server}\\.[0-9a-f]{64}$`),
        },
      },
    ]);
    expect((await bench.call('GET', url, { as })).status).toBe(401);
    expect((await bench.call('GET', url, { version: '2.31' })).status).toBe(403);
    const missing = await bench.call('GET', `/os-console-auth-tokens/${newUuid()}`, { as, version: '2.31' });
    expect([missing.status, missing.json]).toEqual([404, { itemNotFound: { code: 404, message: 'Token not found' } }]);
  });
});

describe("a host's gate", () => {
  it('lets nobody in who does not know the way', async () => {
    const shown = await bench.call('GET', `/os-console-auth-tokens/${tokenOf(await urlOf())}`, {
      as: `${bench.project}:admin`,
      version: '2.31',
    });
    const { port, internal_access_path: way } = (
      shown.json as { console: { port: number; internal_access_path: string } }
    ).console;
    const say = async (words: string): Promise<string> => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      let heard = '';
      socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
      socket.write(words);
      await Promise.race([once(socket, 'close'), until('an answer', () => heard.includes(HELLO))]);
      socket.destroy();
      return heard;
    };
    const connectTo = (path: string) => say(`CONNECT ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(await connectTo(way)).toMatch(/^HTTP\/1\.1 200 [\s\S]*RFB 003\.008\n$/);
    expect(await connectTo(`${server}.${'0'.repeat(64)}`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await connectTo(`${newUuid()}.${way.split('.')[1] ?? ''}`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await connectTo('127.0.0.1:22')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await say('GET / HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 405 /);
    expect(await say(HELLO)).toMatch(/^HTTP\/1\.1 400 /);
  });
});
