import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { program, until } from '../../cloud';
import { BOOT_MS, membersOf, short, type RealLab } from './real-lab';

/** The first guests; all further scenarios are about them. */
export function bootScenarios(real: () => RealLab): void {
  describe('guests', () => {
    it('S-1.3.2.2 three boot side by side, and libvirt has them', async () => {
      // They boot while the second host joins.
      await real().addSecond();
      for (const name of ['vm1', 'vm2', 'vm3']) await real().booted(name);
      expect((await real().virsh('list', '--uuid')).trim().split('\n').sort()).toEqual([...real().ids].sort());
    });
  });
}

/** Guests as libvirt, QEMU and the files on their host show them: chapters 1 and 7. */
export function guestScenarios(real: () => RealLab): void {
  describe('guests on their host', () => {
    const folder = (...parts: string[]): string => real().file(real().controller, ...parts);
    const pidsOf = async (name: string): Promise<string[]> =>
      (await program('pgrep', ['-f', `uuid ${real().guest(name).id}`])).stdout.trim().split('\n');

    it('S-1.3.2.1 the machine is asked for hardware support and packages', async () => {
      const { code, stdout } = await real().lab.cloud.nestack('doctor');
      expect(code).toBe(0);
      expect(stdout).toMatch(/^[✓!] KVM +\S/m);
      expect(stdout).toContain('All programs are installed.');
    });

    it('S-1.3.1 libvirt manages, QEMU is the machine, KVM or TCG runs its processors', async () => {
      const version = await real().virsh('version');
      expect(version).toMatch(/Using library: libvirt [\d.]+\nUsing API: QEMU [\d.]+\nRunning hypervisor: QEMU [\d.]+/);
      const [, kind] = /<domain type='(kvm|qemu)'/.exec(await real().virsh('dumpxml', real().guest('vm1').id)) ?? [];
      const [pid = ''] = await pidsOf('vm1');
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      expect(words[words.indexOf('-accel') + 1]).toMatch(kind === 'kvm' ? /^kvm/ : /^tcg/);
      const doctor = (await real().lab.cloud.nestack('doctor')).stdout;
      if (kind === 'kvm') expect(doctor).toMatch(/✓ KVM/);
    });

    it('S-1.4.1.1 a guest is one process, each virtual CPU one thread', async () => {
      const pids = await pidsOf('vm1');
      expect(pids).toHaveLength(1);
      const tasks = `/proc/${pids[0] ?? ''}/task`;
      const threads = readdirSync(tasks).map((task) => readFileSync(`${tasks}/${task}/comm`, 'utf8').trim());
      expect(threads.filter((name) => name.startsWith('CPU ')).sort()).toEqual([
        expect.stringMatching(/^CPU 0\//),
        expect.stringMatching(/^CPU 1\//),
      ]);
      const placed = await real().virsh('vcpuinfo', real().guest('vm1').id);
      expect(placed.match(/^State: +running$/gm)).toHaveLength(2);
      expect((await real().said('vm1', 'grep -c ^processor /proc/cpuinfo')).trim()).toBe('2');
    });

    it('S-1.4.3.2, S-7.2.3.6 its disk is a thin layer over the image, as large as the flavor says to the guest', async () => {
      const { id } = real().guest('vm1');
      expect(readdirSync(folder('nova/instances', id))).toEqual(expect.arrayContaining(['disk', 'console.log']));
      const image = await real().lab.demo.field('image show cirros', 'id');
      const disk = folder('nova/instances', id, 'disk');
      const { stdout } = await program('qemu-img', ['info', '--force-share', '--output', 'json', disk]);
      const info = JSON.parse(stdout) as Record<string, unknown>;
      expect(info).toMatchObject({
        format: 'qcow2',
        'virtual-size': 1024 ** 3,
        'full-backing-filename': folder('nova/instances/_base', image),
      });
      expect(Number(info['actual-size'])).toBeLessThan(1024 ** 3 / 4);
      expect((await real().said('vm1', 'cat /sys/block/vda/size')).trim()).toBe(String(1024 ** 3 / 512));
    });

    it('S-7.2.3.5 the image was fetched once for all of them', async () => {
      const image = await real().lab.demo.field('image show cirros', 'id');
      expect(readdirSync(folder('nova/instances/_base'))).toEqual([image]);
      const sent = (await real().lab.logs()).map(
        (line) => line['trace'] as { from?: string; name?: string } | undefined,
      );
      const fetched = sent.filter((one) => one?.from === 'nova-compute' && one.name === `GET /images/${image}/file`);
      expect(fetched).toHaveLength(1);
    });

    it('S-7.2.3.7, S-9.4.4.4 its definition has CPUs, memory, disk and interface, a tap in the bridge', async () => {
      const { id, mac, port } = real().guest('vm1');
      const xml = await real().virsh('dumpxml', id);
      const name = await real().lab.admin.field(`server show ${id}`, 'OS-EXT-SRV-ATTR:instance_name');
      expect(xml).toContain(`<name>${name}</name>`);
      expect(xml).toMatch(/<vcpu[^>]*>2<\/vcpu>/);
      expect(xml).toMatch(/<memory unit='KiB'>262144<\/memory>/);
      expect(xml).toContain(folder('nova/instances', id, 'disk'));
      const tap = `tap${short(port)}`;
      expect(await real().virsh('domiflist', id)).toMatch(new RegExp(`^ ${tap} .* virtio +${mac}$`, 'm'));
      expect(await membersOf(null, real().bridge('lan1'))).toContain(tap);
    });

    it("S-9.4.6.4 its lease is its port's address", async () => {
      const { address, mac } = real().guest('vm1');
      expect(readFileSync(folder('neutron/dhcp', real().net('lan1'), 'leases'), 'utf8')).toContain(`${mac} ${address}`);
      const said = await real().lab.demo.run('console log show vm1');
      expect(said).toContain(`eth0 has ${address}/24 mtu 1450`);
    });

    it('S-X.169 it asks for its metadata', async () => {
      const text = await real().said(
        'vm1',
        'timeout 10 wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json',
      );
      expect(JSON.parse(text)).toMatchObject({ uuid: real().guest('vm1').id, name: 'vm1' });
    });

    it('S-8.2.6.8 it sees a volume come, formats it, writes to it, and sees it go', async () => {
      const { demo } = real().lab;
      await demo.run('volume create --size 1 vol-1');
      await demo.becomes('volume show vol-1', 'available');
      await demo.run('server add volume vm1 vol-1');
      await demo.becomes('volume show vol-1', 'in-use');
      await until('the disk', async () => /\[vdb\]/.test(await demo.run('console log show vm1')));
      expect((await real().said('vm1', 'cat /sys/block/vdb/size')).trim()).toBe(String(1024 ** 3 / 512));
      const write =
        'sudo mke2fs /dev/vdb >/dev/null && sudo mount /dev/vdb /mnt && echo kept | sudo tee /mnt/file && sudo umount /mnt';
      expect(await real().said('vm1', write)).toBe('kept\n');
      await demo.run('server remove volume vm1 vol-1');
      await demo.becomes('volume show vol-1', 'available');
      expect(await real().said('vm1', 'ls /sys/block')).not.toContain('vdb');
      await demo.run('server add volume vm2 vol-1');
      await until('the disk in the other', () => real().does('vm2', 'ls /dev/vdb'));
      expect(await real().said('vm2', 'sudo mount /dev/vdb /mnt && cat /mnt/file && sudo umount /mnt')).toBe('kept\n');
      await demo.run('server remove volume vm2 vol-1');
      await demo.becomes('volume show vol-1', 'available');
      await demo.run('volume delete vol-1');
    });
  });
}

/** A server whose root is a volume. */
export function volumeScenarios(real: () => RealLab): void {
  describe('a server on a volume', () => {
    it('is rescued with its volume at hand, and made anew from an image', async () => {
      const { demo, newDemo } = real().lab;
      const file = path.join(real().lab.cloud.state, 'images/guest.qcow2');
      const properties = '--property hw_rescue_device=disk --property hw_rescue_bus=virtio';
      await demo.run(`image create --file ${file} --disk-format qcow2 --container-format bare ${properties} other`);
      await real().said('vm3', 'echo mine > /root/mark; sync');
      await newDemo.run('server rescue --image other vm3');
      await demo.becomes('server show vm3', 'RESCUE');
      expect(await real().said('vm3', 'mount /dev/vda2 /mnt && cat /mnt/root/mark; ls /dev/vdb2; umount /mnt')).toBe(
        'mine\n/dev/vdb2\n',
      );
      await demo.run('server unrescue vm3');
      await demo.becomes('server show vm3', 'ACTIVE');
      // A guest that still boots does not hear that it is to shut down.
      expect(await real().said('vm3', 'cat /root/mark')).toBe('mine\n');

      const session = await real().lab.cloud.session();
      const image = await demo.field('image show other', 'id');
      const { id } = real().guest('vm3');
      const { status } = await session.send('POST', `${session.endpoint('compute')}/servers/${id}/action`, {
        body: { rebuild: { imageRef: image } },
        headers: { 'openstack-api-version': 'compute 2.93' },
      });
      expect(status).toBe(202);
      const rebuilt = async (): Promise<boolean> => {
        const [last] = await demo.json<{ Action: string }[]>('server event list vm3');
        return last?.Action === 'rebuild' && (await demo.field('server show vm3', 'status')) === 'ACTIVE';
      };
      await until('the end of the rebuild', rebuilt, BOOT_MS);
      expect(await real().said('vm3', 'ls /root; ls /dev/vd*')).toBe('/dev/vda\n/dev/vda1\n/dev/vda2\n');
      const { volume_image_metadata: made } = await demo.json<{ volume_image_metadata: object }>('volume show root');
      expect(made).toMatchObject({ image_name: 'other' });
    });
  });
}
