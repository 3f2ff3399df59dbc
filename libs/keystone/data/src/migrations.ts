import type { Migration } from '@nestack/kernel/db';

/** Keystone's schema, in order. `seq` gives lists a stable order. */
export const keystoneMigrations: readonly Migration[] = [
  {
    name: '0001-identity',
    up: [
      `CREATE TABLE project (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        name text NOT NULL,
        domain_id text REFERENCES project (id),
        parent_id text REFERENCES project (id),
        is_domain boolean NOT NULL,
        enabled boolean NOT NULL,
        description text NOT NULL,
        tags text[] NOT NULL,
        options jsonb NOT NULL,
        extra jsonb NOT NULL,
        CHECK (is_domain = (domain_id IS NULL))
      )`,
      `CREATE UNIQUE INDEX project_name ON project (COALESCE(domain_id, ''), name)`,
      `CREATE INDEX project_domain ON project (domain_id)`,
      `CREATE INDEX project_parent ON project (parent_id)`,
      `CREATE INDEX project_tags ON project USING gin (tags)`,
      `CREATE TABLE local_user (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        name text NOT NULL,
        domain_id text NOT NULL REFERENCES project (id),
        enabled boolean NOT NULL,
        default_project_id text,
        description text,
        password_hash text,
        password_expires_at timestamptz,
        options jsonb NOT NULL,
        extra jsonb NOT NULL
      )`,
      `CREATE UNIQUE INDEX local_user_name ON local_user (domain_id, name)`,
      `CREATE INDEX local_user_default_project ON local_user (default_project_id) WHERE default_project_id IS NOT NULL`,
      `CREATE TABLE local_group (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        name text NOT NULL,
        domain_id text NOT NULL REFERENCES project (id),
        description text NOT NULL,
        extra jsonb NOT NULL
      )`,
      `CREATE UNIQUE INDEX local_group_name ON local_group (domain_id, name)`,
      `CREATE TABLE membership (
        group_id text NOT NULL REFERENCES local_group (id) ON DELETE CASCADE,
        user_id text NOT NULL REFERENCES local_user (id) ON DELETE CASCADE,
        PRIMARY KEY (user_id, group_id)
      )`,
      `CREATE INDEX membership_group ON membership (group_id)`,
    ],
  },
  {
    name: '0002-assignment',
    up: [
      `CREATE TABLE role (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        name text NOT NULL,
        domain_id text REFERENCES project (id),
        description text,
        options jsonb NOT NULL,
        extra jsonb NOT NULL
      )`,
      `CREATE UNIQUE INDEX role_name ON role (COALESCE(domain_id, ''), name)`,
      `CREATE TABLE implied_role (
        prior_role_id text NOT NULL REFERENCES role (id) ON DELETE CASCADE,
        implied_role_id text NOT NULL REFERENCES role (id) ON DELETE CASCADE,
        PRIMARY KEY (prior_role_id, implied_role_id)
      )`,
      `CREATE INDEX implied_role_implied ON implied_role (implied_role_id)`,
      // Actors are users or groups and targets projects, domains or the system: no foreign keys; the use cases clean up.
      `CREATE TABLE assignment (
        seq bigint GENERATED ALWAYS AS IDENTITY,
        actor_type text NOT NULL CHECK (actor_type IN ('user', 'group')),
        actor_id text NOT NULL,
        target_type text NOT NULL CHECK (target_type IN ('project', 'domain', 'system')),
        target_id text NOT NULL,
        role_id text NOT NULL REFERENCES role (id) ON DELETE CASCADE,
        inherited boolean NOT NULL,
        PRIMARY KEY (actor_id, target_id, role_id, target_type, inherited)
      )`,
      `CREATE INDEX assignment_target ON assignment (target_id)`,
      `CREATE INDEX assignment_role ON assignment (role_id)`,
    ],
  },
  {
    name: '0003-catalog',
    up: [
      `CREATE TABLE region (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        description text NOT NULL,
        parent_region_id text REFERENCES region (id),
        extra jsonb NOT NULL
      )`,
      `CREATE INDEX region_parent ON region (parent_region_id)`,
      `CREATE TABLE service (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        type text NOT NULL,
        name text,
        description text,
        enabled boolean NOT NULL,
        extra jsonb NOT NULL
      )`,
      `CREATE TABLE endpoint (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        service_id text NOT NULL REFERENCES service (id) ON DELETE CASCADE,
        interface text NOT NULL,
        region_id text REFERENCES region (id),
        url text NOT NULL,
        enabled boolean NOT NULL,
        extra jsonb NOT NULL
      )`,
      `CREATE INDEX endpoint_service ON endpoint (service_id)`,
      `CREATE INDEX endpoint_region ON endpoint (region_id)`,
    ],
  },
  {
    name: '0004-credentials-and-revocations',
    up: [
      `CREATE TABLE credential (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        type text NOT NULL,
        blob text NOT NULL,
        user_id text NOT NULL REFERENCES local_user (id) ON DELETE CASCADE,
        project_id text,
        extra jsonb NOT NULL
      )`,
      `CREATE INDEX credential_user ON credential (user_id)`,
      `CREATE TABLE application_credential (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        name text NOT NULL,
        description text,
        user_id text NOT NULL REFERENCES local_user (id) ON DELETE CASCADE,
        project_id text NOT NULL REFERENCES project (id) ON DELETE CASCADE,
        secret_hash text NOT NULL,
        role_ids text[] NOT NULL,
        expires_at timestamptz,
        unrestricted boolean NOT NULL
      )`,
      `CREATE UNIQUE INDEX application_credential_name ON application_credential (user_id, name)`,
      `CREATE INDEX application_credential_project ON application_credential (project_id)`,
      // What a record is about: one token (audit), or all tokens of a user, project or domain up to a moment.
      `CREATE TABLE revocation (
        kind text NOT NULL CHECK (kind IN ('audit', 'user', 'project', 'domain')),
        key text NOT NULL,
        issued_before timestamptz NOT NULL,
        PRIMARY KEY (key, kind)
      )`,
      `CREATE INDEX revocation_age ON revocation (issued_before)`,
    ],
  },
  {
    name: '0005-access-rules',
    up: [
      `CREATE TABLE access_rule (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        user_id text NOT NULL REFERENCES local_user (id) ON DELETE CASCADE,
        service text NOT NULL,
        path text NOT NULL,
        method text NOT NULL,
        UNIQUE (user_id, service, path, method)
      )`,
      `ALTER TABLE application_credential ADD COLUMN access_rule_ids text[]`,
    ],
  },
  {
    name: '0006-trusts',
    up: [
      `CREATE TABLE trust (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        trustor_user_id text NOT NULL REFERENCES local_user (id) ON DELETE CASCADE,
        trustee_user_id text NOT NULL REFERENCES local_user (id) ON DELETE CASCADE,
        project_id text REFERENCES project (id) ON DELETE CASCADE,
        impersonation boolean NOT NULL,
        role_ids text[] NOT NULL,
        expires_at timestamptz,
        remaining_uses integer,
        redelegation_count integer NOT NULL,
        redelegated_trust_id text REFERENCES trust (id) ON DELETE CASCADE
      )`,
      `CREATE INDEX trust_trustor ON trust (trustor_user_id)`,
      `CREATE INDEX trust_trustee ON trust (trustee_user_id)`,
      `CREATE INDEX trust_project ON trust (project_id)`,
      `CREATE INDEX trust_parent ON trust (redelegated_trust_id)`,
    ],
  },
  {
    name: '0007-limits-and-endpoint-filter',
    up: [
      `CREATE TABLE registered_limit (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        service_id text NOT NULL REFERENCES service (id) ON DELETE CASCADE,
        region_id text REFERENCES region (id),
        resource_name text NOT NULL,
        default_limit integer NOT NULL,
        description text
      )`,
      `CREATE UNIQUE INDEX registered_limit_place ON registered_limit (service_id, COALESCE(region_id, ''), resource_name)`,
      `CREATE TABLE project_limit (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        project_id text REFERENCES project (id) ON DELETE CASCADE,
        domain_id text REFERENCES project (id) ON DELETE CASCADE,
        service_id text NOT NULL REFERENCES service (id) ON DELETE CASCADE,
        region_id text REFERENCES region (id),
        resource_name text NOT NULL,
        resource_limit integer NOT NULL,
        description text
      )`,
      `CREATE UNIQUE INDEX project_limit_place ON project_limit
        (COALESCE(project_id, domain_id), service_id, COALESCE(region_id, ''), resource_name)`,
      `CREATE TABLE policy (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        type text NOT NULL,
        blob text NOT NULL,
        extra jsonb NOT NULL
      )`,
      `CREATE TABLE endpoint_group (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        name text NOT NULL,
        description text NOT NULL,
        filters jsonb NOT NULL
      )`,
      `CREATE TABLE project_endpoint (
        kind text NOT NULL CHECK (kind IN ('endpoint', 'endpoint_group')),
        source_id text NOT NULL,
        project_id text NOT NULL REFERENCES project (id) ON DELETE CASCADE,
        PRIMARY KEY (project_id, source_id, kind)
      )`,
      `CREATE INDEX project_endpoint_source ON project_endpoint (source_id)`,
      // An endpoint or group that is gone restricts nobody any more.
      `CREATE FUNCTION forget_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN DELETE FROM project_endpoint WHERE source_id = OLD.id; RETURN OLD; END $$`,
      `CREATE TRIGGER endpoint_forgotten AFTER DELETE ON endpoint FOR EACH ROW EXECUTE FUNCTION forget_endpoint()`,
      `CREATE TRIGGER endpoint_group_forgotten AFTER DELETE ON endpoint_group
       FOR EACH ROW EXECUTE FUNCTION forget_endpoint()`,
    ],
  },
  {
    name: '0008-domain-config',
    up: [
      `CREATE TABLE domain_config (
        domain_id text PRIMARY KEY REFERENCES project (id) ON DELETE CASCADE,
        settings jsonb NOT NULL
      )`,
    ],
  },
  {
    name: '0009-endpoint-groups-without-description',
    up: ['ALTER TABLE endpoint_group ALTER COLUMN description DROP NOT NULL'],
  },
  {
    // What a limit names may go, as upstream, whose tables do not refer to each other there.
    name: '0010-limits-outlive-services',
    up: ['registered_limit', 'project_limit'].map(
      (table) =>
        `ALTER TABLE ${table} DROP CONSTRAINT ${table}_service_id_fkey, DROP CONSTRAINT ${table}_region_id_fkey`,
    ),
  },
  {
    name: '0011-oauth1',
    up: [
      `CREATE TABLE consumer (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        description text,
        secret text NOT NULL,
        extra jsonb NOT NULL
      )`,
      `CREATE TABLE request_token (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        consumer_id text NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
        requested_project_id text NOT NULL REFERENCES project (id) ON DELETE CASCADE,
        secret text NOT NULL,
        verifier text,
        authorizing_user_id text REFERENCES local_user (id) ON DELETE CASCADE,
        role_ids text[] NOT NULL,
        expires_at timestamptz NOT NULL
      )`,
      'CREATE INDEX request_token_consumer ON request_token (consumer_id)',
      `CREATE TABLE access_token (
        id text PRIMARY KEY,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        consumer_id text NOT NULL REFERENCES consumer (id) ON DELETE CASCADE,
        project_id text NOT NULL REFERENCES project (id) ON DELETE CASCADE,
        authorizing_user_id text NOT NULL REFERENCES local_user (id) ON DELETE CASCADE,
        secret text NOT NULL,
        role_ids text[] NOT NULL,
        expires_at timestamptz NOT NULL
      )`,
      'CREATE INDEX access_token_consumer ON access_token (consumer_id)',
      'CREATE INDEX access_token_user ON access_token (authorizing_user_id)',
    ],
  },
];
