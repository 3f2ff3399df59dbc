import { operation } from '@nestack/kernel/http';
import Type, { type TSchema } from 'typebox';
import { RESOURCE_CLASS } from '../names';

const strict = { additionalProperties: false } as const;
const id = Type.String({ minLength: 1, maxLength: 255 });

export const listProviderUsages = operation({
  id: 'listProviderUsages',
  summary: 'Shows what is used of a resource provider',
  method: 'GET',
  path: '/resource_providers/{uuid}/usages',
  response: Type.Object({
    resource_provider_generation: Type.Integer(),
    usages: Type.Record(Type.String(), Type.Integer()),
  }),
  status: 200,
  policy: 'placement:resource_providers:usages',
});

const byProject = { project_id: id, user_id: Type.Optional(id) };

/** The project may ask for its own usage, so its handler checks the rule with the project that is asked for. */
export const listUsages = operation({
  id: 'listUsages',
  summary: 'Shows what a project or one of its users uses',
  method: 'GET',
  path: '/usages',
  minVersion: '1.9',
  query: [
    { since: '1.9', schema: Type.Object(byProject, strict) },
    {
      since: '1.38',
      schema: Type.Object(
        {
          ...byProject,
          consumer_type: Type.Optional(
            Type.String({ minLength: 1, maxLength: 255, pattern: `${RESOURCE_CLASS}|^all|^unknown$` }),
          ),
        },
        strict,
      ),
    },
  ],
  response: [
    { since: '1.9', schema: Type.Object({ usages: Type.Record(Type.String(), Type.Integer()) }) },
    {
      since: '1.38',
      schema: Type.Object({ usages: Type.Record(Type.String(), Type.Record(Type.String(), Type.Integer())) }),
    },
  ] as readonly { since: string; schema: TSchema }[],
  status: 200,
});
