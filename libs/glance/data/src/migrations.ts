import type { Migration } from '@nestack/kernel/db';

/** Glance's schema, in order. */
export const glanceMigrations: readonly Migration[] = [
  {
    name: '0001-glance',
    up: [
      `CREATE TABLE image (
        id uuid PRIMARY KEY,
        name text,
        status text NOT NULL CHECK (status IN ('queued', 'saving', 'uploading', 'importing', 'active', 'deactivated')),
        visibility text NOT NULL CHECK (visibility IN ('public', 'private', 'shared', 'community')),
        protected boolean NOT NULL,
        os_hidden boolean NOT NULL,
        owner text,
        checksum text,
        os_hash_algo text,
        os_hash_value text,
        size bigint,
        virtual_size bigint,
        container_format text,
        disk_format text,
        min_ram integer NOT NULL,
        min_disk integer NOT NULL,
        properties jsonb NOT NULL,
        tags jsonb NOT NULL,
        staged jsonb,
        transfer_token uuid,
        transfer_until timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        deleted_at timestamptz
      )`,
      `CREATE INDEX image_created ON image (created_at DESC, id DESC) WHERE deleted_at IS NULL`,
      `CREATE INDEX image_owner ON image (owner, created_at DESC, id DESC) WHERE deleted_at IS NULL`,
      `CREATE INDEX image_name ON image (name) WHERE deleted_at IS NULL`,
      `CREATE INDEX image_transfer ON image (transfer_until) WHERE transfer_token IS NOT NULL`,
      `CREATE TABLE image_member (
        image_id uuid NOT NULL REFERENCES image (id),
        member_id text NOT NULL,
        status text NOT NULL CHECK (status IN ('pending', 'accepted', 'rejected')),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (image_id, member_id)
      )`,
      `CREATE INDEX image_member_member ON image_member (member_id)`,
      `CREATE TABLE task (
        id uuid PRIMARY KEY,
        image_id uuid NOT NULL,
        owner text NOT NULL,
        user_id text NOT NULL,
        request_id text NOT NULL,
        status text NOT NULL CHECK (status IN ('pending', 'processing', 'success', 'failure')),
        message text NOT NULL,
        input jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      )`,
      `CREATE INDEX task_image ON task (image_id, created_at DESC)`,
      `CREATE INDEX task_owner ON task (owner, created_at DESC)`,
    ],
  },
  {
    name: '0002-metadefs',
    up: [
      `CREATE TABLE metadef_namespace (
        id bigserial PRIMARY KEY,
        namespace text NOT NULL UNIQUE,
        display_name text,
        description text,
        visibility text NOT NULL CHECK (visibility IN ('public', 'private')),
        protected boolean NOT NULL,
        owner text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      )`,
      `CREATE TABLE metadef_part (
        id bigserial PRIMARY KEY,
        namespace_id bigint NOT NULL REFERENCES metadef_namespace (id) ON DELETE CASCADE,
        kind text NOT NULL CHECK (kind IN ('object', 'property', 'tag')),
        name text NOT NULL,
        body jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        UNIQUE (namespace_id, kind, name)
      )`,
      `CREATE UNIQUE INDEX metadef_tag_name ON metadef_part (namespace_id, lower(name)) WHERE kind = 'tag'`,
      `CREATE TABLE metadef_resource_type (
        id bigserial PRIMARY KEY,
        name text NOT NULL UNIQUE,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
      )`,
      `CREATE TABLE metadef_association (
        namespace_id bigint NOT NULL REFERENCES metadef_namespace (id) ON DELETE CASCADE,
        resource_type_id bigint NOT NULL REFERENCES metadef_resource_type (id),
        prefix text,
        properties_target text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (namespace_id, resource_type_id)
      )`,
      `CREATE INDEX metadef_association_type ON metadef_association (resource_type_id)`,
    ],
  },
];
