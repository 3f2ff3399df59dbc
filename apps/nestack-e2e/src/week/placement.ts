import { describe, expect, it } from '@jest/globals';
import type { Rows, Week } from './week';

/** Inventories and claims, where the client has Placement's plugin. */
export function placementWeek(week: Week): void {
  describe('placement', () => {
    it('keeps classes, traits, providers, inventories and allocations', async () => {
      if (!week.has('resource provider list')) return;
      const { newAdmin: admin } = week;
      await admin.run('resource class create CUSTOM_FPGA');
      await admin.run('resource class set CUSTOM_GPU');
      expect(await admin.column('resource class list', 'name')).toEqual(
        expect.arrayContaining(['VCPU', 'CUSTOM_FPGA']),
      );
      expect(await admin.json('resource class show CUSTOM_FPGA')).toMatchObject({ name: 'CUSTOM_FPGA' });
      await admin.run('trait create CUSTOM_FAST');
      expect(await admin.column('trait list', 'name')).toContain('CUSTOM_FAST');
      expect(await admin.json('trait show CUSTOM_FAST')).toMatchObject({ name: 'CUSTOM_FAST' });
      const provider = await admin.json('resource provider create rp');
      const uuid = String(provider['uuid']);
      await admin.run(`resource provider set --name rp1 ${uuid}`);
      expect(await admin.json(`resource provider show ${uuid}`)).toMatchObject({ name: 'rp1', uuid });
      await admin.run(`resource provider inventory set --resource CUSTOM_FPGA=4 --resource VCPU=8 ${uuid}`);
      await admin.run(`resource provider inventory class set --total 6 ${uuid} CUSTOM_FPGA`);
      expect(await admin.json(`resource provider inventory show ${uuid} CUSTOM_FPGA`)).toMatchObject({ total: 6 });
      expect(await admin.json<Rows>(`resource provider inventory list ${uuid}`)).toHaveLength(2);
      await admin.run(`resource provider trait set --trait CUSTOM_FAST ${uuid}`);
      expect(await admin.column(`resource provider trait list ${uuid}`, 'name')).toEqual(['CUSTOM_FAST']);
      expect(
        await admin.json<Rows>('allocation candidate list --resource CUSTOM_FPGA=2 --required CUSTOM_FAST'),
      ).toEqual([expect.objectContaining({ 'resource provider': uuid })]);
      const aggregate = '0a5e9c0e-1111-4222-8333-444455556666';
      await admin.run(
        `resource provider aggregate set --aggregate ${aggregate} --generation ${await admin.field(`resource provider show ${uuid}`, 'generation')} ${uuid}`,
      );
      expect(await admin.column(`resource provider aggregate list ${uuid}`, 'uuid')).toEqual([aggregate]);
      expect(await admin.column('resource provider list --name rp1', 'uuid')).toEqual([uuid]);
      const consumer = '0a5e9c0e-7777-4888-8999-aaaabbbbcccc';
      const [project, user] = [await admin.field('project show demo', 'id'), await admin.field('user show demo', 'id')];
      await admin.run(
        `resource provider allocation set --allocation rp=${uuid},CUSTOM_FPGA=2,VCPU=1 --project-id ${project} --user-id ${user} --consumer-type TEST ${consumer}`,
      );
      expect(JSON.stringify(await admin.json(`resource provider allocation show ${consumer}`))).toContain(
        'CUSTOM_FPGA',
      );
      expect(await admin.json<Rows>(`resource provider usage show ${uuid}`)).toContainEqual({
        resource_class: 'CUSTOM_FPGA',
        usage: 2,
      });
      // From 1.38 on usages are told by the type of their consumers.
      expect(await admin.json<Rows>(`resource usage show ${project}`)).toContainEqual({
        resource_class: 'TEST',
        usage: expect.objectContaining({ CUSTOM_FPGA: 2, VCPU: 1, consumer_count: 1 }),
      });
      const before = week.as({ OS_CLOUD: 'nestack-admin', OS_PLACEMENT_API_VERSION: '1.37' });
      expect(await before.json<Rows>(`resource usage show ${project}`)).toContainEqual({
        resource_class: 'CUSTOM_FPGA',
        usage: 2,
      });
      await admin.run(`resource provider allocation unset --resource-class VCPU ${consumer}`);
      await admin.run(`resource provider allocation delete ${consumer}`);
      await admin.run(`resource provider trait delete ${uuid}`);
      await admin.run(`resource provider inventory delete --resource-class VCPU ${uuid}`);
      await admin.run(`resource provider delete ${uuid}`);
      await admin.run('trait delete CUSTOM_FAST');
      for (const name of ['CUSTOM_FPGA', 'CUSTOM_GPU']) await admin.run(`resource class delete ${name}`);
    });
  });
}
