import 'reflect-metadata';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { startApp, type RunningApp } from '@nestack/kernel/app';
import { run } from '@nestack/kernel/process';
import { freePort, until } from '@nestack/kernel/testing';
import { app } from './app.module';
import { TestCinder } from './testing/test-cinder';

jest.setTimeout(60_000);

const missing = ['qemu-img', 'qemu-io', 'qemu-storage-daemon'].filter(
  (program) => spawnSync(program, ['--version']).status !== 0,
);
/** Without these programs volumes cannot be served: cinder says so at its start. */
if (missing.length > 0) process.stdout.write(`left out: volumes over NBD need ${missing.join(', ')}\n`);
const suite = missing.length === 0 ? describe : describe.skip;

/** The API in one process' app, scheduler and volume service in another, as large clouds run them. */
let cinder: TestCinder;
let workers: RunningApp;

const io = (url: string, command: string) => run('qemu-io', ['-f', 'raw', '-c', command, url]);
const files = (folder: string) => readdirSync(path.join(cinder.config.state_path, folder));
const pidFile = () => path.join(cinder.config.state_path, 'local', 'pid');

suite('volumes over NBD, with the parts of cinder apart', () => {
  beforeAll(async () => {
    cinder = await TestCinder.start({ driver: 'nbd', roles: ['api'] });
    workers = await startApp(app, {
      ...cinder.config,
      roles: ['scheduler', 'volume'],
      nbd_address: '127.0.0.1',
      nbd_port: await freePort(),
    });
  }, 60_000);

  afterAll(async () => {
    await workers.close();
    await cinder.close();
  });

  it('keep what a guest writes, over detaching, a snapshot and a crash of what serves them', async () => {
    expect(workers.port).toBeNull();
    const volume = await cinder.volume();
    const host = String(cinder.config.host);
    const near = await cinder.attach(volume.id, { host });
    const { socket, export: name } = near.connection_info;
    const url = `nbd+unix:///${String(name)}?socket=${String(socket)}`;
    expect(near.connection_info).toMatchObject({ driver_volume_type: 'nbd', access_mode: 'rw' });
    await io(url, 'write -P 5 0 1M');
    const snapshot = await cinder.snapshot(volume.id, { force: true });
    await io(url, 'write -P 6 0 1M');
    process.kill(Number(readFileSync(pidFile(), 'utf8')), 'SIGKILL');
    await until('the volume is served again', async () => {
      const read = await io(url, 'read -P 6 0 1M').catch(() => 'failed');
      return !read.includes('failed');
    });
    await cinder.detach(near.id);
    expect(existsSync(pidFile())).toBe(false);
    const far = await cinder.attach(volume.id, { host: 'elsewhere' });
    expect(far.connection_info).toMatchObject({ host: '127.0.0.1' });
    const remote = `nbd://127.0.0.1:${String(far.connection_info['port'])}/${String(name)}`;
    expect(await io(remote, 'read -P 6 0 1M')).not.toContain('failed');
    await cinder.detach(far.id);
    const restored = await cinder.volume({ snapshot_id: snapshot });
    const file = path.join(cinder.config.state_path, 'volumes', restored.id);
    expect(await io(file, 'read -P 5 0 1M')).not.toContain('failed');
    await cinder.call('DELETE', `/volumes/${volume.id}?cascade=true`);
    await cinder.call('DELETE', `/volumes/${restored.id}`);
    for (const { id } of [volume, restored]) await cinder.gone(`/volumes/${id}`);
    expect([...files('volumes'), ...files('snapshots'), ...files('work')]).toEqual([]);
  }, 60_000);

  it('are refused to hostile images, and tell why', async () => {
    const head = Buffer.alloc(65_536);
    head.write('QFI\xfb', 'latin1');
    head.writeUInt32BE(3, 4);
    head.writeBigUInt64BE(512n, 8);
    head.writeBigUInt64BE(1n << 20n, 24);
    const image = cinder.neighbours.addImage(head, { disk_format: 'qcow2' });
    const { id } = await cinder.ask({ imageRef: image });
    await cinder.reaches(id, 'error');
    const told = await cinder.call('GET', `/messages?resource_uuid=${id}`, { version: '3.5' });
    expect(JSON.stringify(told.json)).toContain('backing file');
    await cinder.call('DELETE', `/volumes/${id}`);
    await cinder.gone(`/volumes/${id}`);
    expect([...files('volumes'), ...files('work')]).toEqual([]);
  });
});
