import { expect, it } from '@jest/globals';
import type { Week } from './week';

/** What identity's commands can do beside the ordinary; in a domain of its own. */
export function identityOptionTests(week: Week): void {
  it('finds what is there already, keeps what must stay, and shows families and kinds of grants', async () => {
    const { admin } = week;
    await admin.run('domain create --enable --or-show kin');
    const id = await admin.field('domain create --or-show kin', 'id');
    expect(await admin.column('domain list --enabled --name kin', 'ID')).toEqual([id]);
    for (const [what, name] of [
      ['domain', 'stone'],
      ['role', 'rock'],
    ] as const) {
      await admin.run(`${what} create --immutable ${name}`);
      expect(await admin.refused(`${what} delete ${name}`)).toMatch(/403|immutable/i);
      await admin.run(`${what} set --no-immutable ${name}`);
      if (what === 'domain') await admin.run(`domain set --disable ${name}`);
      await admin.run(`${what} delete ${name}`);
    }
    const top = await admin.field('project create --domain kin --disable --property colour=red --or-show top', 'id');
    expect(await admin.json('project create --domain kin --or-show top')).toMatchObject({ id: top, enabled: false });
    await admin.run('project set --domain kin --enable --property colour=blue --tag a --tag b top');
    await admin.run('project set --domain kin --remove-tag a --description d top');
    const low = await admin.field('project create --domain kin --parent top low', 'id');
    expect(await admin.json(`project show --parents --children ${top}`)).toMatchObject({
      colour: 'blue',
      description: 'd',
      tags: ['b'],
      subtree: { [low]: null },
    });
    expect(await admin.column(`project list --parent ${top}`, 'Name')).toEqual(['low']);
    expect(await admin.column('project list --long --domain kin --sort name:desc', 'Name')).toEqual(['top', 'low']);
    expect(await admin.column('project list --domain kin --tags-any a,b', 'Name')).toEqual(['top']);
    expect(await admin.column('project list --domain kin --not-tags b', 'Name')).toEqual(['low']);
    expect(await admin.column('project list --domain kin --not-tags-any b,c', 'Name')).toEqual(['low']);
    await admin.run('project set --domain kin --clear-tags top');
    expect(await week.demo.column('project list --my-projects', 'Name')).toEqual(['demo']);

    await admin.run(
      'user create --domain kin --project top --project-domain kin --description d --disable --password s3cret --or-show ann',
    );
    const ann = await admin.field('user create --domain kin --password other --or-show ann', 'id');
    const on =
      '--ignore-lockout-failure-attempts --ignore-password-expiry --ignore-change-password-upon-first-use --enable-lock-password --enable-multi-factor-auth --multi-factor-auth-rule password,totp';
    await admin.run(
      `user set --domain kin --enable --email a@example.org --project low --project-domain kin ${on} ann`,
    );
    expect(await admin.json('user show --domain kin ann')).toMatchObject({
      id: ann,
      enabled: true,
      email: 'a@example.org',
      default_project_id: low,
      options: {
        lock_password: true,
        multi_factor_auth_rules: [['password', 'totp']],
        ignore_lockout_failure_attempts: true,
      },
    });
    await admin.run(
      'user set --domain kin --no-ignore-lockout-failure-attempts --no-ignore-password-expiry --no-ignore-change-password-upon-first-use --disable-lock-password --disable-multi-factor-auth ann',
    );
    expect(await admin.column('user list --long --domain kin', 'Email')).toEqual(['a@example.org']);

    await admin.run('role create --or-show --description r part');
    await admin.run('role create --or-show part');
    await admin.run('role create --domain kin local');
    await admin.run('role set --domain kin --description z local');
    expect(await admin.json('role show --domain kin local')).toMatchObject({ description: 'z', domain_id: id });
    expect(await admin.column('role list --domain kin', 'Name')).toEqual(['local']);
    await admin.run('role delete --domain kin local');
    await admin.run(`group create --domain kin --description g --or-show crew`);
    await admin.run(`group create --domain ${id} --or-show crew`);
    await admin.run('group set --domain kin --name team crew');
    expect(await admin.column('group list --domain kin --long', 'Description')).toEqual(['g']);
    await admin.run('group add user --group-domain kin --user-domain kin team ann');
    expect(await admin.column('group list --user ann --user-domain kin', 'Name')).toEqual(['team']);
    await admin.run('role add --group team --group-domain kin --project top --project-domain kin part');
    await admin.run('role add --user ann --user-domain kin --domain kin part');
    await admin.run('role add --user ann --user-domain kin --domain kin --inherited part');
    const grants = 'role assignment list --names';
    expect(await admin.column(`${grants} --group team --group-domain kin`, 'Project')).toEqual(['top@kin']);
    expect(await admin.column(`${grants} --project low --project-domain kin --effective`, 'User')).toEqual(['ann@kin']);
    expect(await admin.column(`${grants} --domain kin`, 'Role')).toEqual(['part', 'part']);
    expect(await admin.column(`${grants} --role part`, 'Role')).toHaveLength(3);
    expect(await admin.column(`${grants} --role part --inherited`, 'Domain')).toEqual(['kin']);
    await admin.run('role remove --user ann --user-domain kin --domain kin --inherited part');
    await admin.run('role remove --user ann --user-domain kin --domain kin part');
    await admin.run('role remove --group team --group-domain kin --project top --project-domain kin part');
    expect(await admin.column(`${grants} --role part`, 'Role')).toEqual([]);
    await admin.run('group delete --domain kin team');
    await admin.run('user delete --domain kin ann');
    await admin.run('project delete --domain kin low top');
    await admin.run('role delete part');
    await admin.run('domain set --disable kin');
    await admin.run('domain delete kin');
  });
}
