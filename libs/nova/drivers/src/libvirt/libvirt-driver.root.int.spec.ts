import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { newContext, SYSTEM_ACTOR } from '@nestack/kernel/context';
import { newUuid } from '@nestack/kernel/ids';
import { silentLogger } from '@nestack/kernel/log';
import { alive, run, stopPid, tryRun, waitFor } from '@nestack/kernel/process';
import { POWER_STATE, type Nic } from '@nestack/nova/contract';
import type { GuestDisk, GuestEvent, GuestSpec } from '@nestack/nova/domain';
import { libvirtUri, stopLibvirtd } from './daemon';
import { LibvirtDriver } from './libvirt-driver';

const missing = await whatIsMissing();
if (missing !== null) process.stdout.write(`left out: real guests need ${missing}\n`);
const describeReal = missing === null ? describe : describe.skip;

async function whatIsMissing(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'root';
  for (const program of [
    'qemu-system-x86_64',
    'qemu-nbd',
    'virsh',
    'libvirtd',
    'genisoimage',
    'syslinux',
    'mcopy',
    'ip',
  ])
    if ((await tryRun('sh', ['-c', 'PATH="$PATH:/usr/sbin:/sbin" command -v "$0"', program])).code !== 0)
      return program;
  return null;
}

const repository = path.resolve(import.meta.dirname, '../../../../..');
/** Kept from run to run: the builder does nothing when it is up to date. */
const images = path.join(tmpdir(), 'nestack-test-images');
const BOOT_MS = 120_000;

jest.setTimeout(240_000);

describeReal('real guests', () => {
  const tag = newUuid().slice(0, 6);
  const dir = mkdtempSync(path.join(tmpdir(), 'nova-'));
  const bridge = `br${tag}`;
  const ctx = newContext({ actor: SYSTEM_ACTOR });
  const image = path.join(images, 'guest.qcow2');
  const events: GuestEvent[] = [];
  const servers: ChildProcess[] = [];
  const uuids: string[] = [];
  let driver: LibvirtDriver;
  let downloads = 0;
  let spec: GuestSpec;

  const openDriver = async (): Promise<LibvirtDriver> => {
    const made = new LibvirtDriver({
      host: 'h1',
      hostIp: '127.0.0.1',
      uri: null,
      stateDir: dir,
      virtType: 'auto',
      probeKernel: path.join(images, 'vmlinuz'),
      probeInitrd: path.join(images, 'initrd.gz'),
      log: silentLogger,
    });
    made.onEvent((event) => events.push(event));
    await made.open();
    return made;
  };

  const fetch = (_ctx: unknown, id: string) => {
    downloads += 1;
    const file = { kernel: 'vmlinuz', ramdisk: 'initrd.gz' }[id] ?? 'guest.qcow2';
    return Promise.resolve(createReadStream(path.join(images, file)));
  };

  const nic = (last: number): Nic => {
    const id = newUuid();
    return {
      port_id: id,
      network_id: newUuid(),
      network_label: 'net',
      mac_address: `fa:16:3e:${tag.slice(0, 2)}:${tag.slice(2, 4)}:0${last}`,
      devname: `tap${id.slice(0, 11)}`,
      bridge,
      mtu: 1450,
      vif_type: 'bridge',
      fixed_ips: [],
      subnets: [],
      tag: null,
      created_by_nova: true,
    };
  };

  const guest = (name: string, nics: readonly Nic[]): GuestSpec => {
    const uuid = newUuid();
    uuids.push(uuid);
    const bytes = readFileSync(image);
    return {
      uuid,
      name,
      flavor: {
        id: '1',
        name: 'm1.tiny',
        vcpus: 1,
        memory_mb: 192,
        root_gb: 1,
        ephemeral_gb: 0,
        swap_mb: 0,
        extra_specs: {},
        description: null,
      },
      ephemerals: [],
      image: {
        id: IMAGE_ID,
        disk_format: 'qcow2',
        container_format: 'bare',
        size: bytes.length,
        checksum: null,
        os_hash_algo: 'sha512',
        os_hash_value: createHash('sha512').update(bytes).digest('hex'),
        min_disk: 0,
        properties: {},
      },
      nics,
      rescue: null,
      disks: [],
      configDrive: {
        'openstack/latest/meta_data.json': JSON.stringify({ uuid, hostname: `${name}.novalocal`, name }),
        'openstack/latest/user_data': '#!/bin/sh\necho "user data of $(hostname)"\n',
      },
    };
  };
  const IMAGE_ID = newUuid();

  /** A volume as cinder's NBD backend serves it. */
  const volume = async (name: string, device: string, content?: Buffer): Promise<GuestDisk> => {
    const volumeId = newUuid();
    const file = path.join(dir, `${name}.raw`);
    const socket = path.join(dir, `${name}.sock`);
    await run('qemu-img', ['create', '-q', '-f', 'raw', file, '64M']);
    if (content !== undefined) await writeFile(file, content, { flag: 'r+' });
    servers.push(spawn('qemu-nbd', ['--persistent', '--shared=8', '-f', 'raw', '-k', socket, '-x', volumeId, file]));
    await waitFor('the volume server', () => existsSync(socket), 10_000);
    const data = { socket, export: volumeId, access_mode: 'rw' };
    return { volumeId, connection: { driver_volume_type: 'nbd', data }, device, boot: false };
  };

  const console = (uuid: string) => driver.console(uuid, null);
  const waitForConsole = (uuid: string, text: string) =>
    waitFor(`"${text}" on the console`, async () => (await console(uuid)).includes(text), BOOT_MS, 200);
  const virsh = async (...args: string[]) =>
    (await run('virsh', ['-c', libvirtUri(path.join(dir, 'libvirt')), ...args])).trim();
  const pidOfGuest = async (uuid: string) =>
    Number(await readFile(path.join(dir, 'libvirt', 'run', 'qemu', `instance-${uuid}.pid`), 'utf8'));
  const powerOf = async (uuid: string) => (await driver.guests()).find((one) => one.uuid === uuid)?.power;

  beforeAll(async () => {
    await mkdir(images, { recursive: true });
    await run('bash', [path.join(repository, 'images', 'build-guest.sh'), images], { timeoutMs: 200_000 });
    await run('ip', ['link', 'add', 'name', bridge, 'type', 'bridge']);
    await run('ip', ['link', 'set', bridge, 'up']);
    driver = await openDriver();
    spec = guest('first', [nic(1)]);
  });

  afterAll(async () => {
    for (const uuid of uuids) await driver.absentGuest(ctx, uuid, []).catch(() => undefined);
    await driver.close();
    await stopLibvirtd(path.join(dir, 'libvirt'));
    for (const server of servers) if (server.pid !== undefined) await stopPid(server.pid);
    await tryRun('ip', ['link', 'delete', bridge]);
    rmSync(dir, { recursive: true, force: true });
  });

  it('tells what the host has', async () => {
    const facts = await driver.facts();
    expect(facts).toMatchObject({ hypervisor_hostname: 'h1', hypervisor_type: 'QEMU', running_vms: 0 });
    expect(facts.traits).toContain('COMPUTE_VOLUME_ATTACH');
    expect(facts.hypervisor_version).toBeGreaterThan(4_000_000);
    // The second answer comes from what was found out at the first.
    const began = performance.now();
    await driver.facts();
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it('boots a guest, once however often it is asked', async () => {
    const [tap] = spec.nics;
    const [first, again] = await Promise.all([
      driver.ensureGuest(ctx, spec, fetch),
      driver.ensureGuest(ctx, { ...spec, uuid: uuids[uuids.push(newUuid()) - 1] ?? '', nics: [] }, fetch),
    ]);
    expect(first).toEqual({ power: POWER_STATE.running, rootDevice: '/dev/vda' });
    expect(again.power).toBe(POWER_STATE.running);
    expect(downloads).toBe(1);
    await driver.absentGuest(ctx, uuids.at(-1) ?? '', []);
    await run('ip', ['link', 'set', tap?.devname ?? '', 'master', bridge]);
    await driver.ensureGuest(ctx, spec, fetch);
    await waitForConsole(spec.uuid, ' login:');
    await waitForConsole(spec.uuid, `instance ${spec.uuid} is ready`);
    const text = await console(spec.uuid);
    expect(text).toContain('Linux version');
    expect(text).toContain('host name is first');
    expect(text).toContain('user data of first');
    expect((await driver.console(spec.uuid, 3)).split('\n')).toHaveLength(3);
    expect((await driver.diagnostics(spec.uuid))['memory']).toBe(192 * 1024);
  });

  it('plugs a volume in and out of a running guest', async () => {
    const disk = await volume('vol1', '/dev/vdb');
    expect(await driver.ensureVolume(ctx, spec.uuid, disk)).toBe('/dev/vdb');
    expect(await driver.ensureVolume(ctx, spec.uuid, disk)).toBe('/dev/vdb');
    await waitForConsole(spec.uuid, '[vdb]');
    expect(await virsh('dumpxml', `instance-${spec.uuid}`)).toContain(`<serial>${disk.volumeId}</serial>`);
    await driver.absentVolume(ctx, spec.uuid, disk.volumeId);
    await driver.absentVolume(ctx, spec.uuid, disk.volumeId);
    expect(await virsh('domblklist', `instance-${spec.uuid}`)).not.toContain('vdb');
    expect(await virsh('domblklist', '--inactive', `instance-${spec.uuid}`)).not.toContain('vdb');
  });

  it('moves the disk of a running guest to another volume with all that is on it, and back', async () => {
    const content = randomBytes(4 * 1024 * 1024);
    const first = await volume('swap1', '/dev/vdb', content);
    const second = await volume('swap2', '/dev/vdb');
    await driver.ensureVolume(ctx, spec.uuid, first);
    const bytes = 64 * 1024 * 1024;
    const defined = async (...flags: string[]) => virsh('dumpxml', ...flags, `instance-${spec.uuid}`);
    for (const [from, to] of [
      [first, second],
      [second, first],
      [first, second],
    ] as const) {
      // Asked twice, as a saga that was cut does.
      for (let times = 0; times < 2; times += 1)
        await driver.ensureSwapped(ctx, spec.uuid, from.volumeId, { ...to, bytes });
      expect(await defined()).toMatch(new RegExp(`name='${to.volumeId}'`));
      expect(await defined()).not.toMatch(new RegExp(`name='${from.volumeId}'|<mirror`));
      expect(await defined('--inactive')).toContain(`<serial>${to.volumeId}</serial>`);
      expect(await defined('--inactive')).not.toContain(from.volumeId);
    }
    expect((await readFile(path.join(dir, 'swap2.raw'))).subarray(0, content.length).equals(content)).toBe(true);
    await driver.absentVolume(ctx, spec.uuid, second.volumeId);
    expect(await virsh('domblklist', `instance-${spec.uuid}`)).not.toContain('vdb');
  });

  it('stays on its volume when the other one cannot be reached', async () => {
    const first = await volume('swap3', '/dev/vdb');
    await driver.ensureVolume(ctx, spec.uuid, first);
    const nowhere = { ...first.connection, data: { ...first.connection.data, socket: path.join(dir, 'none.sock') } };
    const swap = driver.ensureSwapped(ctx, spec.uuid, first.volumeId, {
      volumeId: newUuid(),
      connection: nowhere,
      bytes: 64 * 1024 * 1024,
    });
    await expect(swap).rejects.toMatchObject({ code: 'VolumeRebaseFailed' });
    expect(await virsh('dumpxml', `instance-${spec.uuid}`)).toMatch(new RegExp(`name='${first.volumeId}'`));
    await driver.absentVolume(ctx, spec.uuid, first.volumeId);
  });

  it('plugs an interface in and out of a running guest', async () => {
    const second = nic(2);
    await driver.ensureInterface(ctx, spec.uuid, second);
    await driver.ensureInterface(ctx, spec.uuid, second);
    expect(await virsh('domiflist', `instance-${spec.uuid}`)).toContain(second.devname);
    expect((await tryRun('ip', ['link', 'show', second.devname])).stdout).toContain('mtu 1450');
    await waitForConsole(spec.uuid, 'eth1 is there');
    await driver.absentInterface(ctx, spec.uuid, second);
    await driver.absentInterface(ctx, spec.uuid, second);
    expect(await virsh('domiflist', `instance-${spec.uuid}`)).not.toContain(second.devname);
    expect((await tryRun('ip', ['link', 'show', second.devname])).code).not.toBe(0);
    await waitForConsole(spec.uuid, 'eth1 is gone');
  });

  it('pauses and goes on', async () => {
    expect(await driver.pause(ctx, spec.uuid)).toBe(POWER_STATE.paused);
    expect(await driver.pause(ctx, spec.uuid)).toBe(POWER_STATE.paused);
    expect(await powerOf(spec.uuid)).toBe(POWER_STATE.paused);
    expect(await driver.unpause(ctx, spec.uuid)).toBe(POWER_STATE.running);
    expect(await driver.unpause(ctx, spec.uuid)).toBe(POWER_STATE.running);
    expect(await powerOf(spec.uuid)).toBe(POWER_STATE.running);
  });

  it('stops by the power button, starts again with its disk and a volume given meanwhile', async () => {
    expect(await driver.powerOff(ctx, spec.uuid, 60)).toBe(POWER_STATE.shutdown);
    expect(await driver.powerOff(ctx, spec.uuid, 60)).toBe(POWER_STATE.shutdown);
    expect(await console(spec.uuid)).toContain('power button pressed');
    const disk = await volume('vol2', '/dev/vdb');
    expect(await driver.ensureVolume(ctx, spec.uuid, disk)).toBe('/dev/vdb');
    spec = { ...spec, disks: [disk] };
    expect(await driver.powerOn(ctx, spec)).toBe(POWER_STATE.running);
    expect(await driver.powerOn(ctx, spec)).toBe(POWER_STATE.running);
    await waitFor('the second boot', async () => (await console(spec.uuid)).split('is ready').length > 2, BOOT_MS, 200);
    // Root has grown at the first boot alone, and user data run then.
    expect((await console(spec.uuid)).split('root grown').length).toBe(2);
    expect((await console(spec.uuid)).split('user data of').length).toBe(2);
    expect(await virsh('domblklist', `instance-${spec.uuid}`)).toContain('vdb');
  });

  it('reboots softly and hard', async () => {
    const before = await pidOfGuest(spec.uuid);
    expect(await driver.reboot(ctx, spec, 'SOFT', 60)).toBe(POWER_STATE.running);
    expect(alive(before)).toBe(false);
    const between = await pidOfGuest(spec.uuid);
    expect(await driver.reboot(ctx, spec, 'HARD', 60)).toBe(POWER_STATE.running);
    expect(alive(between)).toBe(false);
    expect(await powerOf(spec.uuid)).toBe(POWER_STATE.running);
    expect(events).toEqual([]);
  });

  it('keeps the memory of a suspended guest', async () => {
    await waitFor('the boot', async () => (await console(spec.uuid)).split('is ready').length > 3, BOOT_MS, 200);
    const boots = (await console(spec.uuid)).split('Linux version').length;
    expect(await driver.suspend(ctx, spec.uuid)).toBe(POWER_STATE.shutdown);
    expect(await driver.suspend(ctx, spec.uuid)).toBe(POWER_STATE.shutdown);
    expect(await powerOf(spec.uuid)).toBe(POWER_STATE.shutdown);
    expect(await driver.resume(ctx, spec)).toBe(POWER_STATE.running);
    expect(await driver.resume(ctx, spec)).toBe(POWER_STATE.running);
    expect((await console(spec.uuid)).split('Linux version')).toHaveLength(boots);
  });

  it('copies the disk of a running guest whole', async () => {
    const name = newUuid();
    await driver.ensureSnapshot(ctx, spec.uuid, name, true);
    await driver.ensureSnapshot(ctx, spec.uuid, name, true);
    expect(await powerOf(spec.uuid)).toBe(POWER_STATE.running);
    const file = path.join(dir, 'copy.qcow2');
    await pipeline(await driver.openSnapshot(spec.uuid, name), createWriteStream(file));
    const info = JSON.parse(await run('qemu-img', ['info', '--output=json', file])) as Record<string, unknown>;
    expect(info).toMatchObject({ format: 'qcow2', 'virtual-size': 1024 ** 3 });
    expect(info['backing-filename']).toBeUndefined();
    await driver.absentSnapshot(ctx, spec.uuid, name, true);
    await driver.absentSnapshot(ctx, spec.uuid, name, true);
    expect(readdirSync(path.join(dir, 'instances', spec.uuid)).filter((one) => one.startsWith('snapshot'))).toEqual([]);
  });

  it('rescues a guest with another disk, and lets it go back to its own', async () => {
    const rescued: GuestSpec = { ...spec, rescue: spec.image };
    const files = path.join(dir, 'instances', spec.uuid);
    for (const _ of [1, 2]) expect(await driver.rescue(ctx, rescued, fetch)).toBe(POWER_STATE.running);
    expect(await virsh('domblklist', `instance-${spec.uuid}`)).toMatch(/vda .*disk.rescue\n vdb .*disk\n/);
    for (const _ of [1, 2]) expect(await driver.unrescue(ctx, spec)).toBe(POWER_STATE.running);
    expect(await virsh('domblklist', `instance-${spec.uuid}`)).toMatch(/vda .*disk\n/);
    expect(existsSync(path.join(files, 'disk.rescue'))).toBe(false);
  });

  it('outlives its libvirt, and the driver finds it again', async () => {
    const daemon = Number(await readFile(path.join(dir, 'libvirt', 'libvirtd.pid'), 'utf8'));
    const pid = await pidOfGuest(spec.uuid);
    process.kill(daemon, 'SIGKILL');
    await waitFor('the end of libvirtd', () => !alive(daemon), 5000);
    expect(await powerOf(spec.uuid)).toBe(POWER_STATE.running);
    expect(await pidOfGuest(spec.uuid)).toBe(pid);
    await driver.close();
    driver = await openDriver();
    expect(await powerOf(spec.uuid)).toBe(POWER_STATE.running);
    expect(await driver.ensureGuest(ctx, spec, fetch)).toMatchObject({ power: POWER_STATE.running });
    expect(downloads).toBe(1);
    expect(events).toEqual([]);
  });

  it('tells of a guest whose process was killed', async () => {
    process.kill(await pidOfGuest(spec.uuid), 'SIGKILL');
    await waitFor('the event', () => events.length > 0, 20_000);
    expect(events).toEqual([{ uuid: spec.uuid, power: POWER_STATE.shutdown }]);
    expect(await driver.powerOn(ctx, spec)).toBe(POWER_STATE.running);
  });

  it('starts a kernel that is given apart, and gives the flavor its swap and ephemeral disks', async () => {
    const plain = guest('second', []);
    if (plain.image === null) throw new Error('no image');
    const other: GuestSpec = {
      ...plain,
      flavor: { ...plain.flavor, swap_mb: 16, ephemeral_gb: 3 },
      ephemerals: [1, 2],
      image: { ...plain.image, properties: { kernel_id: 'kernel', ramdisk_id: 'ramdisk' } },
    };
    await driver.ensureGuest(ctx, other, fetch);
    await waitForConsole(other.uuid, ' login:');
    const text = await console(other.uuid);
    expect(text).toContain('Command line: root=/dev/vda console=tty0 console=ttyS0');
    expect(text).toMatch(/\[vdb\] 2097152 512-byte/);
    expect(text).toMatch(/\[vdc\] 4194304 512-byte/);
    expect(text).toMatch(/\[vdd\] 32768 512-byte/);
    const label = await tryRun('/sbin/e2label', [path.join(dir, 'instances', other.uuid, 'disk.eph1')]);
    expect(label.stdout.trim()).toBe('ephemeral1');
    await driver.absentGuest(ctx, other.uuid, []);
  });

  it('leaves nothing of a guest', async () => {
    const pid = await pidOfGuest(spec.uuid);
    await driver.absentGuest(ctx, spec.uuid, spec.nics);
    await driver.absentGuest(ctx, spec.uuid, spec.nics);
    expect(alive(pid)).toBe(false);
    expect(await virsh('list', '--all', '--name')).toBe('');
    expect(existsSync(path.join(dir, 'instances', spec.uuid))).toBe(false);
    expect(readdirSync(path.join(dir, 'vnc'))).toEqual([]);
    expect(readdirSync(path.join(dir, 'libvirt', 'log', 'qemu'))).toEqual([]);
    expect((await tryRun('ip', ['link', 'show', spec.nics[0]?.devname ?? ''])).code).not.toBe(0);
    expect(readdirSync(path.join(dir, 'instances', '_base')).sort()).toEqual([IMAGE_ID, 'kernel', 'ramdisk'].sort());
    expect(await driver.console(spec.uuid, null)).toBe('');
  });
});
