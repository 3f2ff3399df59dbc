import { operation } from '@nestack/kernel/http';
import Type from 'typebox';

/** What a topology answers as its id where only its requirements are looked at. */
export const DRY_RUN_PASSED = 'dry-run=pass';

/** The alias `auto-allocated-topology`. Reading it makes it: clients have no other way. */
export const getAutoAllocatedTopology = operation({
  id: 'getAutoAllocatedTopology',
  summary: "Makes a project's own network with a way outside, or shows the one that is there",
  method: 'GET',
  path: '/auto-allocated-topology/{project_id}',
  query: Type.Object(
    {
      fields: Type.Optional(Type.Array(Type.String(), { description: '`dry-run` alone only looks whether it can be' })),
    },
    { additionalProperties: true },
  ),
  response: Type.Object({
    auto_allocated_topology: Type.Object({
      id: Type.String(),
      project_id: Type.String(),
      tenant_id: Type.String(),
    }),
  }),
  status: 200,
  // It is made of the cloud's defaults, which may be missing or used up.
  errors: ['AutoAllocationFailure', 'OverQuota'],
});
export const deleteAutoAllocatedTopology = operation({
  id: 'deleteAutoAllocatedTopology',
  summary: "Deletes a project's own network with its way outside",
  method: 'DELETE',
  path: '/auto-allocated-topology/{project_id}',
  status: 204,
});
