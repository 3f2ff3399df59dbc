import { operation } from '@nestack/kernel/http';
import Type, { type TSchema } from 'typebox';
import { GROUP_NUMBER, GROUP_SUFFIX } from '../names';

const strict = { additionalProperties: false } as const;
const text = Type.Optional(Type.String());
const wide = { limit: Type.Optional(Type.Integer({ minimum: 1 })) };
const wide125 = {
  ...wide,
  group_policy: Type.Optional(Type.Union([Type.Literal('none'), Type.Literal('isolate')])),
};
const wide135 = { ...wide125, root_required: text };
const wide136 = { ...wide135, same_subtree: text };

/** Keys with a group's suffix: `resources`, `resources1`, `resources_PORT`. */
function grouped(wideKeys: Record<string, TSchema>, keys: readonly string[], suffix: string): TSchema {
  const patterns = Object.fromEntries(keys.map((key) => [`^${key}(${suffix})?$`, Type.String()]));
  return Type.Object(wideKeys, { patternProperties: patterns, ...strict });
}

const keys125 = ['resources', 'required', 'member_of'];
const keys131 = [...keys125, 'in_tree'];

export const listAllocationCandidates = operation({
  id: 'listAllocationCandidates',
  summary: 'Lists what could be allocated for a request',
  method: 'GET',
  path: '/allocation_candidates',
  minVersion: '1.10',
  query: [
    { since: '1.10', schema: Type.Object({ resources: Type.String() }, strict) },
    { since: '1.16', schema: Type.Object({ resources: Type.String(), ...wide }, strict) },
    { since: '1.17', schema: Type.Object({ resources: Type.String(), ...wide, required: text }, strict) },
    {
      since: '1.21',
      schema: Type.Object({ resources: Type.String(), ...wide, required: text, member_of: text }, strict),
    },
    { since: '1.25', schema: grouped(wide125, keys125, GROUP_NUMBER) },
    { since: '1.31', schema: grouped(wide125, keys131, GROUP_NUMBER) },
    { since: '1.33', schema: grouped(wide125, keys131, GROUP_SUFFIX) },
    { since: '1.35', schema: grouped(wide135, keys131, GROUP_SUFFIX) },
    { since: '1.36', schema: grouped(wide136, keys131, GROUP_SUFFIX) },
  ] as readonly { since: string; schema: TSchema }[],
  response: Type.Object({
    allocation_requests: Type.Array(
      Type.Object({
        allocations: Type.Unknown(),
        mappings: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String()))),
      }),
    ),
    provider_summaries: Type.Record(
      Type.String(),
      Type.Object({
        resources: Type.Record(Type.String(), Type.Object({ capacity: Type.Integer(), used: Type.Integer() })),
        traits: Type.Optional(Type.Array(Type.String())),
        parent_provider_uuid: Type.Optional(Type.Union([Type.String(), Type.Null()])),
        root_provider_uuid: Type.Optional(Type.String()),
      }),
    ),
  }),
  status: 200,
  policy: 'placement:allocation_candidates:list',
});
