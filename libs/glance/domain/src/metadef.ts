import type { Tx } from '@nestack/kernel/context';
import type { MetadefAssociationBody, MetadefKind } from '@nestack/glance/contract';
import type { Viewer } from './image';
import type { SortKey } from './ports';

/** A namespace of metadata definitions. */
export interface Namespace {
  /** The database's own number of it; 0 until it is there. */
  readonly id: number;
  readonly namespace: string;
  readonly display_name: string | null;
  readonly description: string | null;
  readonly visibility: 'public' | 'private';
  readonly protected: boolean;
  readonly owner: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** An object, property or tag in a namespace; what it says beside its name is its body. */
export interface MetadefPart {
  readonly kind: MetadefKind;
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** That a namespace is for a type of resources. */
export interface Association {
  readonly name: string;
  readonly prefix: string | null;
  readonly properties_target: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface ResourceType {
  readonly name: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface NamespaceQuery {
  readonly visibility: 'public' | 'private' | null;
  /** Only namespaces for one of these resource types; null for all. */
  readonly resourceTypes: readonly string[] | null;
  readonly sort: SortKey;
  readonly marker: string | null;
  readonly limit: number;
}

export interface PartQuery {
  readonly sort: SortKey;
  readonly marker: string | null;
  /** null for all. */
  readonly limit: number | null;
}

/** A namespace with all that it holds. */
export interface NamespaceDetail {
  readonly namespace: Namespace;
  readonly parts: readonly MetadefPart[];
  readonly associations: readonly Association[];
}

/** The catalogue of metadata definitions in the database. */
export interface MetadefRepository {
  /** Throws `NamespaceExists`. Returns the namespace with its number. */
  insertNamespace(tx: Tx, namespace: Namespace): Promise<Namespace>;
  /** By name, when the viewer may see it. `lock` holds the row until the transaction ends. */
  findNamespace(tx: Tx, name: string, viewer: Viewer, options?: { readonly lock?: boolean }): Promise<Namespace | null>;
  /** Throws `NamespaceNotFound` for a marker that the viewer does not see. */
  listNamespaces(tx: Tx, viewer: Viewer, query: NamespaceQuery): Promise<readonly Namespace[]>;
  /** Throws `NamespaceExists`. */
  updateNamespace(tx: Tx, namespace: Namespace): Promise<void>;
  /** With all that it holds. */
  removeNamespace(tx: Tx, namespace: Namespace): Promise<void>;

  /** Throws `MetadefExists` or `MetadefTagExists`. */
  insertParts(tx: Tx, namespace: Namespace, parts: readonly MetadefPart[]): Promise<void>;
  findPart(tx: Tx, namespace: Namespace, kind: MetadefKind, name: string): Promise<MetadefPart | null>;
  /** Throws `MetadefNotFound` for an unknown marker. */
  listParts(tx: Tx, namespace: Namespace, kind: MetadefKind | null, query: PartQuery): Promise<readonly MetadefPart[]>;
  /** Throws `MetadefExists` or `MetadefTagExists`; false when there is none of the old name. */
  updatePart(tx: Tx, namespace: Namespace, oldName: string, part: MetadefPart): Promise<boolean>;
  removePart(tx: Tx, namespace: Namespace, kind: MetadefKind, name: string): Promise<boolean>;
  removeParts(tx: Tx, namespace: Namespace, kind: MetadefKind): Promise<void>;

  listResourceTypes(tx: Tx): Promise<readonly ResourceType[]>;
  /** Of several namespaces at once, by their numbers. */
  associationsOf(tx: Tx, namespaces: readonly Namespace[]): Promise<ReadonlyMap<number, readonly Association[]>>;
  /** Makes the resource type where there is none. Throws `AssociationExists`. */
  associate(tx: Tx, namespace: Namespace, body: MetadefAssociationBody, at: Date): Promise<Association>;
  dissociate(tx: Tx, namespace: Namespace, resourceType: string): Promise<boolean>;
}
