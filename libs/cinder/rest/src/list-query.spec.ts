import { describe, expect, it } from '@jest/globals';
import { newContext, SYSTEM_ACTOR } from '@nestack/kernel/context';
import { apiVersion } from '@nestack/kernel/http';
import { VOLUMES } from './list-kinds';
import { listQueryOf } from './list-query';

const member = newContext({
  actor: { ...SYSTEM_ACTOR, projectId: 'p', systemScope: false, roles: ['member', 'reader'] },
});
const admin = newContext({ actor: { ...SYSTEM_ACTOR, projectId: 'p' } });

function parse(text: string, options: { version?: string; admin?: boolean } = {}) {
  return listQueryOf(
    {
      rawQuery: new URLSearchParams(text),
      version: apiVersion(options.version ?? '3.70'),
      ctx: options.admin === true ? admin : member,
    },
    VOLUMES,
  );
}

describe('list queries', () => {
  it('have filters by the names of columns', () => {
    const { query } = parse('display_name=a&status=error&bootable=True&name~=b');
    expect(query.filters).toEqual({ name: 'a', status: 'error', bootable: true });
    expect(query.like).toEqual({ name: 'b' });
    expect(parse('name~=b', { version: '3.30' }).query.like).toEqual({});
  });

  it('read dictionaries as Python and as JSON write them', () => {
    const metadata = (text: string) => parse(`metadata=${encodeURIComponent(text)}`).query.metadata;
    expect(metadata("{'a': 'b', u'c': 'd e'}")).toEqual({ a: 'b', c: 'd e' });
    expect(metadata('{"a": "it\'s"}')).toEqual({ a: "it's" });
    expect(metadata("{'a': 'it\\'s'}")).toEqual({ a: "it's" });
    expect(metadata('{}')).toEqual({});
    expect(() => metadata("{'a': 4}")).toThrow('Could not evaluate');
    expect(() => metadata('nonsense')).toThrow('Could not evaluate');
  });

  it('compare times, taken as UTC when they name no zone', () => {
    expect(parse('created_at=gt:2026-01-02T03:04:05,lte:2026-01-03T00:00:00Z').query.times).toEqual([
      { key: 'created_at', op: 'gt', value: new Date('2026-01-02T03:04:05Z') },
      { key: 'created_at', op: 'lte', value: new Date('2026-01-03T00:00:00Z') },
    ]);
    expect(() => parse('created_at=soon')).toThrow('is not a time');
  });

  it('let only administrators look beyond their project, and know more', () => {
    expect(parse('all_tenants=1').allProjects).toBe(false);
    expect(parse('all_tenants=1', { admin: true }).allProjects).toBe(true);
    expect(() => parse('host=h')).toThrow('Invalid filters host');
    expect(parse('host=h', { admin: true }).query.filters).toEqual({ host: 'h' });
    expect(parse('host=h', { version: '3.0' }).query.filters).toEqual({});
    expect(parse('nonsense=h', { version: '3.0', admin: true }).empty).toBe(true);
    expect(parse('project_id=x', { admin: true }).query.filters).toEqual({});
    expect(parse('project_id=x&all_tenants=1', { admin: true }).query.filters).toEqual({ project_id: 'x' });
  });

  it('are newest first unless they say otherwise', () => {
    expect(parse('').query.sort).toEqual([
      { key: 'created_at', direction: 'desc' },
      { key: 'id', direction: 'desc' },
    ]);
    expect(parse('sort=display_name:asc,size').query.sort).toEqual([
      { key: 'name', direction: 'asc' },
      { key: 'size', direction: 'desc' },
    ]);
  });
});
