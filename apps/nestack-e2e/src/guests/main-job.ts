import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { program, until, type Cloud } from '../cloud';
import { BOOT_MS } from './real-servers';

/** The main job on real guests, disks and networks, of which it leaves nothing that others would notice. */
export function mainJob(cloud: () => Cloud): void {
  let server: string;
  let network: string;
  let ports: string[];

  const key = (): string => path.join(cloud().state, 'mine');
  const console_ = (): Promise<string> => cloud().openstack('console', 'log', 'show', 'guest');
  const said = (pattern: RegExp): Promise<boolean> =>
    until(`the console to say ${pattern.source}`, async () => pattern.test(await console_()), BOOT_MS);
  const status = async (kind: string, name: string): Promise<string> =>
    (await cloud().openstack(kind, 'show', name, '-f', 'value', '-c', 'status')).trim();
  const inNetwork = (...args: string[]): ReturnType<typeof program> =>
    program('ip', ['netns', 'exec', `qdhcp-${network}`, ...args]);

  describe('a real guest', () => {
    it('S-1.3.2.2, S-9.4.6.4 boots to its login prompt, with its address and key', async () => {
      network = (await cloud().json('network', 'create', 'net'))['id'] as string;
      await cloud().openstack('subnet', 'create', 'sub', '--network', 'net', '--subnet-range', '192.168.78.0/24');
      await cloud().openstack('security', 'group', 'create', 'open');
      await cloud().openstack('security', 'group', 'rule', 'create', 'open', '--protocol', 'icmp');
      await cloud().openstack('security', 'group', 'rule', 'create', 'open', '--protocol', 'tcp', '--dst-port', '22');
      writeFileSync(key(), await cloud().openstack('keypair', 'create', 'mine'), { mode: 0o600 });
      const what = ['--image', 'cirros', '--flavor', 'm1.tiny', '--network', 'net', '--key-name', 'mine'];
      await cloud().openstack('server', 'create', 'guest', ...what, '--security-group', 'open', '--wait');
      const shown = await cloud().json('server', 'show', 'guest');
      server = shown['id'] as string;
      expect(shown['status']).toBe('ACTIVE');
      await said(/login:/);
      const [address] = /192\.168\.78\.\d+/.exec(JSON.stringify(shown['addresses'])) ?? [];
      expect(await console_()).toContain(address);
      ports = (await cloud().json<{ ID: string }[]>('port', 'list', '--device-id', server)).map((port) => port.ID);
      expect(ports).toHaveLength(1);
    }, 400_000);

    it('S-9.4.10.4 answers ping and ssh from its network', async () => {
      const [address = ''] =
        /192\.168\.78\.\d+/.exec(JSON.stringify((await cloud().json('server', 'show', 'guest'))['addresses'])) ?? [];
      await until('an answer to ping', async () => (await inNetwork('ping', '-c', '1', '-W', '2', address)).code === 0);
      const options = [
        'StrictHostKeyChecking=no',
        'UserKnownHostsFile=/dev/null',
        'LogLevel=ERROR',
        'ConnectTimeout=10',
      ];
      const ssh = ['ssh', '-i', key(), ...options.flatMap((one) => ['-o', one]), `cirros@${address}`];
      const hostname = await until('ssh', async () => {
        const ended = await inNetwork(...ssh, 'hostname');
        return ended.code === 0 ? ended.stdout.trim() : null;
      });
      expect(hostname).toBe('guest');
    }, 180_000);

    it('S-8.2.6.8 sees a volume come and go', async () => {
      await cloud().openstack('volume', 'create', 'data', '--size', '1');
      await until('an available volume', async () => (await status('volume', 'data')) === 'available');
      await cloud().openstack('server', 'add', 'volume', 'guest', 'data');
      await until('a volume in use', async () => (await status('volume', 'data')) === 'in-use');
      await said(/\[vdb\]/);
      await cloud().openstack('server', 'remove', 'volume', 'guest', 'data');
      await until('an available volume', async () => (await status('volume', 'data')) === 'available');
    }, 180_000);

    it('stops, starts and survives the death of all services and of libvirt', async () => {
      await cloud().openstack('server', 'stop', 'guest');
      await until('SHUTOFF', async () => (await status('server', 'guest')) === 'SHUTOFF', 120_000);
      await cloud().openstack('server', 'start', 'guest');
      await until('ACTIVE', async () => (await status('server', 'guest')) === 'ACTIVE');
      const pidOf = async (): Promise<string> => (await program('pgrep', ['-f', `uuid ${server}`])).stdout.trim();
      const before = await pidOf();
      expect(before).not.toBe('');
      const libvirtd = (await cloud().processes()).find(({ name }) => name.startsWith('libvirtd'))?.name ?? '';
      for (const victim of ['controller', libvirtd, 'rabbitmq', 'postgres']) {
        await cloud().kill(victim);
        await until(`${victim} to return`, () => cloud().healthy(), 90_000);
      }
      expect(await pidOf()).toBe(before);
      await until('ACTIVE', async () => (await status('server', 'guest')) === 'ACTIVE');
    }, 400_000);

    it('leaves nothing when deleted, killed in the middle or not', async () => {
      const deleting = cloud().tryOpenstack('nestack', 'server', 'delete', 'guest');
      await deleting;
      await cloud().kill('controller');
      await until('the services to return', () => cloud().healthy(), 90_000);
      await until('no server', async () => (await cloud().json<unknown[]>('server', 'list')).length === 0);
      expect((await program('pgrep', ['-f', `uuid ${server}`])).stdout).toBe('');
      for (const port of ports)
        expect((await program('ip', ['link', 'show', 'dev', `tap${port.slice(0, 11)}`])).code).not.toBe(0);
      const hosts = path.join(cloud().state, 'hosts');
      const files = (await program('find', [hosts, '-path', `*${server}*`])).stdout;
      expect([existsSync(hosts), files]).toEqual([true, '']);
      await cloud().openstack('volume', 'delete', 'data');
      await cloud().openstack('network', 'delete', 'net');
      // The agent is told once the network is gone.
      await until('the namespace to go', async () => {
        const { stdout } = await program('ip', ['netns', 'list']);
        return !stdout.includes(network);
      });
    }, 200_000);
  });
}
