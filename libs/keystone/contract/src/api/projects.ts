import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import {
  Description,
  Enabled,
  Id,
  ListLinks,
  Name,
  Nullable,
  Options,
  SelfLink,
  Tag,
  allOf,
  crudOperations,
  filters,
  text,
  Extensible,
} from './common';

const ProjectName = Type.String({ minLength: 1, maxLength: 64, pattern: '[\\S]+' });
const Tags = Type.Array(Tag, { maxItems: 80, uniqueItems: true });

export const Project = Extensible({
  id: Type.String(),
  name: Type.String(),
  domain_id: Nullable(Type.String()),
  parent_id: Nullable(Type.String()),
  is_domain: Type.Boolean(),
  enabled: Type.Boolean(),
  description: Type.String(),
  tags: Type.Array(Type.String()),
  options: Type.Record(Type.String(), Type.Unknown()),
  links: SelfLink,
});
export const projects = crudOperations({
  noun: 'Project',
  plural: 'Projects',
  key: 'project',
  collection: 'projects',
  query: filters({
    name: text,
    domain_id: text,
    parent_id: text,
    enabled: text,
    is_domain: text,
    tags: text,
    'tags-any': text,
    'not-tags': text,
    'not-tags-any': text,
  }),
  create: Type.Object({
    name: ProjectName,
    domain_id: Type.Optional(Nullable(Id)),
    parent_id: Type.Optional(Nullable(Id)),
    is_domain: Type.Optional(Type.Boolean()),
    enabled: Enabled,
    description: Description,
    tags: Type.Optional(Tags),
    options: Options,
  }),
  update: Type.Object(
    {
      name: Type.Optional(ProjectName),
      domain_id: Type.Optional(Nullable(Id)),
      parent_id: Type.Optional(Nullable(Id)),
      is_domain: Type.Optional(Type.Boolean()),
      enabled: Enabled,
      description: Description,
      tags: Type.Optional(Tags),
      options: Options,
    },
    { minProperties: 1 },
  ),
  resource: Project,
});

const tagPath = '/projects/{project_id}/tags';
const tagBody = Type.Object({ tags: Type.Array(Type.String()), links: Type.Optional(ListLinks) });
export const listProjectTags = operation({
  id: 'listProjectTags',
  summary: "List a project's tags",
  method: 'GET',
  path: tagPath,
  response: tagBody,
  status: 200,
});
export const replaceProjectTags = operation({
  id: 'replaceProjectTags',
  summary: "Replace a project's tags",
  method: 'PUT',
  path: tagPath,
  body: Type.Object({ tags: Tags }),
  response: tagBody,
  status: 200,
});
export const deleteProjectTags = operation({
  id: 'deleteProjectTags',
  summary: "Remove all of a project's tags",
  method: 'DELETE',
  path: tagPath,
  status: 204,
});
export const checkProjectTag = operation({
  id: 'checkProjectTag',
  summary: 'Check whether a project has a tag',
  method: 'GET',
  path: `${tagPath}/{tag}`,
  status: 204,
});
export const addProjectTag = operation({
  id: 'addProjectTag',
  summary: 'Add a tag to a project',
  method: 'PUT',
  path: `${tagPath}/{tag}`,
  status: 201,
});
export const deleteProjectTag = operation({
  id: 'deleteProjectTag',
  summary: 'Remove a tag from a project',
  method: 'DELETE',
  path: `${tagPath}/{tag}`,
  status: 204,
});

export const Domain = Extensible({
  id: Type.String(),
  name: Type.String(),
  enabled: Type.Boolean(),
  description: Type.String(),
  tags: Type.Array(Type.String()),
  options: Type.Record(Type.String(), Type.Unknown()),
  links: SelfLink,
});
export const domains = crudOperations({
  noun: 'Domain',
  plural: 'Domains',
  key: 'domain',
  collection: 'domains',
  query: filters({ name: text, enabled: text }),
  create: Type.Object({
    name: ProjectName,
    enabled: Enabled,
    description: Description,
    tags: Type.Optional(Tags),
    options: Options,
    explicit_domain_id: Type.Optional(Id),
  }),
  update: Type.Object(
    {
      name: Type.Optional(ProjectName),
      enabled: Enabled,
      description: Description,
      tags: Type.Optional(Tags),
      options: Options,
    },
    { minProperties: 1 },
  ),
  resource: Domain,
});

export const Group = Extensible({
  id: Type.String(),
  name: Type.String(),
  domain_id: Type.String(),
  description: Type.String(),
  links: SelfLink,
});
export const groups = crudOperations({
  noun: 'Group',
  plural: 'Groups',
  key: 'group',
  collection: 'groups',
  query: filters({ name: text, domain_id: text }),
  create: Type.Object({ name: Name, domain_id: Type.Optional(Nullable(Id)), description: Description }),
  update: Type.Object({ name: Type.Optional(Name), description: Description }, { minProperties: 1 }),
  resource: Group,
});
export const listGroupUsers = operation({
  id: 'listGroupUsers',
  summary: 'List the users in a group',
  method: 'GET',
  path: '/groups/{group_id}/users',
  query: filters({ name: text, password_expires_at: text }),
  response: Type.Object({ users: Type.Array(Type.Unknown()), links: ListLinks }),
  status: 200,
});
const memberPath = '/groups/{group_id}/users/{user_id}';
export const addGroupUser = operation({
  id: 'addGroupUser',
  summary: 'Add a user to a group',
  method: 'PUT',
  path: memberPath,
  status: 204,
});
export const checkGroupUser = operation({
  id: 'checkGroupUser',
  summary: 'Check whether a user is in a group',
  method: 'GET',
  path: memberPath,
  status: 204,
});
export const removeGroupUser = operation({
  id: 'removeGroupUser',
  summary: 'Remove a user from a group',
  method: 'DELETE',
  path: memberPath,
  status: 204,
});

export const projectOperations = [
  ...allOf(projects),
  listProjectTags,
  replaceProjectTags,
  deleteProjectTags,
  checkProjectTag,
  addProjectTag,
  deleteProjectTag,
  ...allOf(domains),
  ...allOf(groups),
  listGroupUsers,
  addGroupUser,
  checkGroupUser,
  removeGroupUser,
];
