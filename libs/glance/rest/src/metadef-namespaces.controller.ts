import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, nextQuery, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createNamespace,
  createResourceTypeAssociation,
  deleteNamespace,
  deleteResourceTypeAssociation,
  listNamespaces,
  listResourceTypeAssociations,
  listResourceTypes,
  showNamespace,
  updateNamespace,
  type MetadefNamespaceBody,
} from '@nestack/glance/contract';
import { MetadefNamespaces } from '@nestack/glance/domain';
import { namespaceQueryOf } from './metadef-query';
import {
  associationView,
  namespaceDetailView,
  namespaceHref,
  namespaceView,
  refuseReadOnly,
  stampsOf,
} from './metadef-views';

const READ_ONLY = ['self', 'schema', 'created_at', 'updated_at'];
const nameOf = (request: ApiRequest): string => request.params['namespace_name'] ?? '';

/** Namespaces of metadata definitions, and the resource types that they are for. */
@Injectable()
export class MetadefNamespacesController {
  constructor(@Inject(MetadefNamespaces) private readonly namespaces: MetadefNamespaces) {}

  @Handles(listNamespaces)
  async list(request: ApiRequest) {
    const query = namespaceQueryOf(request.rawQuery);
    const found = await this.namespaces.list(request.ctx, query);
    const last = found.at(-1)?.namespace.namespace;
    const asked = new URLSearchParams(request.rawQuery);
    asked.delete('marker');
    const base = '/v2/metadefs/namespaces';
    return {
      namespaces: found.map((one) => namespaceView(one.namespace, one.associations)),
      first: asked.size === 0 ? base : `${base}?${asked.toString()}`,
      ...(last === undefined || found.length < query.limit
        ? {}
        : { next: `${base}?${nextQuery(request.rawQuery, last)}` }),
      schema: '/v2/schemas/metadefs/namespaces',
    };
  }

  @Handles(createNamespace)
  async create(request: RequestOf<typeof createNamespace>) {
    const body: MetadefNamespaceBody = request.body;
    refuseReadOnly(body, READ_ONLY);
    const made = await this.namespaces.create(request.ctx, body);
    return new ApiReply(namespaceDetailView(made), {
      status: 201,
      headers: { location: namespaceHref(made.namespace.namespace) },
    });
  }

  @Handles(showNamespace)
  async show(request: ApiRequest) {
    const resourceType = request.rawQuery.get('resource_type');
    return namespaceDetailView(await this.namespaces.show(request.ctx, nameOf(request), resourceType));
  }

  @Handles(updateNamespace)
  async update(request: RequestOf<typeof updateNamespace>) {
    const body: MetadefNamespaceBody = request.body;
    refuseReadOnly(body, READ_ONLY);
    return namespaceView(await this.namespaces.update(request.ctx, nameOf(request), body));
  }

  @Handles(deleteNamespace)
  async remove(request: ApiRequest): Promise<null> {
    await this.namespaces.remove(request.ctx, nameOf(request));
    return null;
  }

  @Handles(listResourceTypes)
  async resourceTypes(request: ApiRequest) {
    const types = await this.namespaces.resourceTypes(request.ctx);
    return { resource_types: types.map((one) => ({ name: one.name, ...stampsOf(one) })) };
  }

  @Handles(listResourceTypeAssociations)
  async associations(request: ApiRequest) {
    const found = await this.namespaces.associations(request.ctx, nameOf(request));
    return { resource_type_associations: found.map(associationView) };
  }

  @Handles(createResourceTypeAssociation)
  async associate(request: RequestOf<typeof createResourceTypeAssociation>) {
    refuseReadOnly(request.body);
    return associationView(await this.namespaces.associate(request.ctx, nameOf(request), request.body));
  }

  @Handles(deleteResourceTypeAssociation)
  async dissociate(request: ApiRequest): Promise<null> {
    await this.namespaces.dissociate(request.ctx, nameOf(request), request.params['resource_type_name'] ?? '');
    return null;
  }
}
