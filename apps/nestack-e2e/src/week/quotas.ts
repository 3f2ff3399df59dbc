import { expect, it } from '@jest/globals';
import type { Rows, Week } from './week';

const COMPUTE =
  '--cores 30 --ram 60000 --key-pairs 50 --server-groups 11 --server-group-members 12 --properties 64 --injected-files 6 --injected-file-size 20000 --injected-path-size 200';
const VOLUME = '--backups 11 --backup-gigabytes 1100 --snapshots 13 --per-volume-gigabytes 500';
const NETWORK =
  '--floating-ips 51 --secgroups 14 --subnets 101 --ports 501 --routers 15 --rbac-policies 16 --subnetpools 17';

/** Quotas in every form, limits and use; expects three servers of project demo. */
export function quotaTests(week: Week): void {
  it('has limits, quotas and zones', async () => {
    const { demo, admin, newAdmin } = week;
    const used = Object.values(
      (await demo.json<Rows>('limits show --absolute')).find((row) =>
        // The newest writes the names of limits as its library does.
        ['totalInstancesUsed', 'instances_used', 'total_instances_used'].includes(String(row['Name'])),
      ) ?? {},
    );
    expect(used).toContain(3);
    expect(await demo.json<Rows>('limits show --rate')).toEqual([]);
    expect(await admin.json<Rows>('limits show --absolute --reserved --project demo')).not.toEqual([]);
    await admin.run('quota set --instances 11 --volumes 12 --networks 13 --secgroup-rules 120 demo');
    await admin.run(`quota set ${COMPUTE} ${VOLUME} ${NETWORK} demo`);
    await admin.run('quota set --volumes 12 --gigabytes 50 --volume-type __DEFAULT__ demo');
    const quota = JSON.stringify(await admin.json('quota show demo'));
    for (const value of ['11', '12', '13', '30', '60000', '501', '1100', '17']) expect(quota).toContain(value);
    // Less than what is used is refused without --force.
    if (week.label === 'newest')
      expect(await admin.refused('quota set --instances 0 demo')).toMatch(/400|less than|greater than/i);
    await admin.run('quota set --instances 1 --networks 1 --force demo');
    await admin.run(
      `quota set --instances 11 --networks 100 ${week.label === 'newest' ? '--no-force' : '--check-limit'} demo`,
    );
    expect(await admin.run('quota show --default')).toContain('instances');
    if (week.label === 'newest') {
      await admin.run('quota set --default --instances 10');
      for (const part of ['--compute', '--volume', '--network', '--usage'])
        expect(await admin.json<Rows>(`quota show ${part} demo`)).not.toEqual([]);
    } else {
      await admin.run('quota set --class --instances 10 default');
      expect(await admin.run('quota show --class default')).toContain('instances');
      for (const part of ['compute', 'volume', 'network'])
        expect(await admin.json<Rows>(`quota list --${part} --detail --project demo`)).not.toEqual([]);
    }
    for (const part of ['compute', 'volume', 'network'])
      expect(await admin.json<Rows>(`quota list --${part}`)).toEqual(expect.any(Array));
    if (week.has('quota delete')) {
      for (const part of ['--compute', '--volume', '--network', '']) await admin.run(`quota delete ${part} demo`);
      expect(await admin.json<Rows>('quota show --compute demo')).toContainEqual({ Resource: 'instances', Limit: 10 });
    } else {
      await admin.run('quota set --gigabytes -1 --volumes -1 --volume-type __DEFAULT__ demo');
      await admin.run('quota set --per-volume-gigabytes -1 demo');
    }
    expect(await demo.json<Rows>('availability zone list --compute')).toEqual([
      expect.objectContaining({ 'Zone Name': 'nova', 'Zone Status': 'available' }),
    ]);
    expect(await admin.column('availability zone list --long', 'Service Name')).toContain('nova-compute');
    expect(await newAdmin.column('extension list --compute', 'Alias')).toContain('os-consoles');
  });
}
