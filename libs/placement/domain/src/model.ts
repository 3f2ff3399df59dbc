/** A resource provider. `id` is internal and gives the order in which providers are locked. */
export interface Provider {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly generation: number;
  readonly root_id: number;
  readonly root_uuid: string;
  readonly parent_id: number | null;
  readonly parent_uuid: string | null;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

/** What is offered of one resource class. */
export interface InventoryFields {
  readonly total: number;
  readonly reserved: number;
  readonly min_unit: number;
  readonly max_unit: number;
  readonly step_size: number;
  readonly allocation_ratio: number;
}

export interface Inventory extends InventoryFields {
  readonly resource_class: string;
  readonly used: number;
  readonly created_at: Date;
  readonly updated_at: Date | null;
}

export interface ResourceClass {
  readonly name: string;
  readonly created_at: Date | null;
  readonly updated_at: Date | null;
}

export interface Trait {
  readonly name: string;
  readonly created_at: Date;
}

/** One row of a consumer's allocations. */
export interface Allocation {
  readonly provider_uuid: string;
  readonly provider_generation: number;
  readonly resource_class: string;
  readonly used: number;
  readonly created_at: Date;
}

/** Who consumes: an instance, a migration, or whatever else has a UUID. */
export interface Consumer {
  readonly uuid: string;
  readonly generation: number;
  readonly project_id: string;
  readonly user_id: string;
  readonly consumer_type: string | null;
}

/** What a consumer shall hold from now on, by provider and resource class; nothing at all when empty. */
export interface ConsumerRequest {
  readonly consumer_uuid: string;
  readonly project_id: string;
  readonly user_id: string;
  /** Undefined leaves the type as it is. */
  readonly consumer_type: string | undefined;
  /** What the caller believes; null for a new consumer, undefined when the version knows no generations. */
  readonly generation: number | null | undefined;
  readonly allocations: ReadonlyMap<string, Readonly<Record<string, number>>>;
}

/** Amounts in use by resource class, of the consumers of one type. */
export interface Usage {
  readonly consumer_type: string;
  readonly consumer_count: number;
  readonly used: Readonly<Record<string, number>>;
}
