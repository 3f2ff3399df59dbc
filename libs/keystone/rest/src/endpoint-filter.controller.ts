import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  addEndpointToProject,
  addGroupToProject,
  checkEndpointInProject,
  endpointGroups,
  KeystoneError,
  listEndpointProjects,
  listGroupEndpoints,
  listGroupProjects,
  listProjectEndpointGroups,
  listProjectEndpoints,
  removeEndpointFromProject,
  removeGroupFromProject,
  showGroupInProject,
} from '@nestack/keystone/contract';
import { EndpointFilter, EndpointGroups, type Endpoint, type Project } from '@nestack/keystone/domain';
import { filtersOf, listLinks, param } from './list-query';
import { endpointGroupView, endpointView, projectView } from './views';

/** Which projects see which endpoints. upstream: keystone/api/os_ep_filter.py */
@Injectable()
export class EndpointFilterController {
  constructor(
    @Inject(EndpointGroups) private readonly groups: EndpointGroups,
    @Inject(EndpointFilter) private readonly filter: EndpointFilter,
  ) {}

  @Handles(endpointGroups.list)
  async listGroups(request: ApiRequest) {
    const found = await this.groups.list(request.ctx, filtersOf(request.rawQuery, { name: 'text' }));
    return { endpoint_groups: found.map((one) => endpointGroupView(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(endpointGroups.create)
  async createGroup(request: RequestOf<typeof endpointGroups.create>) {
    const fields = request.body['endpoint_group'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'endpoint_group', target: 'body' });
    const made = await this.groups.create(request.ctx, {
      name: fields.name,
      description: fields.description ?? null,
      filters: fields.filters,
    });
    return { endpoint_group: endpointGroupView(request.baseUrl, made) };
  }

  @Handles(endpointGroups.show)
  async showGroup(request: ApiRequest) {
    const found = await this.groups.show(request.ctx, param(request, 'endpoint_group_id'));
    return { endpoint_group: endpointGroupView(request.baseUrl, found) };
  }

  @Handles(endpointGroups.update)
  async updateGroup(request: RequestOf<typeof endpointGroups.update>) {
    const fields = request.body['endpoint_group'];
    if (fields === undefined) throw KeystoneError.ValidationError({ attribute: 'endpoint_group', target: 'body' });
    const { name, description, filters } = fields;
    const changed = await this.groups.update(request.ctx, param(request, 'endpoint_group_id'), {
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
      ...(filters === undefined ? {} : { filters }),
    });
    return { endpoint_group: endpointGroupView(request.baseUrl, changed) };
  }

  @Handles(endpointGroups.remove)
  async removeGroup(request: ApiRequest): Promise<null> {
    await this.groups.remove(request.ctx, param(request, 'endpoint_group_id'));
    return null;
  }

  @Handles(listGroupEndpoints)
  async groupEndpoints(request: ApiRequest) {
    return endpoints(request, await this.filter.membersOf(request.ctx, param(request, 'endpoint_group_id')));
  }

  @Handles(listGroupProjects)
  async groupProjects(request: ApiRequest) {
    const id = param(request, 'endpoint_group_id');
    return projects(request, await this.filter.projectsOf(request.ctx, 'endpoint_group', id));
  }

  @Handles(addGroupToProject)
  async addGroup(request: ApiRequest): Promise<null> {
    await this.filter.add(request.ctx, ...groupIn(request));
    return null;
  }

  @Handles(showGroupInProject)
  async showGroupIn(request: ApiRequest) {
    await this.filter.check(request.ctx, ...groupIn(request));
    const [, endpoint_group_id, project_id] = groupIn(request);
    return { project_endpoint_group: { endpoint_group_id, project_id, links: { self: listLinks(request).self } } };
  }

  @Handles(removeGroupFromProject)
  async dropGroup(request: ApiRequest): Promise<null> {
    await this.filter.remove(request.ctx, ...groupIn(request));
    return null;
  }

  @Handles(listProjectEndpointGroups)
  async projectGroups(request: ApiRequest) {
    const found = await this.filter.groupsOf(request.ctx, param(request, 'project_id'));
    return { endpoint_groups: found.map((one) => endpointGroupView(request.baseUrl, one)), links: listLinks(request) };
  }

  @Handles(listProjectEndpoints)
  async projectEndpoints(request: ApiRequest) {
    return endpoints(request, await this.filter.endpointsOf(request.ctx, param(request, 'project_id')));
  }

  @Handles(listEndpointProjects)
  async endpointProjects(request: ApiRequest) {
    return projects(request, await this.filter.projectsOf(request.ctx, 'endpoint', param(request, 'endpoint_id')));
  }

  @Handles(addEndpointToProject)
  async addEndpoint(request: ApiRequest): Promise<null> {
    await this.filter.add(request.ctx, ...endpointIn(request));
    return null;
  }

  @Handles(checkEndpointInProject)
  async checkEndpoint(request: ApiRequest): Promise<null> {
    await this.filter.check(request.ctx, ...endpointIn(request));
    return null;
  }

  @Handles(removeEndpointFromProject)
  async dropEndpoint(request: ApiRequest): Promise<null> {
    await this.filter.remove(request.ctx, ...endpointIn(request));
    return null;
  }
}

function groupIn(request: ApiRequest): ['endpoint_group', string, string] {
  return ['endpoint_group', param(request, 'endpoint_group_id'), param(request, 'project_id')];
}

function endpointIn(request: ApiRequest): ['endpoint', string, string] {
  return ['endpoint', param(request, 'endpoint_id'), param(request, 'project_id')];
}

function endpoints(request: ApiRequest, found: readonly Endpoint[]) {
  return { endpoints: found.map((one) => endpointView(request.baseUrl, one)), links: listLinks(request) };
}

function projects(request: ApiRequest, found: readonly Project[]) {
  return { projects: found.map((one) => projectView(request.baseUrl, one)), links: listLinks(request) };
}
