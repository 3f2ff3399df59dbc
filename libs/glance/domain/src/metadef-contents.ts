import type { RequestContext, Tx } from '@nestack/kernel/context';
import { GlanceError, type MetadefKind } from '@nestack/glance/contract';
import { viewerOf } from './access';
import type { MetadefPart, Namespace, PartQuery } from './metadef';
import { mustAllowMetadef, namespaceTarget, type MetadefParts } from './metadef-namespaces';

/** The rules of each kind of part. upstream: glance/policies/metadef.py */
const RULES: Readonly<Record<MetadefKind, Readonly<Record<'list' | 'get' | 'add' | 'modify' | 'remove', string>>>> = {
  object: {
    list: 'get_metadef_objects',
    get: 'get_metadef_object',
    add: 'add_metadef_object',
    modify: 'modify_metadef_object',
    remove: 'delete_metadef_object',
  },
  property: {
    list: 'get_metadef_properties',
    get: 'get_metadef_property',
    add: 'add_metadef_property',
    modify: 'modify_metadef_property',
    remove: 'remove_metadef_property',
  },
  tag: {
    list: 'get_metadef_tags',
    get: 'get_metadef_tag',
    add: 'add_metadef_tag',
    modify: 'modify_metadef_tag',
    remove: 'delete_metadef_tag',
  },
};

/** What a part says, as it comes from a request. */
export interface NewPart {
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Objects, properties and tags in namespaces of metadata definitions. */
export class MetadefContents {
  constructor(private readonly parts: MetadefParts) {}

  async list(ctx: RequestContext, name: string, kind: MetadefKind, query: PartQuery): Promise<readonly MetadefPart[]> {
    const { policy } = this.parts;
    return this.parts.db.read('metadef.list', async (tx) => {
      const namespace = await this.#visible(tx, ctx, name);
      mustAllowMetadef(ctx, policy, RULES[kind].list, namespace);
      if (kind === 'object' && !policy.allows(ctx, RULES[kind].get, namespaceTarget(namespace))) return [];
      return this.parts.metadefs.listParts(tx, namespace, kind, query);
    });
  }

  /**
   * One part. A property may be asked for as a resource type's resources name it: then with that type's prefix, which is
   * taken off.
   */
  async show(
    ctx: RequestContext,
    name: string,
    kind: MetadefKind,
    partName: string,
    resourceType: string | null = null,
  ): Promise<MetadefPart> {
    return this.parts.db.read('metadef.show', async (tx) => {
      const namespace = await this.#visible(tx, ctx, name);
      mustAllowMetadef(ctx, this.parts.policy, RULES[kind].get, namespace);
      const bare = resourceType === null ? partName : await this.#bareName(tx, ctx, namespace, partName, resourceType);
      return this.#found(tx, namespace, kind, bare);
    });
  }

  async add(ctx: RequestContext, name: string, kind: MetadefKind, wanted: NewPart): Promise<MetadefPart> {
    return this.parts.db.run('metadef.add', async (tx) => {
      const namespace = await this.#changeable(tx, ctx, name, RULES[kind].add);
      const part = this.#part(kind, wanted);
      await this.parts.metadefs.insertParts(tx, namespace, [part]);
      return part;
    });
  }

  /** Gives a namespace these tags: instead of those that it has, or beside them. */
  async setTags(
    ctx: RequestContext,
    name: string,
    tags: readonly string[],
    append: boolean,
  ): Promise<readonly MetadefPart[]> {
    return this.parts.db.run('metadef.tags', async (tx) => {
      const namespace = await this.#changeable(tx, ctx, name, 'add_metadef_tags');
      if (!append) await this.parts.metadefs.removeParts(tx, namespace, 'tag');
      const parts = tags.map((tag) => this.#part('tag', { name: tag, body: {} }));
      await this.parts.metadefs.insertParts(tx, namespace, parts);
      return parts;
    });
  }

  async update(
    ctx: RequestContext,
    name: string,
    kind: MetadefKind,
    partName: string,
    wanted: NewPart,
  ): Promise<MetadefPart> {
    return this.parts.db.run('metadef.update', async (tx) => {
      const namespace = await this.#changeable(tx, ctx, name, RULES[kind].modify);
      const old = await this.#found(tx, namespace, kind, partName);
      const part: MetadefPart = { ...old, ...wanted, updated_at: this.parts.clock.now() };
      await this.parts.metadefs.updatePart(tx, namespace, old.name, part);
      return part;
    });
  }

  async remove(ctx: RequestContext, name: string, kind: MetadefKind, partName: string): Promise<void> {
    await this.parts.db.run('metadef.remove', async (tx) => {
      const namespace = await this.#changeable(tx, ctx, name, RULES[kind].remove);
      const part = await this.#found(tx, namespace, kind, partName);
      if (namespace.protected) throw GlanceError.MetadefProtected({ what: kind, name: part.name });
      await this.parts.metadefs.removePart(tx, namespace, kind, part.name);
    });
  }

  /** Removes all parts of a kind; who may do that is who may remove the namespace. */
  async removeAll(ctx: RequestContext, name: string, kind: MetadefKind): Promise<void> {
    await this.parts.db.run('metadef.remove-all', async (tx) => {
      const namespace = await this.#changeable(tx, ctx, name, 'delete_metadef_namespace');
      if (kind === 'tag') mustAllowMetadef(ctx, this.parts.policy, 'delete_metadef_tags', namespace);
      if (namespace.protected) throw GlanceError.NamespaceProtected({ namespace: name });
      await this.parts.metadefs.removeParts(tx, namespace, kind);
    });
  }

  #part(kind: MetadefKind, wanted: NewPart): MetadefPart {
    const now = this.parts.clock.now();
    return { kind, ...wanted, created_at: now, updated_at: now };
  }

  async #found(tx: Tx, namespace: Namespace, kind: MetadefKind, name: string): Promise<MetadefPart> {
    const part = await this.parts.metadefs.findPart(tx, namespace, kind, name);
    if (part === null) throw GlanceError.MetadefNotFound({ what: kind, name, namespace: namespace.namespace });
    return part;
  }

  async #bareName(
    tx: Tx,
    ctx: RequestContext,
    namespace: Namespace,
    name: string,
    resourceType: string,
  ): Promise<string> {
    mustAllowMetadef(ctx, this.parts.policy, 'get_metadef_resource_type', namespace);
    const associations = (await this.parts.metadefs.associationsOf(tx, [namespace])).get(namespace.id) ?? [];
    const association = associations.find((one) => one.name === resourceType);
    if (association === undefined)
      throw GlanceError.AssociationNotFound({ name: resourceType, namespace: namespace.namespace });
    const prefix = association.prefix ?? '';
    if (prefix === '' || !name.startsWith(prefix)) throw GlanceError.PropertyWithoutPrefix({ name, prefix });
    return name.slice(prefix.length);
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
}
