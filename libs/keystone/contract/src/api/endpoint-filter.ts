import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Endpoint } from './catalog';
import { Description, Id, ListLinks, Name, Nullable, SelfLink, allOf, crudOperations, filters, text } from './common';
import { Project } from './projects';

/** Which endpoints a group takes in: those that have all of these. */
const GroupFilters = Type.Object(
  {
    interface: Type.Optional(Type.Enum(['public', 'internal', 'admin'])),
    service_id: Type.Optional(Id),
    region_id: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
export const EndpointGroup = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: Nullable(Type.String()),
  filters: Type.Record(Type.String(), Type.Unknown()),
  links: SelfLink,
});
export const endpointGroups = crudOperations({
  noun: 'EndpointGroup',
  plural: 'EndpointGroups',
  key: 'endpoint_group',
  collection: 'endpoint_groups',
  path: '/OS-EP-FILTER/endpoint_groups',
  query: filters({ name: text }),
  create: Type.Object({ name: Name, description: Description, filters: GroupFilters }),
  update: Type.Object(
    { name: Type.Optional(Name), description: Description, filters: Type.Optional(GroupFilters) },
    { minProperties: 1 },
  ),
  resource: EndpointGroup,
  policies: {
    list: 'identity:list_endpoint_groups',
    get: 'identity:get_endpoint_group',
    create: 'identity:create_endpoint_group',
    update: 'identity:update_endpoint_group',
    delete: 'identity:delete_endpoint_group',
  },
});

const endpointsBody = Type.Object({ endpoints: Type.Array(Endpoint), links: ListLinks });
const projectsBody = Type.Object({ projects: Type.Array(Project), links: ListLinks });

const groupPath = '/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}';
const groupProject = `${groupPath}/projects/{project_id}`;
export const listGroupEndpoints = operation({
  id: 'listGroupEndpoints',
  summary: 'List the endpoints that a group takes in',
  method: 'GET',
  path: `${groupPath}/endpoints`,
  response: endpointsBody,
  status: 200,
  policy: 'identity:list_endpoints_associated_with_endpoint_group',
});
export const listGroupProjects = operation({
  id: 'listGroupProjects',
  summary: 'List the projects that have a group of endpoints',
  method: 'GET',
  path: `${groupPath}/projects`,
  response: projectsBody,
  status: 200,
  policy: 'identity:list_projects_associated_with_endpoint_group',
});
export const addGroupToProject = operation({
  id: 'addEndpointGroupToProject',
  summary: 'Give a project a group of endpoints',
  method: 'PUT',
  path: groupProject,
  status: 204,
  policy: 'identity:add_endpoint_group_to_project',
});
export const showGroupInProject = operation({
  id: 'showEndpointGroupInProject',
  summary: 'Show that a project has a group of endpoints',
  method: 'GET',
  path: groupProject,
  response: Type.Object({
    project_endpoint_group: Type.Object({
      endpoint_group_id: Type.String(),
      project_id: Type.String(),
      links: SelfLink,
    }),
  }),
  status: 200,
  policy: 'identity:get_endpoint_group_in_project',
});
export const removeGroupFromProject = operation({
  id: 'removeEndpointGroupFromProject',
  summary: 'Take a group of endpoints from a project',
  method: 'DELETE',
  path: groupProject,
  status: 204,
  policy: 'identity:remove_endpoint_group_from_project',
});

const projectPath = '/OS-EP-FILTER/projects/{project_id}';
const projectEndpoint = `${projectPath}/endpoints/{endpoint_id}`;
export const listProjectEndpointGroups = operation({
  id: 'listProjectEndpointGroups',
  summary: "List a project's groups of endpoints",
  method: 'GET',
  path: `${projectPath}/endpoint_groups`,
  response: Type.Object({ endpoint_groups: Type.Array(EndpointGroup), links: ListLinks }),
  status: 200,
  policy: 'identity:list_endpoint_groups_for_project',
});
export const listProjectEndpoints = operation({
  id: 'listProjectEndpoints',
  summary: 'List the endpoints that a project was given',
  method: 'GET',
  path: `${projectPath}/endpoints`,
  response: endpointsBody,
  status: 200,
  policy: 'identity:list_endpoints_for_project',
});
export const listEndpointProjects = operation({
  id: 'listEndpointProjects',
  summary: 'List the projects that were given an endpoint',
  method: 'GET',
  path: '/OS-EP-FILTER/endpoints/{endpoint_id}/projects',
  response: projectsBody,
  status: 200,
  policy: 'identity:list_projects_for_endpoint',
});
export const addEndpointToProject = operation({
  id: 'addEndpointToProject',
  summary: "Put an endpoint into a project's catalogue, which then holds no others than such",
  method: 'PUT',
  path: projectEndpoint,
  status: 204,
  policy: 'identity:add_endpoint_to_project',
});
export const checkEndpointInProject = operation({
  id: 'checkEndpointInProject',
  summary: 'Check whether a project was given an endpoint',
  method: 'GET',
  path: projectEndpoint,
  status: 204,
  policy: 'identity:check_endpoint_in_project',
});
export const removeEndpointFromProject = operation({
  id: 'removeEndpointFromProject',
  summary: 'Take an endpoint from a project',
  method: 'DELETE',
  path: projectEndpoint,
  status: 204,
  policy: 'identity:remove_endpoint_from_project',
});

export const endpointFilterOperations = [
  ...allOf(endpointGroups),
  listGroupEndpoints,
  listGroupProjects,
  addGroupToProject,
  showGroupInProject,
  removeGroupFromProject,
  listProjectEndpointGroups,
  listProjectEndpoints,
  listEndpointProjects,
  addEndpointToProject,
  checkEndpointInProject,
  removeEndpointFromProject,
];
