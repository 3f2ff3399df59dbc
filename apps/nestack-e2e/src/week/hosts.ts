import { expect, it } from '@jest/globals';
import type { Rows, Week } from './week';

/** Hosts, their groups and services; nobody's server runs on them. */
export function hostTests(week: Week): void {
  it('shows hosts and groups them', async () => {
    const { admin, newAdmin } = week;
    const [host = ''] = await admin.column('hypervisor list', 'Hypervisor Hostname');
    expect(await newAdmin.json(`hypervisor show ${host}`)).toMatchObject({ hypervisor_hostname: host, state: 'up' });
    expect(await admin.json('hypervisor stats show')).toMatchObject({
      count: expect.any(Number),
      running_vms: expect.any(Number),
    });
    expect(await admin.json<Rows>('hypervisor list --long')).toEqual([expect.objectContaining({ State: 'up' })]);
    expect(await admin.json<Rows>(`hypervisor list --matching ${host}`)).toHaveLength(1);
    await admin.run('aggregate create --zone z1 --property ssd=true agg');
    await admin.run('aggregate set --name agg1 --zone z2 --property hdd=true agg');
    await admin.run('aggregate unset --property hdd agg1');
    await admin.run('aggregate set --no-property --property ssd=true agg1');
    await admin.run(`aggregate add host agg1 ${host}`);
    expect(await admin.json('aggregate show agg1')).toMatchObject({
      availability_zone: 'z2',
      properties: { ssd: 'true' },
    });
    expect(await admin.column('aggregate list --long', 'Name')).toContain('agg1');
    expect(await admin.json<Rows>('compute service list --service nova-compute')).toEqual([
      expect.objectContaining({ Status: 'enabled', State: 'up' }),
    ]);
    expect(await admin.column('compute service list', 'Binary')).toEqual(
      expect.arrayContaining(['nova-scheduler', 'nova-conductor', 'nova-compute']),
    );
    await newAdmin.run(`compute service set --disable --disable-reason repair ${host} nova-compute`);
    expect(await newAdmin.json<Rows>('compute service list --service nova-compute --long')).toEqual([
      expect.objectContaining({ Status: 'disabled', 'Disabled Reason': 'repair' }),
    ]);
    await newAdmin.run(`compute service set --enable ${host} nova-compute`);
    await newAdmin.run(`compute service set --down ${host} nova-compute`);
    expect(await newAdmin.json<Rows>(`compute service list --host ${host} --service nova-compute`)).toEqual([
      expect.objectContaining({ State: 'down' }),
    ]);
    await newAdmin.run(`compute service set --up ${host} nova-compute`);
    expect((await newAdmin.json<Rows>('hypervisor list --limit 1')).length).toBe(1);
    await admin.run(`aggregate remove host agg1 ${host}`);
    await admin.run('aggregate delete agg1');
    expect(await newAdmin.refused('compute service delete 0a5e9c0e-7777-4888-8999-aaaabbbbcccc')).toMatch(
      /404|not found|failed/i,
    );
  });
}
