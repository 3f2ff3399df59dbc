import type { Migration } from '@nestack/kernel/db';
import { STANDARD_RESOURCE_CLASSES, standardTraits } from '@nestack/placement/contract';

const list = (names: readonly string[]): string => names.map((name) => `('${name}')`).join(', ');

/** How much can be allocated of an inventory; the largest number that a bigint column takes exactly bounds it. */
const CAPACITY = 'LEAST(trunc((total - reserved) * allocation_ratio), 9007199254740991)::bigint';

/**
 * Placement's schema, in order. Names of classes and traits are their own keys. An inventory knows what is used of it, kept
 * in the transaction that changes allocations, so that what is free is an indexed column.
 */
export const placementMigrations: readonly Migration[] = [
  {
    name: '0001-placement',
    up: [
      `CREATE TABLE resource_class (
        name text COLLATE "C" PRIMARY KEY,
        seq integer GENERATED ALWAYS AS IDENTITY,
        created_at timestamptz DEFAULT clock_timestamp(),
        updated_at timestamptz
      )`,
      `CREATE TABLE trait (
        name text COLLATE "C" PRIMARY KEY,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`,
      'CREATE SEQUENCE resource_provider_id AS integer',
      `CREATE TABLE resource_provider (
        id integer PRIMARY KEY,
        uuid uuid NOT NULL CONSTRAINT resource_provider_uuid UNIQUE,
        name text NOT NULL CONSTRAINT resource_provider_name UNIQUE,
        generation integer NOT NULL DEFAULT 0,
        root_id integer NOT NULL REFERENCES resource_provider (id),
        parent_id integer REFERENCES resource_provider (id),
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz
      )`,
      'CREATE INDEX resource_provider_root ON resource_provider (root_id)',
      'CREATE INDEX resource_provider_parent ON resource_provider (parent_id) WHERE parent_id IS NOT NULL',
      `CREATE TABLE inventory (
        provider_id integer NOT NULL REFERENCES resource_provider (id) ON DELETE CASCADE,
        resource_class text COLLATE "C" NOT NULL REFERENCES resource_class (name) ON UPDATE CASCADE,
        total integer NOT NULL,
        reserved integer NOT NULL,
        min_unit integer NOT NULL,
        max_unit integer NOT NULL,
        step_size integer NOT NULL,
        allocation_ratio double precision NOT NULL,
        used bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
        capacity bigint GENERATED ALWAYS AS (${CAPACITY}) STORED,
        free bigint GENERATED ALWAYS AS (${CAPACITY} - used) STORED,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz,
        PRIMARY KEY (provider_id, resource_class)
      )`,
      'CREATE INDEX inventory_free ON inventory (resource_class, free DESC, provider_id)',
      `CREATE TABLE provider_trait (
        provider_id integer NOT NULL REFERENCES resource_provider (id) ON DELETE CASCADE,
        trait text COLLATE "C" NOT NULL REFERENCES trait (name),
        PRIMARY KEY (provider_id, trait)
      )`,
      'CREATE INDEX provider_trait_trait ON provider_trait (trait, provider_id)',
      `CREATE TABLE provider_aggregate (
        provider_id integer NOT NULL REFERENCES resource_provider (id) ON DELETE CASCADE,
        aggregate_uuid uuid NOT NULL,
        PRIMARY KEY (provider_id, aggregate_uuid)
      )`,
      'CREATE INDEX provider_aggregate_uuid ON provider_aggregate (aggregate_uuid, provider_id)',
      `CREATE TABLE consumer (
        uuid uuid PRIMARY KEY,
        project_id text NOT NULL,
        user_id text NOT NULL,
        consumer_type text,
        generation integer NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz
      )`,
      'CREATE INDEX consumer_project ON consumer (project_id, user_id)',
      `CREATE TABLE allocation (
        consumer_uuid uuid NOT NULL REFERENCES consumer (uuid),
        provider_id integer NOT NULL,
        resource_class text COLLATE "C" NOT NULL,
        used integer NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (consumer_uuid, provider_id, resource_class),
        FOREIGN KEY (provider_id, resource_class) REFERENCES inventory (provider_id, resource_class) ON UPDATE CASCADE
      )`,
      'CREATE INDEX allocation_inventory ON allocation (provider_id, resource_class)',
      `INSERT INTO resource_class (name) VALUES ${list(STANDARD_RESOURCE_CLASSES)}`,
      'UPDATE resource_class SET created_at = NULL',
      `INSERT INTO trait (name) VALUES ${list(standardTraits())}`,
    ],
  },
  {
    name: '0002-aggregates-as-given',
    up: ['ALTER TABLE provider_aggregate ALTER COLUMN aggregate_uuid TYPE text COLLATE "C" USING aggregate_uuid::text'],
  },
];
