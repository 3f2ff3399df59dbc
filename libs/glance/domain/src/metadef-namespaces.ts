import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import {
  GlanceError,
  type MetadefAssociationBody,
  type MetadefNamespaceBody,
  type MetadefObjectBody,
} from '@nestack/glance/contract';
import { viewerOf } from './access';
import type {
  Association,
  MetadefPart,
  MetadefRepository,
  Namespace,
  NamespaceDetail,
  NamespaceQuery,
  PartQuery,
  ResourceType,
} from './metadef';
import type { ImagePolicy } from './ports';

export interface MetadefParts {
  readonly db: TransactionRunner;
  readonly policy: ImagePolicy;
  readonly metadefs: MetadefRepository;
  readonly clock: Clock;
}

/** The order in which upstream shows what a namespace holds: the newest first. */
export const NEWEST_FIRST: PartQuery = { sort: { key: 'created_at', direction: 'desc' }, marker: null, limit: null };

/** A namespace as policy rules see it. upstream: glance/api/v2/policy.py MetadefAPIPolicy */
export function namespaceTarget(namespace: Namespace): Readonly<Record<string, unknown>> {
  return { project_id: namespace.owner, owner: namespace.owner, visibility: namespace.visibility };
}

/** Throws 403; 404 where the caller may not even see the namespace. */
export function mustAllowMetadef(ctx: RequestContext, policy: ImagePolicy, rule: string, namespace: Namespace): void {
  const target = namespaceTarget(namespace);
  if (policy.allows(ctx, rule, target)) return;
  if (!policy.allows(ctx, 'get_metadef_namespace', target))
    throw GlanceError.NamespaceUnknown({ namespace: namespace.namespace });
  throw GlanceError.Forbidden({ action: rule });
}

/** Namespaces of metadata definitions, and the resource types that they are for. */
export class MetadefNamespaces {
  constructor(private readonly parts: MetadefParts) {}

  async list(
    ctx: RequestContext,
    query: NamespaceQuery,
  ): Promise<readonly { readonly namespace: Namespace; readonly associations: readonly Association[] }[]> {
    const { metadefs, policy } = this.parts;
    this.#mayWithout(ctx, 'list_metadef_resource_types');
    return this.parts.db.read('metadef.namespaces', async (tx) => {
      const all = await metadefs.listNamespaces(tx, viewerOf(ctx, policy), query);
      const seen = all.filter((one) => policy.allows(ctx, 'get_metadef_namespace', namespaceTarget(one)));
      const associations = await metadefs.associationsOf(tx, seen);
      return seen.map((namespace) => ({ namespace, associations: associations.get(namespace.id) ?? [] }));
    });
  }

  /** Creates a namespace with everything that comes with it, or nothing of it. */
  async create(ctx: RequestContext, body: MetadefNamespaceBody): Promise<NamespaceDetail> {
    const { metadefs } = this.parts;
    this.#mayWithout(ctx, 'add_metadef_namespace');
    if ((body.resource_type_associations ?? []).length > 0)
      this.#mayWithout(ctx, 'add_metadef_resource_type_association');
    if ((body.objects ?? []).length > 0) this.#mayWithout(ctx, 'add_metadef_object');
    if (Object.keys(body.properties ?? {}).length > 0) this.#mayWithout(ctx, 'add_metadef_property');
    if ((body.tags ?? []).length > 0) this.#mayWithout(ctx, 'add_metadef_tag');
    const now = this.parts.clock.now();
    const wanted: Namespace = {
      id: 0,
      namespace: body.namespace,
      ...changeable(ctx, body),
      created_at: now,
      updated_at: now,
    };
    const held = partsOf(body, now);
    return this.parts.db.run('metadef.namespace.create', async (tx) => {
      const namespace = await metadefs.insertNamespace(tx, wanted);
      const associations: Association[] = [];
      for (const one of body.resource_type_associations ?? [])
        associations.push(await metadefs.associate(tx, namespace, one, now));
      await metadefs.insertParts(tx, namespace, held);
      return { namespace, parts: held, associations };
    });
  }

  /** A namespace with all it holds; for a resource type, properties have the prefix that they get there. */
  async show(ctx: RequestContext, name: string, resourceType: string | null): Promise<NamespaceDetail> {
    const { metadefs, policy } = this.parts;
    return this.parts.db.read('metadef.namespace.show', async (tx) => {
      const namespace = await metadefs.findNamespace(tx, name, viewerOf(ctx, policy));
      if (namespace === null || !policy.allows(ctx, 'get_metadef_namespace', namespaceTarget(namespace)))
        throw GlanceError.NamespaceNotFound({ namespace: name });
      for (const rule of [
        'list_metadef_resource_types',
        'get_metadef_objects',
        'get_metadef_properties',
        'get_metadef_tags',
      ])
        mustAllowMetadef(ctx, policy, rule, namespace);
      const parts = await metadefs.listParts(tx, namespace, null, NEWEST_FIRST);
      const associations = (await metadefs.associationsOf(tx, [namespace])).get(namespace.id) ?? [];
      const prefix = associations.find((one) => one.name === resourceType)?.prefix ?? '';
      return { namespace, parts: prefix === '' ? parts : parts.map((part) => prefixed(part, prefix)), associations };
    });
  }

  /** Replaces what a namespace says of itself; what is not named gets its default. */
  async update(ctx: RequestContext, name: string, body: MetadefNamespaceBody): Promise<Namespace> {
    return this.parts.db.run('metadef.namespace.update', async (tx) => {
      const old = await this.#changeable(tx, ctx, name, 'modify_metadef_namespace');
      const changed: Namespace = {
        ...old,
        namespace: body.namespace,
        ...changeable(ctx, body),
        updated_at: this.parts.clock.now(),
      };
      await this.parts.metadefs.updateNamespace(tx, changed);
      return changed;
    });
  }

  async remove(ctx: RequestContext, name: string): Promise<void> {
    await this.parts.db.run('metadef.namespace.remove', async (tx) => {
      const namespace = await this.#changeable(tx, ctx, name, 'delete_metadef_namespace');
      if (namespace.protected) throw GlanceError.NamespaceProtected({ namespace: name });
      await this.parts.metadefs.removeNamespace(tx, namespace);
    });
  }

  async resourceTypes(ctx: RequestContext): Promise<readonly ResourceType[]> {
    this.#mayWithout(ctx, 'list_metadef_resource_types');
    return this.parts.db.read('metadef.resource-types', (tx) => this.parts.metadefs.listResourceTypes(tx));
  }

  async associations(ctx: RequestContext, name: string): Promise<readonly Association[]> {
    const { metadefs, policy } = this.parts;
    return this.parts.db.read('metadef.associations', async (tx) => {
      const namespace = await this.#visible(tx, ctx, name);
      mustAllowMetadef(ctx, policy, 'list_metadef_resource_types', namespace);
      if (!policy.allows(ctx, 'get_metadef_resource_type', namespaceTarget(namespace))) return [];
      return (await metadefs.associationsOf(tx, [namespace])).get(namespace.id) ?? [];
    });
  }

  async associate(ctx: RequestContext, name: string, body: MetadefAssociationBody): Promise<Association> {
    return this.parts.db.run('metadef.associate', async (tx) => {
      const namespace = await this.#changeable(tx, ctx, name, 'add_metadef_resource_type_association');
      return this.parts.metadefs.associate(tx, namespace, body, this.parts.clock.now());
    });
  }

  async dissociate(ctx: RequestContext, name: string, resourceType: string): Promise<void> {
    await this.parts.db.run('metadef.dissociate', async (tx) => {
      const namespace = await this.#changeable(tx, ctx, name, 'remove_metadef_resource_type_association');
      if (!(await this.parts.metadefs.dissociate(tx, namespace, resourceType)))
        throw GlanceError.AssociationUnknown({ name: resourceType });
      if (namespace.protected)
        throw GlanceError.MetadefProtected({ what: 'resource-type-association', name: resourceType });
    });
  }

  async #visible(tx: Tx, ctx: RequestContext, name: string, lock = false): Promise<Namespace> {
    const namespace = await this.parts.metadefs.findNamespace(tx, name, viewerOf(ctx, this.parts.policy), { lock });
    if (namespace === null) throw GlanceError.NamespaceUnknown({ namespace: name });
    return namespace;
  }

  async #changeable(tx: Tx, ctx: RequestContext, name: string, rule: string): Promise<Namespace> {
    const namespace = await this.#visible(tx, ctx, name, true);
    mustAllowMetadef(ctx, this.parts.policy, rule, namespace);
    return namespace;
  }

  /** A rule that is about no namespace that exists. */
  #mayWithout(ctx: RequestContext, rule: string): void {
    if (!this.parts.policy.allows(ctx, rule, { project_id: ctx.actor?.projectId }))
      throw GlanceError.Forbidden({ action: rule });
  }
}

function changeable(
  ctx: RequestContext,
  body: MetadefNamespaceBody,
): Pick<Namespace, 'display_name' | 'description' | 'visibility' | 'protected' | 'owner'> {
  return {
    display_name: body.display_name ?? null,
    description: body.description ?? null,
    visibility: body.visibility ?? 'private',
    protected: body.protected ?? false,
    owner: body.owner ?? ctx.actor?.projectId ?? null,
  };
}

/** An object's body as it is kept: all its keys are there. */
export function objectBody(body: MetadefObjectBody): Readonly<Record<string, unknown>> {
  return {
    ...(body.description === undefined ? {} : { description: body.description }),
    required: body.required ?? [],
    properties: body.properties ?? {},
  };
}

function partsOf(body: MetadefNamespaceBody, at: Date): readonly MetadefPart[] {
  const stamps = { created_at: at, updated_at: at };
  return [
    ...(body.objects ?? []).map((one): MetadefPart => ({
      kind: 'object',
      name: one.name,
      body: objectBody(one),
      ...stamps,
    })),
    ...Object.entries(body.properties ?? {}).map(([name, property]): MetadefPart => ({
      kind: 'property',
      name,
      body: property,
      ...stamps,
    })),
    ...(body.tags ?? []).map((one): MetadefPart => ({ kind: 'tag', name: one.name, body: {}, ...stamps })),
  ];
}

/** A part as it is named on a resource type's resources: properties have its prefix there. */
function prefixed(part: MetadefPart, prefix: string): MetadefPart {
  if (part.kind === 'property') return { ...part, name: prefix + part.name };
  if (part.kind === 'tag') return part;
  const { required, properties } = part.body as {
    required: readonly string[];
    properties: Readonly<Record<string, unknown>>;
  };
  return {
    ...part,
    body: {
      ...part.body,
      required: required.map((name) => prefix + name),
      properties: Object.fromEntries(Object.entries(properties).map(([name, value]) => [prefix + name, value])),
    },
  };
}
