import { describe, expect, it } from '@jest/globals';
import Type from 'typebox';
import { novaEnvelope } from './envelopes';
import { apiVersion } from './microversion';
import { openApiOf } from './openapi';
import { defineApi, documentedAs, operation } from './operation';

const Thing = (fields: Type.TProperties) => Type.Object({ thing: Type.Object(fields) });
const api = defineApi({
  service: 'nova',
  type: 'compute',
  title: 'Things',
  prefixes: ['/v2.1', '/v2.1/{project_id}'],
  microversions: { min: '2.1', max: '2.9', service: 'compute' },
  envelope: novaEnvelope,
  errors: {
    ThingBusy: { kind: 'gone', template: 'Busy' },
    ThingTooMany: { kind: 'overQuota', status: 413, template: '' },
  },
  operations: [
    operation({
      id: 'showThing',
      summary: 'Shows',
      method: 'GET',
      path: '/things/{thing_id}',
      response: [
        { since: '2.1', schema: Thing({ name: Type.String() }) },
        { since: '2.5', schema: Thing({ title: Type.String() }) },
      ],
      status: 200,
    }),
    operation({
      id: 'startThing',
      summary: 'Starts',
      method: 'POST',
      path: '/things/{thing_id}/action',
      action: 'start',
      body: Type.Object({ start: Type.Null() }),
      status: 202,
      errors: ['ThingBusy'],
    }),
    operation({
      id: 'lockThing',
      summary: 'Locks',
      method: 'POST',
      path: '/things/{thing_id}/action',
      action: 'lock',
      minVersion: '2.5',
      body: Type.Object({ lock: Type.Null() }),
      response: Type.Object({ locked: Type.Boolean() }),
      status: 200,
    }),
    operation({ id: 'version', summary: 'Tells', method: 'GET', path: '/version', public: true, status: 200 }),
  ],
});

interface Document {
  readonly info: { readonly version: string };
  readonly paths: Readonly<
    Record<
      string,
      Record<
        string,
        {
          readonly parameters: readonly { readonly name: string }[];
          readonly requestBody?: {
            readonly required: boolean;
            readonly content: Readonly<Record<string, { schema: unknown }>>;
          };
          readonly responses: Readonly<
            Record<string, { readonly content?: Readonly<Record<string, { schema: unknown }>> }>
          >;
        }
      >
    >
  >;
  readonly components: { readonly responses: Readonly<Record<string, unknown>> };
}
const document = (version?: string) =>
  openApiOf(api, version === undefined ? null : apiVersion(version)) as unknown as Document;
const json = (content: Readonly<Record<string, { schema: unknown }>> | undefined) =>
  content?.['application/json']?.schema;

describe('openApiOf', () => {
  it('names every status of an operation: what the pipeline refuses, and the errors that it declares', () => {
    const { paths, components } = document();
    const statuses = (path: string, method: string) => Object.keys(paths[path]?.[method]?.responses ?? {});
    expect(statuses('/v2.1/things/{thing_id}', 'get')).toEqual(['200', '400', '401', '403', '404', '406', '5XX']);
    expect(statuses('/v2.1/things/{thing_id}/action', 'post')).toEqual([
      '200',
      '202',
      '400',
      '401',
      '403',
      '404',
      '406',
      '409',
      '410',
      '413',
      '415',
      '5XX',
    ]);
    expect(statuses('/v2.1/version', 'get')).toEqual(['200', '400', '406', '5XX']);
    expect(Object.keys(components.responses)).toEqual(
      expect.arrayContaining(['400', '401', '403', '404', '406', '409', '410', '413', '415', '5XX']),
    );
  });

  it('tells of all microversions, where any of the versions may come', () => {
    const show = document().paths['/v2.1/things/{thing_id}']?.['get'];
    expect(json(show?.responses['200']?.content)).toMatchObject({
      anyOf: [{ title: 'since 2.1' }, { title: 'since 2.5' }],
    });
  });

  it('has only the operations and schemas of the microversion that is asked for', () => {
    const [old, now] = [document('2.4'), document('2.9')];
    expect([old.info.version, now.info.version]).toEqual(['2.4', '2.9']);
    const shown = (from: Document) => json(from.paths['/v2.1/things/{thing_id}']?.['get']?.responses['200']?.content);
    expect(shown(old)).toMatchObject({ properties: { thing: { required: ['name'] } } });
    expect(shown(now)).toMatchObject({ properties: { thing: { required: ['title'] } } });
    const action = (from: Document) => from.paths['/v2.1/things/{thing_id}/action']?.['post'];
    expect(json(action(old)?.requestBody?.content)).toMatchObject({ required: ['start'] });
    expect(json(action(now)?.requestBody?.content)).toMatchObject({
      anyOf: [{ required: ['start'] }, { required: ['lock'] }],
    });
    expect(action(now)?.responses['202']?.content).toBeUndefined();
    expect(json(action(now)?.responses['200']?.content)).toMatchObject({ required: ['locked'] });
    expect(action(now)?.requestBody?.required).toBe(true);
    expect(action(now)?.parameters.map((one) => one.name)).toEqual(['thing_id', 'OpenStack-API-Version']);
  });

  it('shows what a loosely validated body is documented as, also within others', () => {
    const body = Type.Object({ a: documentedAs(Type.Object({}), Type.Object({ b: Type.Boolean() })) });
    const put = operation({ id: 'putThing', summary: 'Puts', method: 'PUT', path: '/things', body, status: 200 });
    const { paths } = openApiOf({ ...api, operations: [put] }) as unknown as Document;
    expect(json(paths['/v2.1/things']?.['put']?.requestBody?.content)).toMatchObject({
      properties: { a: { required: ['b'], properties: { b: { type: 'boolean' } } } },
    });
    expect(JSON.stringify(paths)).not.toContain('x-documented');
  });
});
