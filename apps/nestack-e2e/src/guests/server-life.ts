import { once } from 'node:events';
import path from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { program, until, type Cloud } from '../cloud';
import { BOOT_MS, RealServers } from './real-servers';

const TEST_MS = BOOT_MS + 120_000;
const [TINY, SMALL, MEDIUM] = ['1', '2', '3'];

/**
 * The life of one real server, as its user sees it: by what answers on its network, what is on its disk, what its memory still knows.
 * Where an operation takes its time, all services are killed in its middle.
 */
export function serverLife(cloud: () => Cloud): void {
  let servers: RealServers;
  let image: string;
  let server: string;
  let address: string;

  const glance = (): string => `${servers.session.endpoint('image')}/v2/images`;
  const cinder = (): string => servers.session.endpoint('block-storage');
  const neutron = (): string => `${servers.session.endpoint('network')}/v2.0`;
  const inGuest = (command: string): Promise<string> => servers.ssh(address, command);
  const busy = async (): Promise<boolean> => (await servers.show(server))['OS-EXT-STS:task_state'] !== null;
  const memoryMib = async (): Promise<number> =>
    Number(/MemTotal: +(\d+)/.exec(await inGuest('grep MemTotal /proc/meminfo'))?.[1] ?? 0) / 1024;

  describe('a real server', () => {
    beforeAll(async () => {
      servers = await RealServers.on(cloud());
      image = (await servers.session.get<{ images: { id: string }[] }>(`${glance()}?name=cirros`)).images[0]?.id ?? '';
    }, 60_000);

    it(
      'boots, though its services are killed meanwhile',
      async () => {
        server = await servers.create('lively', image, TINY);
        await servers.cut('the guest to be made', async () =>
          ['spawning', 'networking', null].includes((await servers.show(server))['OS-EXT-STS:task_state']),
        );
        await servers.become(server, 'ACTIVE');
        address = await servers.addressOf(server);
        await inGuest('echo kept > /root/kept; sync');
        await until('its name in the guest', async () => (await inGuest('hostname')) === 'lively');
      },
      TEST_MS,
    );

    it('shows its screen at an address that opens once', async () => {
      const asked = await servers.session.send<{ remote_console: { url: string } }>(
        'POST',
        `${servers.compute}/servers/${server}/remote-consoles`,
        {
          body: { remote_console: { protocol: 'vnc', type: 'novnc' } },
          headers: { 'openstack-api-version': 'compute 2.6' },
        },
      );
      const url = new URL(asked.body.remote_console.url);
      const page = await fetch(url);
      expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('noVNC')]);
      const open = (): WebSocket => new WebSocket(`ws://${url.host}/${url.searchParams.get('path') ?? ''}`);
      const viewer = open();
      const [hello] = (await once(viewer, 'message')) as [Buffer];
      expect(hello.toString()).toBe('RFB 003.008\n');
      const second = open();
      const [error] = (await once(second, 'error')) as [Error];
      expect(error.message).toContain('403');
      viewer.terminate();
    }, 30_000);

    it(
      'is paused and goes on',
      async () => {
        await servers.act(server, { pause: null });
        await servers.become(server, 'PAUSED');
        expect(await servers.pings(address)).toBe(false);
        await servers.act(server, { unpause: null });
        await servers.become(server, 'ACTIVE');
        await until('an answer to ping', () => servers.pings(address));
      },
      TEST_MS,
    );

    it(
      'is suspended to disk and goes on with what it had in memory',
      async () => {
        await inGuest('echo remembered > /run/mark');
        await servers.act(server, { suspend: null });
        await servers.become(server, 'SUSPENDED');
        expect(await servers.runs(server)).toBe(false);
        await servers.act(server, { resume: null });
        await servers.become(server, 'ACTIVE');
        expect(await inGuest('cat /run/mark')).toBe('remembered');
      },
      TEST_MS,
    );

    it(
      'is made an image of, services killed meanwhile, and another boots from that',
      async () => {
        await servers.act(server, { createImage: { name: 'shot' } });
        await servers.cut('the snapshot', busy);
        await servers.become(server, 'ACTIVE');
        const shots = await servers.session.get<{ images: { id: string; status: string }[] }>(`${glance()}?name=shot`);
        expect(shots.images).toMatchObject([{ status: 'active' }]);
        expect(await inGuest('echo later > /root/later; cat /root/kept')).toBe('kept');
        const copy = await servers.create('copy', shots.images[0]?.id ?? '', TINY);
        await servers.become(copy, 'ACTIVE');
        const there = await servers.addressOf(copy);
        expect(await servers.ssh(there, 'ls /root; cat /root/kept')).toBe('kept\nkept');
        await until('its name in the copy', async () => (await servers.ssh(there, 'hostname')) === 'copy');
        await servers.session.ask('DELETE', `${servers.compute}/servers/${copy}`);
        await until('the copy to go', async () => !(await servers.runs(copy)));
      },
      TEST_MS,
    );

    it(
      'is rescued: a fresh disk is its root, its own comes second',
      async () => {
        await servers.act(server, { rescue: null });
        await servers.become(server, 'RESCUE');
        const root = 'grep -o "^/dev/[a-z0-9]* / " /proc/mounts; ls /root';
        expect(await inGuest(root)).toBe('/dev/vda2 /');
        expect(
          await inGuest('mount /dev/vdb2 /mnt && cat /mnt/root/kept && echo mended >> /mnt/root/kept; umount /mnt'),
        ).toBe('kept');
        await servers.act(server, { unrescue: null });
        await servers.become(server, 'ACTIVE');
        expect(await inGuest('cat /root/kept; ls /dev/vd*')).toBe('kept\nmended\n/dev/vda\n/dev/vda1\n/dev/vda2');
      },
      TEST_MS,
    );

    it(
      'is resized, services killed meanwhile, and confirmed',
      async () => {
        await servers.act(server, { resize: { flavorRef: SMALL } });
        await servers.cut('the resize', busy);
        await servers.become(server, 'VERIFY_RESIZE');
        expect(await inGuest('cat /root/kept')).toBe('kept\nmended');
        expect(await memoryMib()).toBeGreaterThan(1500);
        expect(Number(await inGuest("df -m / | awk 'END { print $2 }'"))).toBeGreaterThan(15_000);
        await servers.act(server, { confirmResize: null });
        await servers.become(server, 'ACTIVE');
      },
      TEST_MS,
    );

    it(
      'is resized and taken back',
      async () => {
        await servers.act(server, { resize: { flavorRef: MEDIUM } });
        await servers.become(server, 'VERIFY_RESIZE');
        expect(await memoryMib()).toBeGreaterThan(3500);
        await servers.act(server, { revertResize: null });
        await servers.become(server, 'ACTIVE');
        expect(await memoryMib()).toBeLessThan(2100);
        expect(await inGuest('cat /root/kept')).toBe('kept\nmended');
      },
      TEST_MS,
    );

    it(
      'is shelved off its host and comes back with its disk',
      async () => {
        await inGuest('sync');
        await servers.act(server, { shelve: null });
        await servers.become(server, 'SHELVED_OFFLOADED');
        expect(await servers.runs(server)).toBe(false);
        await servers.act(server, { unshelve: null });
        await servers.become(server, 'ACTIVE');
        expect(await inGuest('cat /root/kept')).toBe('kept\nmended');
      },
      TEST_MS,
    );

    it(
      'gets a volume, services killed meanwhile',
      async () => {
        const made = await servers.session.ask<{ volume: { id: string } }>('POST', `${cinder()}/volumes`, {
          volume: { name: 'data', size: 1 },
        });
        const volume = async () =>
          (await servers.session.get<{ volume: { status: string } }>(`${cinder()}/volumes/${made.volume.id}`)).volume
            .status;
        await until('an available volume', async () => (await volume()) === 'available');
        const attachments = `${servers.compute}/servers/${server}/os-volume_attachments`;
        const asked = servers.session.send('POST', attachments, {
          body: { volumeAttachment: { volumeId: made.volume.id } },
        });
        await servers.cut('the attachment', async () => (await volume()) !== 'available');
        await asked.catch(() => undefined);
        await until('a volume in use', async () => (await volume()) === 'in-use');
        await until('the disk in the guest', async () => /vdb/.test(await inGuest('ls /dev')));
        await servers.session.ask('DELETE', `${attachments}/${made.volume.id}`);
        await until('an available volume', async () => (await volume()) === 'available');
        expect(await inGuest('ls /dev')).not.toMatch(/vdb/);
        await servers.session.ask('DELETE', `${cinder()}/volumes/${made.volume.id}`);
      },
      TEST_MS,
    );

    it(
      'is reached through a router, services killed while that is made, and leaves nothing',
      async () => {
        const list = async <T>(kind: string, query: string): Promise<T[]> =>
          (await servers.session.get<Record<string, T[]>>(`${neutron()}/${kind}?${query}`))[kind] ?? [];
        const external = (await list<{ id: string }>('networks', 'router:external=true'))[0]?.id ?? '';
        const [port] = await list<{ id: string }>('ports', `device_id=${server}`);
        const made = await servers.session.ask<{ router: { id: string } }>('POST', `${neutron()}/routers`, {
          router: { name: 'out', external_gateway_info: { network_id: external } },
        });
        const router = `${neutron()}/routers/${made.router.id}`;
        await servers.session.ask('PUT', `${router}/add_router_interface`, { subnet_id: servers.subnet });
        const floating = await servers.session.ask<{ floatingip: { id: string; floating_ip_address: string } }>(
          'POST',
          `${neutron()}/floatingips`,
          { floatingip: { floating_network_id: external, port_id: port?.id } },
        );
        await servers.cut('the router', () => Promise.resolve(true));
        const outside = floating.floatingip.floating_ip_address;
        await until(
          'an answer at the floating IP',
          async () => (await program('ping', ['-c', '1', '-W', '1', outside])).code === 0,
        );
        expect(await inGuest(`ping -c 1 -W 2 ${outside.replace(/\d+$/, '1')} >/dev/null && echo out`)).toBe('out');

        await servers.session.ask('DELETE', `${neutron()}/floatingips/${floating.floatingip.id}`);
        await servers.session.ask('PUT', `${router}/remove_router_interface`, { subnet_id: servers.subnet });
        await servers.session.ask('DELETE', router);
        await servers.session.ask('DELETE', `${servers.compute}/servers/${server}`);
        await until(
          'no server',
          async () => (await servers.session.send('GET', `${servers.compute}/servers/${server}`)).status === 404,
        );
        expect(await servers.runs(server)).toBe(false);
        expect(await list('ports', `device_id=${server}`)).toEqual([]);
        await until(
          'no namespace of the router',
          async () => !(await program('ip', ['netns', 'list'])).stdout.includes(made.router.id),
        );
        expect((await program('ip', ['link', 'show', 'dev', `tap${port?.id.slice(0, 11) ?? ''}`])).code).not.toBe(0);
        const left = await program('find', [path.join(cloud().state, 'hosts'), '-path', `*${server}*`]);
        expect(left.stdout).toBe('');
      },
      TEST_MS,
    );
  });
}
