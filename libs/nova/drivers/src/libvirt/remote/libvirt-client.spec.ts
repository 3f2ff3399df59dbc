import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { newContext, SYSTEM_ACTOR } from '@nestack/kernel/context';
import { silentLogger } from '@nestack/kernel/log';
import { waitFor } from '@nestack/kernel/process';
import { LibvirtError } from './connection';
import { LibvirtClient } from './libvirt-client';
import { XdrReader, XdrWriter } from './xdr';

const UUID = '00112233-4455-6677-8899-aabbccddeeff';
const ctx = newContext({ actor: SYSTEM_ACTOR });

interface Call {
  readonly procedure: number;
  readonly body: XdrReader;
}
type Answer = { readonly status: number; readonly body: XdrWriter } | 'silence' | 'end';

const ok = (body = new XdrWriter()): Answer => ({ status: 0, body });
const refusal = (code: number, message: string): Answer => {
  const body = new XdrWriter().int(code).int(10);
  return { status: 1, body: body.optional(message, (text) => body.text(text)) };
};

function message(procedure: number, type: number, serial: number, status: number, body: XdrWriter): Buffer {
  const bytes = body.bytes();
  const head = new XdrWriter()
    .uint(28 + bytes.length)
    .uint(0x20008086)
    .uint(1)
    .int(procedure)
    .int(type)
    .uint(serial)
    .int(status);
  return Buffer.concat([head.bytes(), bytes]);
}

function domain(name = `instance-${UUID}`): XdrWriter {
  return new XdrWriter()
    .text(name)
    .fixed(Buffer.from(UUID.replaceAll('-', ''), 'hex'))
    .int(1);
}

describe('the libvirt client', () => {
  let dir: string;
  let socket: string;
  let server: Server;
  let client: LibvirtClient;
  const peers = new Set<Socket>();
  let calls: Call[];
  let answer: (call: Call) => Answer;
  let changes: string[];
  let connections: number;

  function listen(): Promise<void> {
    server = createServer((peer) => {
      peers.add(peer);
      let received = Buffer.alloc(0);
      peer.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        while (received.length >= 4 && received.length >= received.readUInt32BE(0)) {
          const length = received.readUInt32BE(0);
          const header = new XdrReader(received.subarray(4, 28));
          header.fixed(8);
          const call = { procedure: header.int(), body: new XdrReader(received.subarray(28, length)) };
          header.int();
          const serial = header.uint();
          received = received.subarray(length);
          const reply = call.procedure === 1 || call.procedure === 316 ? ok(new XdrWriter().int(0)) : answer(call);
          calls.push(call);
          if (reply === 'end') peer.destroy();
          else if (reply !== 'silence') peer.write(message(call.procedure, 1, serial, reply.status, reply.body));
        }
      });
      peer.on('close', () => peers.delete(peer));
    });
    return new Promise((resolve) => server.listen(socket, resolve));
  }
  const unlisten = () => {
    for (const peer of peers) peer.destroy();
    return new Promise((resolve) => server.close(resolve));
  };

  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'libvirt-client-'));
    socket = path.join(dir, 's');
    calls = [];
    changes = [];
    connections = 0;
    answer = () => ok();
    await listen();
    client = new LibvirtClient({
      socket: () => Promise.resolve(socket),
      log: silentLogger,
      onChange: (uuid) => changes.push(uuid),
      onConnected: () => (connections += 1),
    });
    client.start();
    await waitFor('the connection', () => connections === 1, 5000, 5);
  });
  afterEach(async () => {
    await client.close();
    await unlisten();
    rmSync(dir, { recursive: true, force: true });
  });

  it('names the domain by its uuid and hands the definition over', async () => {
    await client.define(ctx, UUID, '<domain/>');
    await client.create(ctx, UUID);
    const [define, create] = calls.slice(-2);
    expect([define?.procedure, create?.procedure]).toEqual([350, 196]);
    expect(define?.body.text()).toBe('<domain/>');
    expect(create?.body.text()).toBe(`instance-${UUID}`);
    expect(create?.body.fixed(16).toString('hex')).toBe(UUID.replaceAll('-', ''));
  });

  it('reads states, in pieces of any size, and passes over domains that are not ours', async () => {
    const body = new XdrWriter().uint(2);
    for (const [name, state] of [
      ['other', 5],
      [`instance-${UUID}`, 1],
    ] as const)
      body
        .fixed(domain(name).bytes())
        .uint(2)
        .text('state.state')
        .int(1)
        .int(state)
        .text('block.0.name')
        .int(7)
        .text('vda');
    answer = () => 'silence';
    const states = client.states();
    await waitFor('the call', () => calls.at(-1)?.procedure === 344, 5000, 5);
    for (const byte of message(344, 1, calls.length, 0, body)) {
      for (const peer of peers) peer.write(Buffer.from([byte]));
    }
    expect([...(await states)]).toEqual([[UUID, { 'state.state': '1', 'block.0.name': 'vda' }]]);
  });

  it("passes libvirt's refusals on, and takes a missing domain for an answer", async () => {
    answer = () => refusal(55, 'domain is not running');
    await expect(client.suspend(ctx, UUID)).rejects.toThrow(new LibvirtError(55, 'domain is not running'));
    answer = () => refusal(42, 'no domain');
    expect(await client.xml(UUID, 'current')).toBeNull();
    expect(await client.counters(UUID)).toBeNull();
  });

  it('tells of lifecycle events and wakes who waits for a change', async () => {
    const body = new XdrWriter().int(0).fixed(domain().bytes()).int(5).int(0);
    const change = client.nextChange(UUID, 60_000);
    for (const peer of peers) peer.write(message(318, 2, 0, 0, body));
    await change;
    expect(changes).toEqual([UUID]);
    const removed = client.nextChange(UUID, 60_000);
    const device = new XdrWriter().int(1).fixed(domain().bytes()).text('virtio-disk1');
    for (const peer of peers) peer.write(message(333, 2, 0, 0, device));
    await removed;
    expect(changes).toEqual([UUID]);
  });

  it('asks again when the daemon ends, but does nothing twice', async () => {
    let first = true;
    answer = () => {
      if (!first) return ok(new XdrWriter().uint(0));
      first = false;
      return 'end';
    };
    expect([...(await client.states())]).toEqual([]);
    expect(connections).toBe(2);
    first = true;
    await expect(client.create(ctx, UUID)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(calls.filter((call) => call.procedure === 196)).toHaveLength(1);
  });

  it('waits for a daemon that is being started', async () => {
    await unlisten();
    const version = client.version();
    answer = () => ok(new XdrWriter().fixed(Buffer.from('00000000006ad5f6', 'hex')));
    await listen();
    expect(await version).toBe(7_001_590);
  });
});
