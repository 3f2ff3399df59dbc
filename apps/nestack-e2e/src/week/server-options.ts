import { expect, it } from '@jest/globals';
import type { Rows, Week } from './week';

/** Server groups, and options that an ordinary server seldom gets; expects image os, flavor small, networks lan and lan2. */
export function serverOptionTests(week: Week): void {
  it('keeps servers apart by a group, whose server has all the rarer options', async () => {
    const { demo, newDemo, admin, newAdmin } = week;
    await demo.run('server group create --policy affinity pair');
    await newDemo.run('server group create --policy anti-affinity --rule max_server_per_host=2 apart');
    expect(await newDemo.json('server group show apart')).toMatchObject({ name: 'apart', policy: 'anti-affinity' });
    expect(await newDemo.column('server group list --long', 'Name')).toEqual(expect.arrayContaining(['pair', 'apart']));
    expect(await newAdmin.column('server group list --all-projects', 'Name')).toContain('pair');
    const group = await newDemo.field('server group show apart', 'id');
    const data = week.cloud.file('more-data', '#!/bin/sh\nfalse\n');
    await newDemo.boot(
      `server create --image os --flavor small --network lan --hint group=${group} --no-config-drive --hostname box --password Secret99 --security-group web rare`,
    );
    const id = await demo.field('server show rare', 'id');
    expect(JSON.stringify(await newDemo.json('server group show apart'))).toContain(id);
    const lists = await Promise.all([
      newDemo.column('server list --name-lookup-one-by-one', 'Name'),
      newDemo.column('server list --changes-before 2099-01-01T00:00:00Z', 'Name'),
      // The newest looks again itself for names of fields that servers do not have.
      ...(week.label === 'newest'
        ? []
        : [
            // No filter of nova's, which says so from 2.75 on.
            admin.column('server list --all-projects --instance-name instance-', 'Name'),
          ]),
    ]);
    for (const names of lists) expect(names).toContain('rare');
    // What nova keeps where there is no drive matches neither word.
    if (week.label === 'distribution')
      expect(await newDemo.column('server list --no-config-drive', 'Name')).toEqual([]);
    await newDemo.run('server set --no-password --tag a --property q=r rare');
    if (week.label === 'newest') {
      await newDemo.run('server unset --all-properties --all-tags rare');
      expect(await newDemo.json('server show rare')).toMatchObject({ properties: {}, tags: [] });
    }
    await newDemo.run('server add network --tag t1 rare lan2');
    expect(await newDemo.json('server add fixed ip --tag t2 rare lan2')).toMatchObject({ Tag: 't2' });
    await demo.run('port create --network lan2 tagged');
    await newDemo.run('server add port --tag t3 rare tagged');
    await demo.run('volume create --size 1 short');
    await demo.becomes('volume show short', 'available');
    await newDemo.run('server add volume --device /dev/vdx --enable-delete-on-termination rare short');
    await demo.becomes('volume show short', 'in-use');
    expect(await newDemo.json<Rows>('server volume list rare')).toEqual([
      expect.objectContaining({ Tag: null, 'Delete On Termination?': true }),
    ]);
    await demo.run('server shelve --offload rare');
    await demo.becomes('server show rare', 'SHELVED_OFFLOADED');
    await newDemo.run('server unshelve --availability-zone nova rare');
    await demo.becomes('server show rare', 'ACTIVE');
    await newDemo.run(`server rebuild --image os --user-data ${data} --hostname other --password Secret98 rare`);
    await demo.becomes('server show rare', 'ACTIVE');
    expect(await newDemo.json('server show rare')).toMatchObject({ 'OS-EXT-SRV-ATTR:hostname': 'other' });
    await newDemo.run('server rebuild --image os --no-user-data --no-key-name rare');
    await demo.becomes('server show rare', 'ACTIVE');
    await demo.run('server rescue --password Secret97 rare');
    await demo.becomes('server show rare', 'RESCUE');
    await demo.run('server unrescue rare');
    await demo.becomes('server show rare', 'ACTIVE');
    await newAdmin.run('server stop --all-projects rare');
    await demo.becomes('server show rare', 'SHUTOFF');
    await newAdmin.run('server start --all-projects rare');
    await demo.becomes('server show rare', 'ACTIVE');
    // Nothing moves.
    expect(await newAdmin.refused(`server migration show ${id} 1`)).toMatch(/404|not found|No ServerMigration/i);
    expect(await newAdmin.json<Rows>(`server migration list --server ${id} --limit 1`)).toEqual([]);
    await demo.deleteServers('rare');
    await demo.run('port delete tagged');
    for (const port of await demo.column('port list --network lan2 --device-owner compute:nova', 'ID'))
      await demo.run(`port delete ${port}`);
    await demo.run('server group delete pair apart');
    expect(await demo.column('server group list', 'Name')).not.toContain('apart');
  });
}
