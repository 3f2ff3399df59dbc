import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Agent } from 'undici';
import { RemoteAuthenticator, ServiceSession, type RevocationEvent } from '@nestack/kernel/auth';
import { silentLogger } from '@nestack/kernel/log';
import { acquireBroker, createFanoutBus, releaseBroker } from '@nestack/kernel/rpc';
import { testBrokerUrl } from '@nestack/kernel/testing';
import { TestKeystone } from './testing';

/** The promise: whatever ends a token is known to all services after this long. Milliseconds. */
const WITHIN = 1000;

let keystone: TestKeystone;
/** Another service's token filter, as every service has it: it keeps what keystone said. */
let elsewhere: RemoteAuthenticator;
const connections = new Agent({ connections: 4 });

beforeAll(async () => {
  keystone = await TestKeystone.start();
  const project = await keystone.make('projects', 'project', { name: 'service' });
  const user = await keystone.make('users', 'user', { name: 'glance', password: 'glance' });
  await keystone.call('PUT', `/projects/${project}/users/${user}/roles/${await keystone.role('service')}`);
  elsewhere = new RemoteAuthenticator({
    session: new ServiceSession(
      { keystone_url: keystone.url, username: 'glance', password: 'glance' },
      'glance',
      connections,
    ),
    dispatcher: connections,
    publicKeysDirectory: String(keystone.config['jws_public_keys']),
    log: silentLogger,
  });
  const broker = acquireBroker(testBrokerUrl(), silentLogger);
  await broker.connect();
  await createFanoutBus(broker, silentLogger).subscribe('keystone.revocations', (message) =>
    elsewhere.revoke(message as RevocationEvent),
  );
  elsewhere.feed(true);
}, 30_000);
afterAll(async () => {
  await releaseBroker(testBrokerUrl());
  await keystone.close();
  await connections.close();
}, 30_000);

const rolesElsewhere = async (token: string): Promise<readonly string[] | null> => {
  try {
    return (await elsewhere.authenticate(token, null)).actor.roles;
  } catch {
    return null;
  } finally {
    // What is cached is answered at once: messages need their turn, too.
    await turn();
  }
};

/** Does something to a token that works everywhere, and waits until it works nowhere. */
async function ends(token: string, act: () => Promise<{ readonly status: number }>): Promise<void> {
  expect(await rolesElsewhere(token)).not.toBeNull();
  const { status } = await act();
  expect([200, 204]).toContain(status);
  const began = Date.now();
  expect(await keystone.alive(token)).toBe(401);
  while ((await rolesElsewhere(token)) !== null) {
    if (Date.now() - began > WITHIN) throw new Error('the token still works at the other service');
  }
}

describe('a token ends everywhere within a second when', () => {
  it('it is revoked; others of its user go on', async () => {
    const { token, project } = await keystone.someone('leaver');
    const other = await keystone.login('leaver', 'leaver-password', { project: { id: project } });
    await ends(token, () => keystone.call('DELETE', '/auth/tokens', { token, headers: { 'x-subject-token': token } }));
    expect(await rolesElsewhere(other)).toContain('member');
  });

  it('its user is disabled, and stays dead when he is enabled again', async () => {
    const { token, user } = await keystone.someone('suspended');
    const set = (enabled: boolean) => keystone.call('PATCH', `/users/${user}`, { body: { user: { enabled } } });
    await ends(token, () => set(false));
    await set(true);
    expect(await keystone.alive(token)).toBe(401);
    expect(await rolesElsewhere(token)).toBeNull();
    expect(await keystone.login('suspended', 'suspended-password')).not.toBe('');
  });

  it('its user is deleted', async () => {
    const { token, user } = await keystone.someone('gone');
    await ends(token, () => keystone.call('DELETE', `/users/${user}`));
  });

  it('its user changes the password, or an administrator does', async () => {
    const { token, user, project } = await keystone.someone('careful');
    const body = { user: { original_password: 'careful-password', password: 'second' } };
    await ends(token, () => keystone.call('POST', `/users/${user}/password`, { token: null, body }));
    const next = await keystone.login('careful', 'second', { project: { id: project } });
    await ends(next, () => keystone.call('PATCH', `/users/${user}`, { body: { user: { password: 'third' } } }));
    await expect(keystone.login('careful', 'second')).rejects.toThrow('401');
  });

  it('its project is disabled or deleted', async () => {
    const first = await keystone.someone('closed');
    await ends(first.token, () =>
      keystone.call('PATCH', `/projects/${first.project}`, { body: { project: { enabled: false } } }),
    );
    const second = await keystone.someone('removed');
    await ends(second.token, () => keystone.call('DELETE', `/projects/${second.project}`));
  });

  it('the domain of its project or user is disabled', async () => {
    const domain = await keystone.make('domains', 'domain', { name: 'branch' });
    const project = await keystone.make('projects', 'project', { name: 'p', domain_id: domain });
    const user = await keystone.make('users', 'user', { name: 'u', password: 'x', domain_id: domain });
    await keystone.call('PUT', `/projects/${project}/users/${user}/roles/${await keystone.role('member')}`);
    const token = await keystone.login('u', 'x', { project: { id: project } }, { id: domain });
    await ends(token, () => keystone.call('PATCH', `/domains/${domain}`, { body: { domain: { enabled: false } } }));
  });

  it('the last of its roles is taken away, directly or with a group', async () => {
    const { token, user, project } = await keystone.someone('demoted');
    const role = await keystone.role('member');
    await ends(token, () => keystone.call('DELETE', `/projects/${project}/users/${user}/roles/${role}`));
    const group = await keystone.make('groups', 'group', { name: 'workers' });
    await keystone.call('PUT', `/projects/${project}/groups/${group}/roles/${role}`);
    await keystone.call('PUT', `/groups/${group}/users/${user}`);
    const through = await keystone.login('demoted', 'demoted-password', { project: { id: project } });
    await ends(through, () => keystone.call('DELETE', `/groups/${group}/users/${user}`));
  });

  it('its application credential is deleted', async () => {
    const { user, token } = await keystone.someone('automated');
    const path = `/users/${user}/application_credentials`;
    const made = await keystone.call('POST', path, { token, body: { application_credential: { name: 'a' } } });
    const { id, secret } = made.json['application_credential'] as unknown as { id: string; secret: string };
    const robot = await keystone.issue({
      identity: { methods: ['application_credential'], application_credential: { id, secret } },
    });
    await ends(robot, () => keystone.call('DELETE', `${path}/${id}`, { token }));
  });
});

describe('a token changes everywhere within a second when', () => {
  it('a role is added, taken away, or implied by another', async () => {
    const { token, user, project } = await keystone.someone('promoted', 'reader');
    expect(await rolesElsewhere(token)).toEqual(['reader']);
    const until = async (wanted: readonly string[]): Promise<void> => {
      const began = Date.now();
      for (;;) {
        const roles = await rolesElsewhere(token);
        if (JSON.stringify(roles) === JSON.stringify(wanted)) return;
        if (Date.now() - began > WITHIN) throw new Error(`still ${JSON.stringify(roles)}`);
      }
    };
    const member = `/projects/${project}/users/${user}/roles/${await keystone.role('member')}`;
    await keystone.call('PUT', member);
    await until(['member', 'reader']);
    await keystone.call('DELETE', member);
    await until(['reader']);
    const extra = await keystone.make('roles', 'role', { name: 'extra' });
    await keystone.call('PUT', `/roles/${await keystone.role('reader')}/implies/${extra}`);
    await until(['reader', 'extra']);
    await keystone.call('DELETE', `/roles/${extra}`);
    await until(['reader']);
  });
});

describe('with Fernet tokens', () => {
  it('all of this holds as well', async () => {
    await keystone.restart({ token_provider: 'fernet' });
    const { token, user, project } = await keystone.someone('short', 'reader');
    expect(token).toMatch(/^gAAAA/);
    expect(token.length).toBeLessThan(255);
    expect(await rolesElsewhere(token)).toEqual(['reader']);
    await ends(token, () => keystone.call('DELETE', '/auth/tokens', { token, headers: { 'x-subject-token': token } }));
    const next = await keystone.login('short', 'short-password', { project: { id: project } });
    await ends(next, () => keystone.call('PATCH', `/users/${user}`, { body: { user: { password: 'other' } } }));
    expect(await rolesElsewhere(`${next.slice(0, -1)}A`)).toBeNull();
    // Right after the change, in the same second: newer than it.
    expect(await keystone.alive(await keystone.login('short', 'other', { project: { id: project } }))).toBe(200);
    await keystone.restart();
  });
});

describe('a restart', () => {
  it('keeps tokens and revocations, and changes the password of the administrator where the settings do', async () => {
    const kept = await keystone.someone('patient');
    const revoked = await keystone.login('patient', 'patient-password', { project: { id: kept.project } });
    await keystone.call('DELETE', '/auth/tokens', { headers: { 'x-subject-token': revoked } });
    await keystone.restart({ bootstrap: { password: 'another one' } });
    expect(await keystone.alive(kept.token)).toBe(200);
    expect(await keystone.alive(revoked)).toBe(401);
    expect(await keystone.login('admin', 'another one')).not.toBe('');
  });
});
