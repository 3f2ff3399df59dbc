import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { until } from '../cloud';
import { metadefTests } from './metadef';
import type { Rows, Week } from './week';

/** Images, up and down again. */
export function imageWeek(week: Week): void {
  describe('image', () => {
    it('uploads, shows, changes and downloads an image', async () => {
      const { demo } = week;
      const file = week.cloud.file('image.raw', Buffer.alloc(256 * 1024, 5));
      await demo.run(
        `image create --file ${file} --disk-format raw --container-format bare --min-disk 1 --min-ram 64 --property os_distro=lab --tag one img`,
      );
      expect(await demo.json('image show img')).toMatchObject({
        status: 'active',
        size: 256 * 1024,
        min_disk: 1,
        visibility: 'shared',
        tags: ['one'],
      });
      await demo.run('image set --name img2 --property hw_disk_bus=virtio --tag two --os-version 9 --private img');
      const changed = await demo.json('image show img2');
      expect(changed).toMatchObject({ visibility: 'private', properties: { hw_disk_bus: 'virtio', os_version: '9' } });
      expect([...(changed['tags'] as string[])].sort()).toEqual(['one', 'two']);
      await demo.run('image unset --tag one --property hw_disk_bus img2');
      expect(await demo.json('image show img2')).toMatchObject({ tags: ['two'] });
      const copy = path.join(week.cloud.state, 'copy.raw');
      await demo.run(`image save --file ${copy} img2`);
      expect(readFileSync(copy).equals(readFileSync(file))).toBe(true);
    });

    it('lists with every filter', async () => {
      const { demo, admin } = week;
      expect(await demo.column('image list --private', 'Name')).toEqual(['img2']);
      expect(await demo.column('image list --public', 'Name')).toEqual([]);
      expect(await demo.column('image list --shared', 'Name')).toEqual([]);
      expect(await demo.column('image list --community', 'Name')).toEqual([]);
      expect(await demo.column('image list --name img2 --status active', 'Name')).toEqual(['img2']);
      expect(await demo.column('image list --tag two', 'Name')).toEqual(['img2']);
      expect(await demo.column('image list --property os_distro=lab --sort name:asc --limit 1', 'Name')).toEqual([
        'img2',
      ]);
      expect(await demo.json<Rows>('image list --long --name img2')).toEqual([
        expect.objectContaining({ 'Disk Format': 'raw', Size: 256 * 1024, Visibility: 'private', Protected: false }),
      ]);
      expect(await admin.column('image list --all', 'Name')).toContain('img2');
    });

    it('shares, protects, hides and deactivates', async () => {
      const { demo, admin } = week;
      await demo.run('image set --shared img2');
      const friend = await admin.field('project show admin', 'id');
      await demo.run(`image add project img2 ${friend}`);
      expect(await demo.json<Rows>('image member list img2')).toEqual([expect.objectContaining({ Status: 'pending' })]);
      const id = await demo.field('image show img2', 'id');
      if (week.has('image member get'))
        expect(await demo.json(`image member get ${id} ${friend}`)).toMatchObject({
          status: 'pending',
        });
      await admin.run(`image set --accept ${id}`);
      expect(await demo.json<Rows>('image member list img2')).toEqual([
        expect.objectContaining({ Status: 'accepted' }),
      ]);
      expect(await admin.column('image list --shared', 'Name')).toContain('img2');
      await demo.run(`image remove project img2 ${friend}`);
      await demo.run('image set --protected img2');
      expect(await demo.refused('image delete img2')).toMatch(/403|protected/i);
      await demo.run('image set --unprotected img2');
      await demo.run('image set --community img2');
      await demo.run('image set --hidden img2');
      expect(await demo.column('image list --hidden --community', 'Name')).toEqual(['img2']);
      await demo.run('image set --unhidden --private img2');
      await admin.run(`image set --deactivate ${id}`);
      expect(await demo.field('image show img2', 'status')).toBe('deactivated');
      expect(await demo.refused(`image save --file ${path.join(week.cloud.state, 'no')} img2`)).toMatch(
        /403|deactivated|checksum mismatch|InvalidResponse/i,
      );
      await admin.run(`image set --activate ${id}`);
    });

    it('stages, imports and tells of tasks', async () => {
      const { demo, newAdmin } = week;
      if (!week.has('image import')) return;
      expect(await demo.run('image import info')).toContain('glance-direct');
      await demo.run('image create --disk-format raw --container-format bare staged');
      const file = week.cloud.file('staged.raw', Buffer.alloc(4096, 3));
      await demo.run(`image stage --file ${file} staged`);
      await demo.run('image import --method glance-direct staged');
      await until('an imported image', async () => (await demo.field('image show staged', 'status')) === 'active');
      const tasks = await newAdmin.json<Rows>('image task list');
      const [task] = tasks;
      if (task !== undefined)
        expect(await newAdmin.json(`image task show ${String(task['ID'])}`)).toMatchObject({
          type: expect.stringContaining('import'),
        });
      await demo.run('image delete staged');
    });

    metadefTests(week);

    it('deletes', async () => {
      const { demo } = week;
      await demo.run('image delete img2');
      expect(await demo.refused('image show img2')).toMatch(/no image found|could not find/i);
    });
  });
}
