import { expect, it } from '@jest/globals';
import type { Week } from './week';

/** Definitions of what images' properties mean, where the client has commands for them. */
export function metadefTests(week: Week): void {
  it('keeps definitions of properties', async () => {
    if (!week.has('image metadef namespace create')) return;
    const { newAdmin: admin } = week;
    await admin.run('image metadef namespace create --display-name D --description d --public --protected defs');
    await admin.run('image metadef namespace set --display-name E --private --unprotected defs');
    expect(await admin.json('image metadef namespace show defs')).toMatchObject({
      display_name: 'E',
      visibility: 'private',
      protected: false,
    });
    expect(await admin.column('image metadef namespace list --visibility private', 'namespace')).toEqual(['defs']);
    await admin.run('image metadef namespace set --tag t1 defs');
    expect(await admin.json('image metadef namespace show defs')).toMatchObject({ tags: [{ name: 't1' }] });
    await admin.run('image metadef namespace unset --tag t1 defs');
    await admin.run('image metadef namespace unset --all-tags defs');
    await admin.run(
      `image metadef property create --name p1 --title P --type string --schema '{"description":"x"}' defs`,
    );
    expect(await admin.column('image metadef property list defs', 'name')).toEqual(['p1']);
    expect(await admin.json('image metadef property show defs p1')).toMatchObject({ title: 'P', description: 'x' });
    await admin.run(`image metadef property set --name p2 --title Q --type integer --schema '{}' defs p1`);
    await admin.run('image metadef property delete defs p2');
    await admin.run('image metadef object create --namespace defs o1');
    expect(await admin.column('image metadef object list defs', 'name')).toEqual(['o1']);
    await admin.run('image metadef object update --name o2 defs o1');
    expect(await admin.json('image metadef object show defs o2')).toMatchObject({ name: 'o2', namespace_name: 'defs' });
    expect(await admin.refused('image metadef object property show defs o2 none')).toMatch(/not found/);
    await admin.run('image metadef object delete defs o2');
    expect(await admin.column('image metadef resource type list', 'Name')).toContain('OS::Glance::Image');
    const association = 'image metadef resource type association';
    await admin.run(`${association} create --properties-target image defs OS::Glance::Image`);
    expect(await admin.column(`${association} list defs`, 'Name')).toEqual(['OS::Glance::Image']);
    await admin.run(`${association} delete defs OS::Glance::Image`);
    await admin.run('image metadef namespace delete defs');
    expect(await admin.column('image metadef namespace list', 'namespace')).not.toContain('defs');
  });
}
