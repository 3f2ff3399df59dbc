import { KeystoneError } from '@nestack/keystone/contract';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import type { Endpoint, EndpointGroup, Project } from './model';
import type { EndpointFilterStore, Filter, Stores } from './ports';
import { Shelf } from './shelf';

/** What a project's catalogue is restricted to: an endpoint, or a group of them. */
export type Restriction = 'endpoint' | 'endpoint_group';

/** Groups of endpoints, described by what their members have in common. upstream: keystone/catalog/core.py */
export class EndpointGroups extends Shelf<EndpointGroup> {
  constructor(db: TransactionRunner, stores: Stores) {
    super(db, stores.endpointGroups, 'endpoint_groups', (id) => KeystoneError.EndpointGroupNotFound({ id }));
  }

  create(_ctx: RequestContext, fields: Omit<EndpointGroup, 'id'>): Promise<EndpointGroup> {
    return this.db.run('endpoint_groups.create', (tx) => this.store.insert(tx, { ...fields, id: newHexId() }));
  }

  update(_ctx: RequestContext, id: string, fields: Partial<Omit<EndpointGroup, 'id'>>): Promise<EndpointGroup> {
    return this.db.run('endpoint_groups.update', (tx) => this.change(tx, id, fields));
  }
}

/** Which projects see which endpoints; a project that was given none sees all. */
export class EndpointFilter {
  private readonly links: EndpointFilterStore;

  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
  ) {
    this.links = stores.endpointFilter;
  }

  async add(_ctx: RequestContext, kind: Restriction, id: string, projectId: string): Promise<void> {
    await this.db.run('endpoint_filter.add', async (tx) => {
      await this.requireEnds(tx, kind, id, projectId);
      await this.links.add(tx, kind, id, projectId);
    });
  }

  check(_ctx: RequestContext, kind: Restriction, id: string, projectId: string): Promise<void> {
    return this.db.read('endpoint_filter.check', async (tx) => {
      await this.requireEnds(tx, kind, id, projectId);
      if (!(await this.links.has(tx, kind, id, projectId))) throw missing(kind, id);
    });
  }

  async remove(_ctx: RequestContext, kind: Restriction, id: string, projectId: string): Promise<void> {
    await this.db.run('endpoint_filter.remove', async (tx) => {
      await this.requireEnds(tx, kind, id, projectId);
      if (!(await this.links.remove(tx, kind, id, projectId))) throw missing(kind, id);
    });
  }

  projectsOf(_ctx: RequestContext, kind: Restriction, id: string): Promise<Project[]> {
    return this.db.read('endpoint_filter.projects', async (tx) => {
      await this.requireSource(tx, kind, id);
      const ids = await this.links.projectsOf(tx, kind, id);
      return this.stores.projects.list(tx, [{ field: 'id', op: 'in', value: ids }]);
    });
  }

  /** The endpoints that a project was given itself or with groups. */
  endpointsOf(_ctx: RequestContext, projectId: string): Promise<Endpoint[]> {
    return this.db.read('endpoint_filter.endpoints', async (tx) => {
      await this.requireProject(tx, projectId);
      const ids = await this.links.endpointsOf(tx, projectId);
      return this.stores.endpoints.list(tx, [{ field: 'id', op: 'in', value: ids }]);
    });
  }

  groupsOf(_ctx: RequestContext, projectId: string): Promise<EndpointGroup[]> {
    return this.db.read('endpoint_filter.groups', async (tx) => {
      await this.requireProject(tx, projectId);
      const ids = await this.links.groupsOf(tx, projectId);
      return this.stores.endpointGroups.list(tx, [{ field: 'id', op: 'in', value: ids }]);
    });
  }

  /** The endpoints that a group takes in. */
  membersOf(_ctx: RequestContext, groupId: string): Promise<Endpoint[]> {
    return this.db.read('endpoint_filter.members', async (tx) => {
      const group = await this.stores.endpointGroups.find(tx, groupId);
      if (group === null) throw KeystoneError.EndpointGroupNotFound({ id: groupId });
      const filters = Object.entries(group.filters).map(([field, value]): Filter => ({ field, op: 'eq', value }));
      return this.stores.endpoints.list(tx, filters);
    });
  }

  private async requireEnds(tx: Tx, kind: Restriction, id: string, projectId: string): Promise<void> {
    await this.requireSource(tx, kind, id);
    await this.requireProject(tx, projectId);
  }

  private async requireSource(tx: Tx, kind: Restriction, id: string): Promise<void> {
    const found =
      kind === 'endpoint' ? await this.stores.endpoints.find(tx, id) : await this.stores.endpointGroups.find(tx, id);
    if (found === null) throw missing(kind, id);
  }

  private async requireProject(tx: Tx, id: string): Promise<void> {
    if ((await this.stores.projects.find(tx, id)) === null) throw KeystoneError.ProjectNotFound({ project_id: id });
  }
}

function missing(kind: Restriction, id: string) {
  return kind === 'endpoint'
    ? KeystoneError.EndpointNotFound({ endpoint_id: id })
    : KeystoneError.EndpointGroupNotFound({ id });
}
