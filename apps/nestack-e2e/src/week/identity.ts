import { describe, expect, it } from '@jest/globals';
import { identityOptionTests } from './identity-options';
import { lower, type Rows, type Week } from './week';

/** Users, projects, rights and the catalogue. */
export function identityWeek(week: Week): void {
  describe('identity', () => {
    it('logs in, reads the catalogue, gives its token back', async () => {
      const { demo } = week;
      const token = await demo.json('token issue');
      expect(token).toMatchObject({ id: expect.any(String), expires: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) });
      await demo.run(`token revoke ${String(token['id'])}`);
      expect(await demo.refused(`token revoke ${String(token['id'])}`)).toMatch(/401|404|not find|authorized/i);
      const types = await demo.column('catalog list', 'Type');
      expect(types).toEqual(
        expect.arrayContaining(['identity', 'image', 'compute', 'network', 'placement', 'volumev3']),
      );
      expect(await demo.json('catalog show compute')).toMatchObject({ name: 'nova', type: 'compute' });
      expect(await demo.json<Rows>('versions show')).toContainEqual(
        expect.objectContaining({ 'Service Type': 'identity', Version: expect.stringMatching(/^3\.\d+$/) }),
      );
      expect(await demo.json('configuration show')).toMatchObject({ 'auth.password': '<redacted>' });
      expect(Object.keys(await demo.json('module list'))).toContain('openstackclient');
      const [alias = ''] = await demo.column('extension list --network', 'Alias');
      expect(await demo.json(`extension show ${alias}`)).toMatchObject({ alias });
    });

    it('has domains, projects, users and groups', async () => {
      const { admin } = week;
      await admin.run('domain create --description lab d1');
      await admin.run('domain set --disable --description gone d1');
      expect(await admin.json('domain show d1')).toMatchObject({ name: 'd1', description: 'gone', enabled: false });
      expect(await admin.column('domain list', 'Name')).toEqual(expect.arrayContaining(['Default', 'd1']));
      await admin.run('domain delete d1');
      await admin.run('domain create d2');
      const parent = await admin.json('project create --domain d2 --description top --tag red parent');
      const child = await admin.json(`project create --domain d2 --parent ${String(parent['id'])} child`);
      expect(child).toMatchObject({ parent_id: parent['id'], enabled: true, is_domain: false });
      await admin.run('project set --domain d2 --name kid --tag blue child');
      expect(await admin.json('project show --domain d2 kid')).toMatchObject({ name: 'kid', tags: ['blue'] });
      expect(await admin.column('project list --domain d2 --tags blue', 'Name')).toEqual(['kid']);
      expect(await admin.column('project list', 'Name')).toEqual(expect.arrayContaining(['admin', 'demo', 'service']));
      expect(await admin.column('project list --user demo', 'Name')).toEqual(['demo']);
      await admin.run('user create --domain d2 --password first-secret --email u@example.org u1');
      await admin.run('user set --domain d2 --description tester --name u2 u1');
      expect(await admin.json('user show --domain d2 u2')).toMatchObject({ name: 'u2', description: 'tester' });
      await admin.run('group create --domain d2 g1');
      await admin.run('group add user --group-domain d2 --user-domain d2 g1 u2');
      expect(await admin.run('group contains user --group-domain d2 --user-domain d2 g1 u2')).toMatch(/in group/);
      // The newest takes the domain of a group by its id only.
      const domain = await admin.field('domain show d2', 'id');
      expect(await admin.column(`user list --domain ${domain} --group g1`, 'Name')).toEqual(['u2']);
      await admin.run('group set --domain d2 --description crew g1');
      expect(await admin.json('group show --domain d2 g1')).toMatchObject({ description: 'crew' });
      expect(await admin.column('group list --domain d2', 'Name')).toEqual(['g1']);
      await admin.run('group remove user --group-domain d2 --user-domain d2 g1 u2');
      await admin.run('group delete --domain d2 g1');
    });

    it('grants roles, which work at once', async () => {
      const { admin } = week;
      await admin.run('role create --description auditor audit');
      await admin.run('role set --name auditor audit');
      expect(await admin.json('role show auditor')).toMatchObject({ name: 'auditor' });
      await admin.run('implied role create auditor --implied-role reader');
      expect(await admin.json<Rows>('implied role list')).toContainEqual(
        expect.objectContaining({ 'Prior Role Name': 'auditor', 'Implied Role Name': 'reader' }),
      );
      const asUser = week.as({
        OS_CLOUD: '',
        OS_AUTH_URL: week.cloud.authUrl,
        OS_USERNAME: 'u2',
        OS_PASSWORD: 'first-secret',
        OS_PROJECT_NAME: 'parent',
        OS_USER_DOMAIN_NAME: 'd2',
        OS_PROJECT_DOMAIN_NAME: 'd2',
        OS_IDENTITY_API_VERSION: '3',
      });
      expect(await asUser.refused('token issue')).toMatch(/401|authenticat/i);
      await admin.run('role add --user u2 --user-domain d2 --project parent --project-domain d2 auditor');
      const grants = 'role assignment list --names --user u2 --user-domain d2';
      expect(await admin.json<Rows>(grants)).toEqual([
        expect.objectContaining({ Role: 'auditor', User: 'u2@d2', Project: 'parent@d2' }),
      ]);
      expect(await admin.column(`${grants} --effective`, 'Role')).toEqual(
        expect.arrayContaining(['auditor', 'reader']),
      );
      expect(await asUser.json<Rows>('server list')).toEqual([]);
      await asUser.run('user password set --original-password first-secret --password second-secret');
      expect(await asUser.refused('token issue')).toMatch(/401|authenticat/i);
      await admin.run('role remove --user u2 --user-domain d2 --project parent --project-domain d2 auditor');
      expect(await admin.json<Rows>(grants)).toEqual([]);
      await admin.run('role add --user u2 --user-domain d2 --system all reader');
      expect(
        await admin.column('role assignment list --system all --names --user u2 --user-domain d2', 'Role'),
      ).toEqual(['reader']);
      await admin.run('implied role delete auditor --implied-role reader');
      expect(await admin.column('role list', 'Name')).toEqual(expect.arrayContaining(['admin', 'member', 'reader']));
      await admin.run('role delete auditor');
    });

    it('keeps regions, services and endpoints', async () => {
      const { admin } = week;
      await admin.run('region create --description north r1');
      await admin.run('region set --description south r1');
      expect(await admin.json('region show r1')).toMatchObject({ region: 'r1', description: 'south' });
      expect(await admin.column('region list', 'Region')).toEqual(expect.arrayContaining(['RegionOne', 'r1']));
      await admin.run('service create --name tape --description tapes backup');
      await admin.run('service set --name tapes --disable tape');
      expect(await admin.json('service show tapes')).toMatchObject({ name: 'tapes', type: 'backup', enabled: false });
      expect(await admin.column('service list', 'Name')).toContain('tapes');
      const endpoint = await admin.json('endpoint create --region r1 tapes public http://tapes.example/v1');
      expect(endpoint).toMatchObject({ interface: 'public', region: 'r1', url: 'http://tapes.example/v1' });
      const id = String(endpoint['id']);
      await admin.run(`endpoint set --url http://tapes.example/v2 ${id}`);
      expect(await admin.json(`endpoint show ${id}`)).toMatchObject({ url: 'http://tapes.example/v2' });
      expect(await admin.column('endpoint list --service compute --interface public', 'Service Name')).toEqual([
        'nova',
      ]);
      await admin.run(`endpoint add project ${id} demo`);
      expect(await admin.column('endpoint list --project demo', 'ID')).toContain(id);
      await admin.run(`endpoint remove project ${id} demo`);
      await admin.run(`endpoint delete ${id}`);
      await admin.run('service delete tapes');
      await admin.run('region delete r1');
    });

    it('lets a consumer work with roles that a user gives it', async () => {
      const { admin } = week;
      const consumer = await admin.json('consumer create --description program');
      const key = String(consumer['id']);
      await admin.run(`consumer set --description tool ${key}`);
      expect(await admin.json(`consumer show ${key}`)).toMatchObject({ description: 'tool' });
      expect(await admin.column('consumer list', 'ID')).toContain(key);
      const signer = `--consumer-key ${key} --consumer-secret ${String(consumer['secret'])}`;
      const asked = await admin.json(`request token create ${signer} --project admin`);
      const { oauth_verifier: verifier } = await admin.json(
        `request token authorize --request-key ${String(asked['key'])} --role reader`,
      );
      const access = await admin.json(
        `access token create ${signer} --request-key ${String(asked['key'])} --request-secret ${String(asked['secret'])} --verifier ${String(verifier)}`,
      );
      const program = week.as({
        OS_CLOUD: '',
        OS_AUTH_TYPE: 'v3oauth1',
        OS_AUTH_URL: week.cloud.authUrl,
        OS_CONSUMER_KEY: key,
        OS_CONSUMER_SECRET: String(consumer['secret']),
        OS_ACCESS_KEY: String(access['key']),
        OS_ACCESS_SECRET: String(access['secret']),
        OS_IDENTITY_API_VERSION: '3',
      });
      expect(await program.column('flavor list', 'Name')).toContain('m1.tiny');
      expect(await program.refused('project create other')).toMatch(/403|authorized/i);
      await admin.run(`consumer delete ${key}`);
      expect(await program.refused('flavor list')).toMatch(/401|404|not found|authenticat/i);
    });

    it('keeps credentials, application credentials and trusts', async () => {
      const { admin, demo } = week;
      const blob = await admin.json('credential create --type cert --project demo demo text');
      const id = String(blob['id']);
      await admin.run(`credential set --user demo --type cert --data other --project demo ${id}`);
      expect(await admin.json(`credential show ${id}`)).toMatchObject({ blob: 'other', type: 'cert' });
      expect(await admin.column('credential list --type cert', 'ID')).toContain(id);
      await admin.run(`credential delete ${id}`);
      const keys = await demo.json('ec2 credentials create');
      expect(await demo.column('ec2 credentials list', 'Access')).toContain(keys['access']);
      expect(await demo.json(`ec2 credentials show ${String(keys['access'])}`)).toMatchObject({
        secret: keys['secret'],
      });
      await demo.run(`ec2 credentials delete ${String(keys['access'])}`);

      const made = lower(
        await demo.json('application credential create --role member --description ci --secret hush app'),
      );
      expect(made).toMatchObject({ name: 'app', secret: 'hush' });
      const machine = week.as({
        OS_CLOUD: '',
        OS_AUTH_TYPE: 'v3applicationcredential',
        OS_AUTH_URL: week.cloud.authUrl,
        OS_APPLICATION_CREDENTIAL_ID: String(made['id']),
        OS_APPLICATION_CREDENTIAL_SECRET: 'hush',
        OS_IDENTITY_API_VERSION: '3',
      });
      expect(await machine.json('token issue')).toMatchObject({ project_id: expect.any(String) });
      expect(await demo.column('application credential list', 'Name')).toContain('app');
      expect(lower(await demo.json('application credential show app'))).toMatchObject({
        description: 'ci',
        name: 'app',
      });
      await demo.run('application credential delete app');
      expect(await machine.refused('token issue')).toMatch(/401|404|authenticat|not find/i);
      await demo.run(
        `application credential create --access-rules '[{"service":"compute","method":"GET","path":"/v2.1/servers"}]' ruled`,
      );
      const [rule = ''] = await demo.column('access rule list', 'ID');
      // The two clients write the names of the columns differently.
      expect(Object.values(await demo.json(`access rule show ${rule}`))).toEqual(
        expect.arrayContaining(['GET', '/v2.1/servers']),
      );
      await demo.run('application credential delete ruled');
      await demo.run(`access rule delete ${rule}`);

      const ids = {
        project: await admin.field('project show demo', 'id'),
        user: await admin.field('user show demo', 'id'),
        admin: await admin.field('user show admin', 'id'),
        // By its id: a user may not look roles up by name.
        role: await admin.field('role show member', 'id'),
      };
      const trust = await demo.json(
        `trust create --project ${ids.project} --role ${ids.role} ${ids.user} ${ids.admin}`,
      );
      expect(trust['impersonation'] ?? trust['is_impersonation']).toBe(false);
      expect(await admin.column('trust list', 'ID')).toContain(trust['id']);
      expect(await demo.json(`trust show ${String(trust['id'])}`)).toMatchObject({ project_id: trust['project_id'] });
      await demo.run(`trust delete ${String(trust['id'])}`);
    });

    it('keeps policies and unified limits', async () => {
      const { admin } = week;
      const file = week.cloud.file('rules.json', '{"a": "b"}');
      const policy = String((await admin.json(`policy create --type application/json ${file}`))['id']);
      await admin.run(`policy set --type text/plain ${policy}`);
      expect(await admin.json(`policy show ${policy}`)).toMatchObject({ rules: '{"a": "b"}' });
      expect(await admin.column('policy list', 'ID')).toContain(policy);
      await admin.run(`policy delete ${policy}`);
      const registered = await admin.json('registered limit create --service glance --default-limit 10 image_count');
      const rid = String(registered['id']);
      await admin.run(`registered limit set --default-limit 20 ${rid}`);
      expect(await admin.json(`registered limit show ${rid}`)).toMatchObject({ default_limit: 20 });
      expect(await admin.column('registered limit list', 'ID')).toContain(rid);
      const limit = await admin.json('limit create --project demo --service glance --resource-limit 5 image_count');
      const lid = String(limit['id']);
      await admin.run(`limit set --resource-limit 6 ${lid}`);
      expect(await admin.json(`limit show ${lid}`)).toMatchObject({ resource_limit: 6, resource_name: 'image_count' });
      expect(await admin.column('limit list', 'ID')).toContain(lid);
      await admin.run(`limit delete ${lid}`);
      await admin.run(`registered limit delete ${rid}`);
    });

    it('groups endpoints', async () => {
      const { admin } = week;
      const filters = week.cloud.file('filters.json', '{"interface": "public"}');
      const group = String((await admin.json(`endpoint group create publics ${filters}`))['id']);
      await admin.run(`endpoint group set --name all-publics --filters ${filters} ${group}`);
      expect(await admin.json(`endpoint group show ${group}`)).toMatchObject({ name: 'all-publics' });
      await admin.run(`endpoint group add project ${group} demo`);
      expect(await admin.column('endpoint group list', 'Name')).toContain('all-publics');
      await admin.run(`endpoint group remove project ${group} demo`);
      await admin.run(`endpoint group delete ${group}`);
    });

    it('looks what a project holds', async () => {
      const { demo } = week;
      await demo.run('security group create doomed');
      if (week.has('project purge')) await week.admin.run('project purge --dry-run --keep-project --project demo');
      await demo.run('project cleanup --dry-run --auth-project');
      await demo.run('security group delete doomed');
    });

    identityOptionTests(week);

    it('removes a domain with all that is in it', async () => {
      const { admin } = week;
      await admin.run('user delete --domain d2 u2');
      await admin.run('project delete --domain d2 kid parent');
      expect(await admin.refused('domain delete d2')).toMatch(/403|disable/i);
      await admin.run('domain set --disable d2');
      await admin.run('domain delete d2');
      expect(await admin.column('domain list', 'Name')).not.toContain('d2');
    });
  });
}
