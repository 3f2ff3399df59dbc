import type { Migration } from '@nestack/kernel/db';

/** Cinder's schema, in order. Times have milliseconds, as what reads them has: a page begins exactly behind its marker. */
export const cinderMigrations: readonly Migration[] = [
  {
    name: '0001-cinder',
    up: [
      `CREATE TABLE qos_spec (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        consumer text NOT NULL,
        specs jsonb NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
      )`,
      `CREATE TABLE volume_type (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        description text,
        is_public boolean NOT NULL,
        extra_specs jsonb NOT NULL,
        qos_spec_id uuid REFERENCES qos_spec (id),
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz(3)
      )`,
      `INSERT INTO volume_type (id, name, description, is_public, extra_specs)
       VALUES (gen_random_uuid(), '__DEFAULT__', 'Default Volume Type', true, '{}')`,
      `CREATE TABLE volume_type_access (
        volume_type_id uuid NOT NULL REFERENCES volume_type (id) ON DELETE CASCADE,
        project_id text NOT NULL,
        PRIMARY KEY (volume_type_id, project_id)
      )`,
      `CREATE TABLE volume (
        id uuid PRIMARY KEY,
        project_id text NOT NULL,
        user_id text NOT NULL,
        name text,
        description text,
        size integer NOT NULL,
        status text NOT NULL,
        availability_zone text NOT NULL,
        host text,
        bootable boolean NOT NULL,
        multiattach boolean NOT NULL,
        readonly boolean NOT NULL,
        connected boolean NOT NULL,
        volume_type_id uuid NOT NULL REFERENCES volume_type (id),
        snapshot_id uuid,
        source_volid uuid,
        image_id uuid,
        metadata jsonb NOT NULL,
        image_metadata jsonb,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz(3)
      )`,
      'CREATE INDEX volume_created ON volume (created_at DESC, id DESC)',
      'CREATE INDEX volume_project ON volume (project_id, created_at DESC, id DESC)',
      'CREATE INDEX volume_name ON volume (project_id, name)',
      'CREATE INDEX volume_host ON volume (host)',
      'CREATE INDEX volume_of_type ON volume (volume_type_id)',
      `CREATE TABLE attachment (
        id uuid PRIMARY KEY,
        volume_id uuid NOT NULL REFERENCES volume (id) ON DELETE CASCADE,
        project_id text NOT NULL,
        instance_uuid text,
        attach_status text NOT NULL,
        attach_mode text NOT NULL,
        attached_host text,
        mountpoint text,
        connector jsonb,
        connection_info jsonb,
        attach_time timestamptz(3),
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
      )`,
      'CREATE INDEX attachment_volume ON attachment (volume_id)',
      'CREATE INDEX attachment_project ON attachment (project_id, created_at DESC, id DESC)',
      `CREATE TABLE snapshot (
        id uuid PRIMARY KEY,
        volume_id uuid NOT NULL REFERENCES volume (id),
        project_id text NOT NULL,
        user_id text NOT NULL,
        name text,
        description text,
        volume_size integer NOT NULL,
        status text NOT NULL,
        metadata jsonb NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz(3)
      )`,
      'CREATE INDEX snapshot_volume ON snapshot (volume_id)',
      'CREATE INDEX snapshot_project ON snapshot (project_id, created_at DESC, id DESC)',
      `CREATE TABLE transfer (
        id uuid PRIMARY KEY,
        volume_id uuid NOT NULL UNIQUE REFERENCES volume (id) ON DELETE CASCADE,
        name text,
        salt text NOT NULL,
        key_hash text NOT NULL,
        source_project_id text NOT NULL,
        no_snapshots boolean NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
      )`,
      `CREATE TABLE pool (
        host text PRIMARY KEY,
        provisioned integer NOT NULL
      )`,
      `CREATE TABLE quota_limit (
        project_id text NOT NULL,
        resource text NOT NULL,
        hard_limit integer NOT NULL,
        PRIMARY KEY (project_id, resource)
      )`,
      `CREATE TABLE quota_usage (
        project_id text NOT NULL,
        resource text NOT NULL,
        in_use integer NOT NULL,
        PRIMARY KEY (project_id, resource)
      )`,
      `CREATE TABLE service (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        uuid uuid NOT NULL DEFAULT gen_random_uuid(),
        binary_name text NOT NULL,
        host text NOT NULL,
        availability_zone text NOT NULL,
        disabled boolean NOT NULL DEFAULT false,
        disabled_reason text,
        capabilities jsonb,
        updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        UNIQUE (binary_name, host)
      )`,
    ],
  },
  {
    name: '0002-messages',
    up: [
      `CREATE TABLE message (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        project_id text NOT NULL,
        request_id text NOT NULL,
        resource_type text NOT NULL,
        resource_uuid text NOT NULL,
        event_id text NOT NULL,
        message_level text NOT NULL,
        user_message text NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        expires_at timestamptz(3) NOT NULL DEFAULT clock_timestamp() + interval '30 days'
      )`,
      'CREATE INDEX message_project ON message (project_id, created_at DESC, id DESC)',
      'CREATE INDEX message_expires ON message (expires_at)',
      `CREATE TABLE default_volume_type (
        project_id text PRIMARY KEY,
        volume_type_id uuid NOT NULL REFERENCES volume_type (id) ON DELETE CASCADE
      )`,
    ],
  },
  {
    name: '0003-large-sums',
    up: [
      'ALTER TABLE quota_limit ALTER COLUMN hard_limit TYPE bigint',
      'ALTER TABLE quota_usage ALTER COLUMN in_use TYPE bigint',
      'ALTER TABLE pool ALTER COLUMN provisioned TYPE bigint',
    ],
  },
  {
    name: '0004-flags',
    up: [
      'ALTER TABLE volume ALTER COLUMN readonly DROP NOT NULL',
      'UPDATE volume SET readonly = NULL WHERE NOT readonly',
      'ALTER TABLE service ADD COLUMN frozen boolean NOT NULL DEFAULT false',
    ],
  },
  {
    name: '0005-progress',
    up: ['ALTER TABLE snapshot ADD COLUMN progress text'],
  },
  {
    name: '0006-groups',
    up: [
      `CREATE TABLE group_type (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        description text,
        is_public boolean NOT NULL,
        group_specs jsonb NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz(3)
      )`,
      `CREATE TABLE volume_group (
        id uuid PRIMARY KEY,
        project_id text NOT NULL,
        user_id text NOT NULL,
        name text,
        description text,
        group_type_id uuid NOT NULL REFERENCES group_type (id),
        status text NOT NULL,
        availability_zone text NOT NULL,
        host text,
        group_snapshot_id uuid,
        source_group_id uuid,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz(3)
      )`,
      'CREATE INDEX volume_group_project ON volume_group (project_id, created_at DESC, id DESC)',
      'CREATE INDEX volume_group_of_type ON volume_group (group_type_id)',
      `CREATE TABLE group_volume_type (
        group_id uuid NOT NULL REFERENCES volume_group (id) ON DELETE CASCADE,
        volume_type_id uuid NOT NULL REFERENCES volume_type (id),
        at integer NOT NULL,
        PRIMARY KEY (group_id, volume_type_id)
      )`,
      'CREATE INDEX group_volume_type_type ON group_volume_type (volume_type_id)',
      `CREATE TABLE group_snapshot (
        id uuid PRIMARY KEY,
        group_id uuid NOT NULL REFERENCES volume_group (id),
        group_type_id uuid NOT NULL,
        project_id text NOT NULL,
        user_id text NOT NULL,
        name text,
        description text,
        status text NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz(3)
      )`,
      'CREATE INDEX group_snapshot_project ON group_snapshot (project_id, created_at DESC, id DESC)',
      'CREATE INDEX group_snapshot_group ON group_snapshot (group_id)',
      'ALTER TABLE volume ADD COLUMN group_id uuid REFERENCES volume_group (id)',
      'CREATE INDEX volume_of_group ON volume (group_id) WHERE group_id IS NOT NULL',
      'ALTER TABLE snapshot ADD COLUMN group_snapshot_id uuid REFERENCES group_snapshot (id)',
      'CREATE INDEX snapshot_of_group ON snapshot (group_snapshot_id) WHERE group_snapshot_id IS NOT NULL',
      `CREATE TABLE volume_type_encryption (
        volume_type_id uuid PRIMARY KEY REFERENCES volume_type (id) ON DELETE CASCADE,
        encryption_id uuid NOT NULL DEFAULT gen_random_uuid(),
        provider text NOT NULL,
        control_location text NOT NULL,
        cipher text,
        key_size integer,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz(3)
      )`,
    ],
  },
  {
    name: '0007-migration-status',
    up: ['ALTER TABLE volume ADD COLUMN migration_status text'],
  },
  {
    name: '0008-backups',
    up: [
      `CREATE TABLE backup (
        id uuid PRIMARY KEY,
        project_id text NOT NULL,
        user_id text NOT NULL,
        name text,
        description text,
        volume_id uuid NOT NULL,
        snapshot_id uuid,
        parent_id uuid,
        status text NOT NULL,
        size integer NOT NULL,
        object_count integer NOT NULL,
        availability_zone text,
        container text,
        host text,
        service text,
        service_metadata text,
        fail_reason text,
        data_timestamp timestamptz(3),
        metadata jsonb NOT NULL,
        of_copy boolean NOT NULL,
        restore_volume_id uuid,
        created_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
        updated_at timestamptz(3)
      )`,
      'CREATE INDEX backup_project ON backup (project_id, created_at DESC, id DESC)',
      'CREATE INDEX backup_volume ON backup (volume_id, data_timestamp DESC)',
      'CREATE INDEX backup_parent ON backup (parent_id) WHERE parent_id IS NOT NULL',
    ],
  },
  {
    name: '0009-image-requests',
    up: ['CREATE TABLE image_request (image_id uuid PRIMARY KEY, state text NOT NULL)'],
  },
];
