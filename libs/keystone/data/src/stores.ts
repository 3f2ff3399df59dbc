import { execute, sql, sqlOne } from '@nestack/kernel/db';
import type { Tx } from '@nestack/kernel/context';
import type {
  AccessRule,
  AccessRuleStore,
  AccessToken,
  ApplicationCredential,
  ApplicationCredentialStore,
  CatalogRow,
  Consumer,
  Credential,
  Endpoint,
  EndpointGroup,
  Limit,
  Region,
  RegisteredLimit,
  Role,
  Service,
  StoredPolicy,
  Stores,
} from '@nestack/keystone/domain';
import { AssignmentsRepository } from './assignments.repository';
import { DomainConfigRepository } from './domain-config.repository';
import { EndpointFilterRepository, PICKED } from './endpoint-filter.repository';
import { GroupsRepository } from './groups.repository';
import { ProjectsRepository } from './projects.repository';
import { RequestTokensRepository } from './request-tokens.repository';
import { RevocationsRepository, type Announcer } from './revocations.repository';
import { TableStore } from './table-store';
import { tokenFacts } from './token-facts';
import { TrustsRepository } from './trusts.repository';
import { UsersRepository } from './users.repository';

class ApplicationCredentialsRepository extends TableStore<ApplicationCredential> implements ApplicationCredentialStore {
  constructor() {
    super({
      table: 'application_credential',
      kind: 'application_credential',
      columns: [
        'id',
        'name',
        'description',
        'user_id',
        'project_id',
        'secret_hash',
        'role_ids',
        'access_rule_ids',
        'expires_at',
        'unrestricted',
      ],
      json: [],
      moments: ['expires_at'],
      clash: (row) => `name ${row.name ?? ''}`,
    });
  }

  byName(tx: Tx, userId: string, name: string): Promise<ApplicationCredential | null> {
    return sqlOne(tx, `SELECT ${this.columns} FROM application_credential WHERE user_id = $1 AND name = $2`, [
      userId,
      name,
    ]);
  }
}

class AccessRulesRepository extends TableStore<AccessRule> implements AccessRuleStore {
  constructor() {
    super({
      table: 'access_rule',
      kind: 'access_rule',
      columns: ['id', 'user_id', 'service', 'path', 'method'],
      json: [],
      clash: (row) => `path ${row.path ?? ''}`,
    });
  }

  async inUse(tx: Tx, id: string): Promise<boolean> {
    const text = 'SELECT 1 FROM application_credential WHERE $1 = ANY (access_rule_ids) LIMIT 1';
    return (await sqlOne(tx, text, [id])) !== null;
  }
}

/** Enabled services with their enabled endpoints; of those that project $1 was given, if it was given any. */
const CATALOG = `WITH ${PICKED}
  SELECT s.id, s.type, COALESCE(s.name, '') AS name,
    COALESCE(jsonb_agg(jsonb_build_object('id', e.id, 'interface', e.interface, 'region_id', e.region_id, 'url', e.url)
      ORDER BY e.seq) FILTER (WHERE e.id IS NOT NULL), '[]') AS endpoints
  FROM service s LEFT JOIN endpoint e ON e.service_id = s.id AND e.enabled
    AND (NOT EXISTS (SELECT 1 FROM project_endpoint WHERE project_id = $1) OR e.id IN (SELECT id FROM picked))
  WHERE s.enabled GROUP BY s.id
  HAVING count(e.id) > 0 OR NOT EXISTS (SELECT 1 FROM project_endpoint WHERE project_id = $1)
  ORDER BY s.seq`;

function catalog(tx: Tx, projectId: string | null): Promise<CatalogRow[]> {
  return sql<CatalogRow>(tx, CATALOG, [projectId]);
}

function byId(row: { readonly id?: string }): string {
  return `ID ${row.id ?? ''}`;
}

/** Keystone's tables. */
export function createStores(announcer: Announcer): Stores {
  const users = new UsersRepository();
  const projects = new ProjectsRepository();
  return {
    users,
    projects,
    groups: new GroupsRepository(users),
    roles: new TableStore<Role>({
      table: 'role',
      kind: 'role',
      columns: ['id', 'name', 'domain_id', 'description', 'options', 'extra'],
      json: ['options', 'extra'],
      clash: (row) => `name ${row.name ?? ''}`,
    }),
    assignments: new AssignmentsRepository(projects),
    services: new TableStore<Service>({
      table: 'service',
      kind: 'service',
      columns: ['id', 'type', 'name', 'description', 'enabled', 'extra'],
      json: ['extra'],
      clash: byId,
    }),
    endpoints: new TableStore<Endpoint>({
      table: 'endpoint',
      kind: 'endpoint',
      columns: ['id', 'service_id', 'interface', 'region_id', 'url', 'enabled', 'extra'],
      json: ['extra'],
      clash: byId,
    }),
    regions: new TableStore<Region>({
      table: 'region',
      kind: 'region',
      columns: ['id', 'description', 'parent_region_id', 'extra'],
      json: ['extra'],
      clash: byId,
    }),
    credentials: new TableStore<Credential>({
      table: 'credential',
      kind: 'credential',
      columns: ['id', 'type', 'blob', 'user_id', 'project_id', 'extra'],
      json: ['extra'],
      clash: byId,
    }),
    applicationCredentials: new ApplicationCredentialsRepository(),
    accessRules: new AccessRulesRepository(),
    trusts: new TrustsRepository(),
    consumers: new TableStore<Consumer>({
      table: 'consumer',
      kind: 'consumer',
      columns: ['id', 'description', 'secret', 'extra'],
      json: ['extra'],
      clash: byId,
    }),
    requestTokens: new RequestTokensRepository(),
    accessTokens: new TableStore<AccessToken>({
      table: 'access_token',
      kind: 'access_token',
      columns: ['id', 'consumer_id', 'project_id', 'authorizing_user_id', 'secret', 'role_ids', 'expires_at'],
      json: [],
      moments: ['expires_at'],
      clash: byId,
    }),
    policies: new TableStore<StoredPolicy>({
      table: 'policy',
      kind: 'policy',
      columns: ['id', 'type', 'blob', 'extra'],
      json: ['extra'],
      clash: byId,
    }),
    registeredLimits: new TableStore<RegisteredLimit>({
      table: 'registered_limit',
      kind: 'registered_limit',
      columns: ['id', 'service_id', 'region_id', 'resource_name', 'default_limit', 'description'],
      json: [],
      clash: (row) => `resource name ${row.resource_name ?? ''}`,
    }),
    limits: new TableStore<Limit>({
      table: 'project_limit',
      kind: 'limit',
      columns: [
        'id',
        'project_id',
        'domain_id',
        'service_id',
        'region_id',
        'resource_name',
        'resource_limit',
        'description',
      ],
      json: [],
      clash: (row) => `resource name ${row.resource_name ?? ''}`,
    }),
    endpointGroups: new TableStore<EndpointGroup>({
      table: 'endpoint_group',
      kind: 'endpoint_group',
      columns: ['id', 'name', 'description', 'filters'],
      json: ['filters'],
      clash: byId,
    }),
    endpointFilter: new EndpointFilterRepository(),
    domainConfig: new DomainConfigRepository(),
    revocations: new RevocationsRepository(announcer),
    tokenFacts,
    catalog,
    lockBootstrap: async (tx) => {
      await execute(tx, "SELECT pg_advisory_xact_lock(hashtextextended('keystone-bootstrap', 0))");
    },
  };
}
