import { isoSeconds } from '@nestack/kernel/clock';
import {
  GlanceError,
  type MetadefAssociationView,
  type MetadefNamespaceView,
  type MetadefObjectView,
  type MetadefPropertyBody,
} from '@nestack/glance/contract';
import type { Association, MetadefPart, Namespace, NamespaceDetail } from '@nestack/glance/domain';

export const stampsOf = (of: { readonly created_at: Date; readonly updated_at: Date }) => ({
  created_at: isoSeconds(of.created_at),
  updated_at: isoSeconds(of.updated_at),
});

/** A namespace on the wire; what it does not say is left out, as upstream leaves it out. */
export function namespaceView(namespace: Namespace, associations: readonly Association[] = []): MetadefNamespaceView {
  return {
    namespace: namespace.namespace,
    ...(namespace.display_name === null ? {} : { display_name: namespace.display_name }),
    ...(namespace.description === null ? {} : { description: namespace.description }),
    visibility: namespace.visibility,
    protected: namespace.protected,
    ...(namespace.owner === null ? {} : { owner: namespace.owner }),
    ...(associations.length === 0 ? {} : { resource_type_associations: associations.map(associationView) }),
    ...stampsOf(namespace),
    self: namespaceHref(namespace.namespace),
    schema: '/v2/schemas/metadefs/namespace',
  };
}

/** A namespace with all that it holds. */
export function namespaceDetailView(detail: NamespaceDetail): MetadefNamespaceView {
  const { namespace, parts, associations } = detail;
  const of = (kind: MetadefPart['kind']): MetadefPart[] => parts.filter((part) => part.kind === kind);
  const [objects, properties, tags] = [of('object'), of('property'), of('tag')];
  return {
    ...namespaceView(namespace, associations),
    ...(objects.length === 0 ? {} : { objects: objects.map((one) => objectView(namespace.namespace, one)) }),
    ...(properties.length === 0 ? {} : { properties: propertiesView(properties) }),
    ...(tags.length === 0 ? {} : { tags: tags.map(({ name }) => ({ name })) }),
  };
}

export function namespaceHref(name: string): string {
  return `/v2/metadefs/namespaces/${name}`;
}

export function objectView(namespace: string, part: MetadefPart): MetadefObjectView {
  const body = part.body as Pick<MetadefObjectView, 'description' | 'required' | 'properties'>;
  return {
    name: part.name,
    ...body,
    ...stampsOf(part),
    self: `${namespaceHref(namespace)}/objects/${part.name}`,
    schema: '/v2/schemas/metadefs/object',
  };
}

export function propertiesView(parts: readonly MetadefPart[]): Record<string, MetadefPropertyBody> {
  return Object.fromEntries(parts.map((part) => [part.name, part.body as MetadefPropertyBody]));
}

/** A property by itself. */
export function propertyView(part: MetadefPart): MetadefPropertyBody {
  return { ...(part.body as MetadefPropertyBody), name: part.name };
}

export function tagView(part: MetadefPart) {
  return { name: part.name, ...stampsOf(part) };
}

export function associationView(association: Association): MetadefAssociationView {
  return {
    name: association.name,
    ...(association.prefix === null ? {} : { prefix: association.prefix }),
    ...(association.properties_target === null ? {} : { properties_target: association.properties_target }),
    ...stampsOf(association),
  };
}

/** Throws 403 when a request sets what only the service sets. */
export function refuseReadOnly(
  body: Readonly<Record<string, unknown>>,
  keys: readonly string[] = ['created_at', 'updated_at'],
): void {
  const name = keys.find((key) => Object.hasOwn(body, key));
  if (name !== undefined) throw GlanceError.AttributeReadOnly({ name });
}
