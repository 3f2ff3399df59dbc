import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { newContext, type Actor, type RequestContext } from '@nestack/kernel/context';
import { createPolicy, parseCheck, PolicySyntaxError } from './index';

function as(fields: Partial<Actor>): RequestContext {
  const domain = { id: 'default', name: 'Default' };
  return newContext({
    actor: {
      userId: 'u1',
      userName: 'demo',
      userDomain: domain,
      projectId: 'p1',
      projectName: 'demo',
      projectDomain: domain,
      domainId: null,
      systemScope: false,
      roles: ['member', 'reader'],
      ...fields,
    },
  });
}

function holds(check: string, ctx: RequestContext, target: Record<string, unknown> = {}): boolean {
  return createPolicy([{ name: 'x', check }]).allows(ctx, 'x', target);
}

describe('the policy language', () => {
  const member = as({});

  it.each([
    ['', true],
    ['@', true],
    ['!', false],
    ['role:member', true],
    ['role:MEMBER', true],
    ['role:admin', false],
    ['not role:admin', true],
    ['not not role:member', true],
    ['role:admin or role:member and role:reader', true],
    ['role:member or role:admin and role:admin', true],
    ['(role:member or role:admin) and role:admin', false],
    ['not role:admin and role:member', true],
    ['not (role:admin or role:member)', false],
    ['NOT role:admin AND (role:reader)', true],
    ['((role:member))', true],
    ['rule:nowhere', false],
    ['is_admin:True', false],
    ['is_admin:False', true],
    ['is_admin_project:True', true],
    ['system_scope:all', false],
    ['user_id:u1', true],
    ['unknown_attribute:x', false],
    ['tenant:p1', true],
  ])('%s is %s for a member', (check, expected) => {
    expect(holds(check, member)).toBe(expected);
  });

  it('compares with attributes of the target, and a missing one never matches', () => {
    expect(holds('project_id:%(project_id)s', member, { project_id: 'p1' })).toBe(true);
    expect(holds('project_id:%(project_id)s', member, { project_id: 'p2' })).toBe(false);
    expect(holds('project_id:%(project_id)s', member, {})).toBe(false);
    expect(holds('project_id:%(target.project.id)s', member, { target: { project: { id: 'p1' } } })).toBe(true);
    expect(holds('user_id:%(target.user.id)s', member, { 'target.user.id': 'u1' })).toBe(true);
    expect(holds('(role:member and project_id:%(project_id)s)', member, { project_id: 'p1' })).toBe(true);
  });

  it('compares literals with the target', () => {
    expect(holds("'public':%(visibility)s", member, { visibility: 'public' })).toBe(true);
    expect(holds("'a:b':%(x)s", member, { x: 'a:b' })).toBe(true);
    expect(holds('True:%(shared)s', member, { shared: true })).toBe(true);
    expect(holds('True:%(shared)s', member, { shared: false })).toBe(false);
    expect(holds('None:%(domain_id)s', member, { domain_id: null })).toBe(true);
    expect(holds('None:%(domain_id)s', member, {})).toBe(false);
  });

  it('does not let a token without a project match a target without one', () => {
    const unscoped = as({ projectId: null, projectName: null, projectDomain: null });
    expect(holds('project_id:%(project_id)s', unscoped, { project_id: 'p1' })).toBe(false);
    expect(holds('system_scope:all', as({ systemScope: true }))).toBe(true);
  });

  it.each(['role:a and', '(role:a', 'role:a)', 'role:a role:b', 'nonsense', 'and role:a', 'not', '()'])(
    'refuses %s',
    (text) => {
      expect(() => parseCheck(text)).toThrow(PolicySyntaxError);
    },
  );

  it('refuses rules that go in a circle when they are loaded', () => {
    const rules = [
      { name: 'a', check: 'rule:b' },
      { name: 'b', check: 'not rule:a' },
    ];
    expect(() => createPolicy(rules)).toThrow('a -> b -> a');
  });

  it('has the personas, and denies what has no rule', () => {
    const policy = createPolicy([{ name: 'read', check: 'rule:project_reader_or_admin' }]);
    expect(policy.allows(member, 'read', { project_id: 'p1' })).toBe(true);
    expect(policy.allows(member, 'read', { project_id: 'p2' })).toBe(false);
    expect(policy.allows(as({ roles: ['admin'], projectId: 'p9' }), 'read', { project_id: 'p2' })).toBe(true);
    expect(policy.allows(as({ roles: ['admin'] }), 'no:such:rule')).toBe(false);
    expect(() => policy.enforce(member, 'read', {})).toThrow("Policy doesn't allow read to be performed.");
    expect(policy.allows(newContext(), 'read', { project_id: 'p1' })).toBe(false);
  });

  it('takes single rules from a file', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.yaml');
    writeFileSync(file, '# ours\nread: "role:auditor"\ncontext_is_admin: "role:boss"\n');
    const policy = createPolicy(
      [
        { name: 'read', check: '@' },
        { name: 'write', check: 'rule:context_is_admin' },
      ],
      { file },
    );
    expect(policy.allows(member, 'read')).toBe(false);
    expect(policy.allows(as({ roles: ['auditor'] }), 'read')).toBe(true);
    expect(policy.allows(as({ roles: ['Boss'] }), 'write')).toBe(true);
  });

  it('takes JSON and an empty file, and refuses what is no file of rules, naming file and rule', () => {
    const write = (name: string, text: string): string => {
      const file = join(mkdtempSync(join(tmpdir(), 'policy-')), name);
      writeFileSync(file, text);
      return file;
    };
    const rules = [{ name: 'read', check: '@' }];
    expect(createPolicy(rules, { file: write('p.json', '{"read": "!"}') }).allows(member, 'read')).toBe(false);
    expect(createPolicy(rules, { file: write('p.yaml', '# nothing yet\n') }).allows(member, 'read')).toBe(true);
    expect(() => createPolicy(rules, { file: write('p.yaml', '- read\n') })).toThrow(/p\.yaml: not a mapping/);
    expect(() => createPolicy(rules, { file: write('p.yaml', 'read: [["role:a"]]\n') })).toThrow(
      /the rule read is not/,
    );
    expect(() => createPolicy(rules, { file: write('p.yaml', 'read: "role:a and"\n') })).toThrow(/policy rule read: /);
    expect(() => createPolicy(rules, { file: '/nowhere/p.yaml' })).toThrow(/ENOENT/);
  });

  it('tells of overridden rules that nothing asks for', () => {
    const warned: (readonly string[])[] = [];
    createPolicy([{ name: 'read', check: 'rule:helper' }], {
      overrides: { read: 'role:x or rule:helper', helper: 'role:y', raed: '@', default: '!' },
      warn: (names) => warned.push(names),
    });
    expect(warned).toEqual([['raed']]);
  });
});
