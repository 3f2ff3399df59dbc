import type { Migration } from '@nestack/kernel/db';

/** Nova's schema, in order. */
export const novaMigrations: readonly Migration[] = [
  {
    name: '0001-nova',
    up: [
      `CREATE TABLE instance (
        uuid uuid PRIMARY KEY,
        project_id text NOT NULL,
        user_id text NOT NULL,
        display_name text NOT NULL,
        hostname text NOT NULL,
        display_description text,
        vm_state text NOT NULL,
        task_state text,
        power_state smallint NOT NULL DEFAULT 0,
        progress smallint NOT NULL DEFAULT 0,
        host text,
        node text,
        availability_zone text,
        launch_index integer NOT NULL DEFAULT 0,
        reservation_id text NOT NULL,
        flavor jsonb NOT NULL,
        image jsonb,
        key_name text,
        key_data text,
        user_data text,
        config_drive boolean NOT NULL DEFAULT false,
        metadata jsonb NOT NULL DEFAULT '{}',
        tags jsonb NOT NULL DEFAULT '[]',
        access_ip_v4 text,
        access_ip_v6 text,
        disk_config text NOT NULL DEFAULT 'MANUAL',
        locked_by text,
        locked_reason text,
        root_device_name text,
        nics jsonb NOT NULL DEFAULT '[]',
        fault jsonb,
        request jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        launched_at timestamptz,
        terminated_at timestamptz,
        deleted_at timestamptz
      )`,
      'CREATE INDEX instance_project ON instance (project_id, created_at DESC, uuid DESC) WHERE deleted_at IS NULL',
      'CREATE INDEX instance_created ON instance (created_at DESC, uuid DESC) WHERE deleted_at IS NULL',
      'CREATE INDEX instance_host ON instance (host) WHERE deleted_at IS NULL',
      'CREATE INDEX instance_changes ON instance (project_id, updated_at)',
      `CREATE TABLE block_device_mapping (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        instance_uuid uuid NOT NULL REFERENCES instance (uuid),
        source_type text NOT NULL,
        source_id text,
        volume_id uuid,
        volume_size integer,
        volume_type text,
        attachment_id uuid,
        connection_info jsonb,
        device_name text,
        boot_index integer,
        delete_on_termination boolean NOT NULL DEFAULT false,
        tag text,
        state text NOT NULL
      )`,
      'CREATE INDEX bdm_instance ON block_device_mapping (instance_uuid)',
      'CREATE UNIQUE INDEX bdm_volume ON block_device_mapping (instance_uuid, volume_id)',
      'CREATE UNIQUE INDEX bdm_device ON block_device_mapping (instance_uuid, device_name)',
      `CREATE TABLE external_event (
        instance_uuid uuid NOT NULL REFERENCES instance (uuid),
        name text NOT NULL,
        tag text NOT NULL,
        status text NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (instance_uuid, name, tag)
      )`,
      `CREATE TABLE flavor (
        flavor_id text PRIMARY KEY,
        name text NOT NULL CONSTRAINT flavor_name UNIQUE,
        vcpus integer NOT NULL,
        memory_mb integer NOT NULL,
        root_gb integer NOT NULL,
        ephemeral_gb integer NOT NULL,
        swap_mb integer NOT NULL,
        rxtx_factor double precision NOT NULL,
        is_public boolean NOT NULL,
        disabled boolean NOT NULL,
        description text,
        extra_specs jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz
      )`,
      `CREATE TABLE flavor_access (
        flavor_id text NOT NULL REFERENCES flavor (flavor_id) ON DELETE CASCADE,
        project_id text NOT NULL,
        PRIMARY KEY (flavor_id, project_id)
      )`,
      `CREATE TABLE key_pair (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        user_id text NOT NULL,
        name text NOT NULL,
        type text NOT NULL,
        fingerprint text NOT NULL,
        public_key text NOT NULL,
        created_at timestamptz NOT NULL,
        CONSTRAINT key_pair_name UNIQUE (user_id, name)
      )`,
      `CREATE TABLE service (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        uuid uuid NOT NULL UNIQUE,
        host text NOT NULL,
        binary_name text NOT NULL,
        topic text NOT NULL,
        availability_zone text NOT NULL,
        disabled boolean NOT NULL DEFAULT false,
        disabled_reason text,
        forced_down boolean NOT NULL DEFAULT false,
        last_seen_up timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz,
        CONSTRAINT service_host_binary UNIQUE (host, binary_name)
      )`,
      `CREATE TABLE compute_node (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        uuid uuid NOT NULL UNIQUE,
        host text NOT NULL UNIQUE,
        facts jsonb NOT NULL,
        service_id bigint NOT NULL REFERENCES service (id),
        created_at timestamptz NOT NULL,
        updated_at timestamptz
      )`,
      `CREATE TABLE quota (
        project_id text NOT NULL,
        resource text NOT NULL,
        hard_limit integer NOT NULL,
        PRIMARY KEY (project_id, resource)
      )`,
      `CREATE TABLE quota_class (
        class_name text NOT NULL,
        resource text NOT NULL,
        hard_limit integer NOT NULL,
        PRIMARY KEY (class_name, resource)
      )`,
    ],
  },
  {
    name: '0002-aggregates',
    up: [
      `CREATE TABLE host_aggregate (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        uuid uuid NOT NULL UNIQUE,
        name text NOT NULL UNIQUE,
        hosts jsonb NOT NULL,
        metadata jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz
      )`,
    ],
  },
  {
    name: '0003-server-migrations',
    up: [
      `CREATE TABLE server_migration (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        uuid uuid NOT NULL UNIQUE,
        instance_uuid uuid NOT NULL REFERENCES instance (uuid),
        project_id text NOT NULL,
        user_id text NOT NULL,
        migration_type text NOT NULL,
        status text NOT NULL,
        source_compute text NOT NULL,
        source_node text NOT NULL,
        dest_compute text NOT NULL,
        dest_node text NOT NULL,
        old_flavor jsonb NOT NULL,
        new_flavor jsonb NOT NULL,
        old_vm_state text NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      )`,
      "CREATE UNIQUE INDEX server_migration_open ON server_migration (instance_uuid) WHERE status NOT IN ('confirmed', 'reverted', 'error')",
      'CREATE INDEX server_migration_instance ON server_migration (instance_uuid)',
    ],
  },
  {
    name: '0004-server-groups',
    up: [
      `CREATE TABLE server_group (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        uuid uuid NOT NULL UNIQUE,
        project_id text NOT NULL,
        user_id text NOT NULL,
        name text NOT NULL,
        policy text NOT NULL,
        rules jsonb NOT NULL,
        created_at timestamptz NOT NULL
      )`,
      'CREATE INDEX server_group_project ON server_group (project_id, id)',
      // held_host: where a member is about to be built, until the server itself says where it is.
      `CREATE TABLE server_group_member (
        instance_uuid uuid PRIMARY KEY REFERENCES instance (uuid),
        group_uuid uuid NOT NULL REFERENCES server_group (uuid) ON DELETE CASCADE,
        held_host text
      )`,
      'CREATE INDEX server_group_member_group ON server_group_member (group_uuid)',
    ],
  },
  {
    name: '0005-console-auth-tokens',
    up: [
      `CREATE TABLE console_auth_token (
        digest text PRIMARY KEY,
        instance_uuid uuid NOT NULL REFERENCES instance (uuid),
        compute_host text NOT NULL,
        console_type text NOT NULL,
        host text NOT NULL,
        port integer NOT NULL,
        internal_access_path text NOT NULL,
        access_url_base text NOT NULL,
        expires_at timestamptz NOT NULL
      )`,
      'CREATE INDEX console_auth_token_expiry ON console_auth_token (expires_at)',
    ],
  },
  {
    name: '0007-server-passwords',
    up: [
      `CREATE TABLE server_password (
        instance_uuid uuid PRIMARY KEY REFERENCES instance (uuid),
        password text NOT NULL
      )`,
    ],
  },
  {
    name: '0008-moves-between-hosts',
    up: [
      'ALTER TABLE server_migration ADD COLUMN dest_host text, ALTER COLUMN dest_compute DROP NOT NULL, ALTER COLUMN dest_node DROP NOT NULL',
    ],
  },
  {
    name: '0009-kept-servers',
    up: ["CREATE INDEX instance_kept ON instance (uuid) WHERE vm_state = 'shelved' AND deleted_at IS NULL"],
  },
  {
    name: '0010-quotas-of-users',
    up: [
      `CREATE TABLE quota_of_user (
        project_id text NOT NULL,
        user_id text NOT NULL,
        resource text NOT NULL,
        hard_limit integer NOT NULL,
        PRIMARY KEY (project_id, user_id, resource)
      )`,
    ],
  },
];
