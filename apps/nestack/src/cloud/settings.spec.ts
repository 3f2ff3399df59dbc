import { describe, expect, it } from '@jest/globals';
import { cloudsYamlOf, openrcOf } from '../bootstrap/credentials';
import { controllerRole, computeRole, roleNames, rolesOf, urlsAt, type ConfigSources } from './config-files';
import { databaseUrlOf } from './databases';
import { layoutOf } from './layout';
import { mergeSettings, portsOf, SECRET_NAMES, type CloudDefaults, type CloudSettings } from './settings';
import { underlayOf } from './underlay';

const DEFAULTS: CloudDefaults = { virt: 'libvirt', net: 'linuxbridge', volume: 'nbd', host: 'one' };

describe('settings of a cloud', () => {
  it('are made once, with a secret of its own for each that needs one', () => {
    const settings = mergeSettings(null, {}, DEFAULTS);
    expect(Object.keys(settings.secrets).sort()).toEqual([...SECRET_NAMES].sort());
    expect(new Set(Object.values(settings.secrets)).size).toBe(SECRET_NAMES.length);
    expect(mergeSettings(settings, {}, { ...DEFAULTS, host: 'renamed' })).toEqual(settings);
  });

  it('refuse what would break an existing cloud, and say how else', () => {
    const settings = mergeSettings(null, { portOffset: 100 }, DEFAULTS);
    expect(() => mergeSettings(settings, { portOffset: 200 }, DEFAULTS)).toThrow(
      'This cloud was made with --port-offset 100; it cannot become 200.',
    );
    expect(() => mergeSettings(settings, { virt: 'fake' }, DEFAULTS)).toThrow('--virt libvirt');
    expect(mergeSettings(settings, { portOffset: 100 }, DEFAULTS)).toEqual(settings);
  });

  it('open no ports for servers that are not ours', () => {
    const ours = portsOf(mergeSettings(null, { portOffset: 7 }, DEFAULTS)).map(([name]) => name);
    expect(ours).toContain('postgres');
    const urls = { databaseUrl: 'postgres://a@b/c', brokerUrl: 'amqp://d' };
    const theirs = portsOf(mergeSettings(null, urls, DEFAULTS)).map(([name]) => name);
    expect(theirs).toEqual([
      'keystone',
      'glance',
      'placement',
      'nova',
      'metadata',
      'novnc',
      'console',
      'cinder',
      'neutron',
    ]);
  });
});

describe('settings of apps', () => {
  const layout = layoutOf('/somewhere/state');
  const settings = { ...mergeSettings(null, { portOffset: 10_000 }, DEFAULTS), hosts: ['one', 'two'] };
  const sources: ConfigSources = {
    layout,
    settings,
    underlay: underlayOf(layout, settings),
    databaseUrl: 'postgres://postgres:secret@127.0.0.1:35432/postgres',
    brokerUrl: 'amqp://nestack:secret@127.0.0.1:35672/',
    ...urlsAt('127.0.0.1', settings),
  };

  it('give compute hosts no way to a database', () => {
    const role = computeRole(sources, 'two');
    expect(Object.keys(role.apps)).toEqual(['neutron-agent', 'nova-compute']);
    expect(JSON.stringify(role)).not.toContain('postgres');
    expect(roleNames(settings, 'two')).toEqual(['compute-two']);
  });

  it('give each service its own role and port', () => {
    const role = controllerRole(sources);
    expect(role.apps['glance']).toMatchObject({ port: 19_292, database: { schema: 'glance' } });
    const url = new URL(databaseUrlOf(settings, sources.databaseUrl, 'glance'));
    expect([url.username, url.pathname]).toEqual(['nestack_glance', '/nestack']);
    expect(url.password).not.toBe('secret');
    expect(role.gateway?.ports).toContain(15_000);
    expect(role.gateway?.ports).not.toContain(35_432);
  });
});

describe('processes', () => {
  const layout = layoutOf('/somewhere/state');
  const sourcesOf = (settings: CloudSettings): ConfigSources => ({
    layout,
    settings,
    underlay: underlayOf(layout, settings),
    databaseUrl: 'postgres://postgres:secret@127.0.0.1:35432/postgres',
    brokerUrl: 'amqp://nestack:secret@127.0.0.1:35672/',
    ...urlsAt('127.0.0.1', settings),
  });

  it('are one per host, or one per app of the controller', () => {
    const hosts = ['one', 'two'];
    const together = rolesOf(sourcesOf({ ...mergeSettings(null, {}, DEFAULTS), hosts }));
    expect(together.map(({ name }) => name)).toEqual(['controller', 'compute-two']);
    const apart = rolesOf(sourcesOf({ ...mergeSettings(null, { separate: true }, DEFAULTS), hosts }));
    expect(apart.map(({ name }) => name)).toEqual([...Object.keys(together[0]?.config.apps ?? {}), 'compute-two']);
    for (const role of apart.slice(0, -1)) expect(Object.keys(role.config.apps)).toEqual([role.name]);
    expect(apart.filter((role) => role.config.gateway !== undefined)).toHaveLength(1);
  });
});

describe('the underlay', () => {
  it('tells clouds on one machine apart and fits the kernel', () => {
    const [a, b] = ['/a', '/b'].map((root) =>
      underlayOf(layoutOf(root), { hosts: ['one', 'two'], net: 'linuxbridge' }),
    );
    expect(a?.bridge).not.toBe(b?.bridge);
    expect(`${a?.bridge ?? ''}-254`.length).toBeLessThanOrEqual(15);
    expect(a?.netns('one')).toBeNull();
    expect(a?.address('two')).toBe(`${a?.prefix ?? ''}.2`);
  });
});

describe('credentials', () => {
  it('are quoted for shells and for YAML', () => {
    expect(openrcOf('http://x/v3', 'admin', 'admin', "it's")).toContain("export OS_PASSWORD='it'\\''s'");
    expect(cloudsYamlOf('http://x/v3', { admin: 'a: b', demo: 'd' })).toContain('password: "a: b"');
  });
});

describe('paths', () => {
  it('keep sockets within what the system allows', () => {
    expect(layoutOf('/short').supervisorSocket).toBe('/short/run/supervisor.sock');
    expect(layoutOf(`/${'long/'.repeat(40)}`).supervisorSocket.length).toBeLessThan(108);
  });
});
