import { Inject, Injectable } from '@nestjs/common';
import { isoMicros } from '@nestack/kernel/clock';
import { ApiReply, Handles, parsePage, type ApiRequest, type ApiVersion } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  NovaError,
  confirmResize,
  listMigrations,
  listServerMigrations,
  migrateServer,
  resizeServer,
  revertResize,
  shelveOffloadServer,
  shelveServer,
  showServerMigration,
  unshelveServer,
} from '@nestack/nova/contract';
import {
  Resize,
  ServerMigrations,
  Servers,
  Shelve,
  type MigrationQuery,
  type ServerMigration,
} from '@nestack/nova/domain';
import { MAX_LIMIT, changesOf } from './list-query';

const id = (request: ApiRequest): string => request.params['server_id'] ?? '';

/** Servers that change their flavor, with the record of it, and those that leave their host. */
@Injectable()
export class ServerMovesController {
  constructor(
    @Inject(Resize) private readonly resizes: Resize,
    @Inject(ServerMigrations) private readonly migrations: ServerMigrations,
    @Inject(Servers) private readonly servers: Servers,
    @Inject(Shelve) private readonly shelves: Shelve,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  @Handles(resizeServer)
  async resize(request: ApiRequest) {
    const { resize } = request.body as {
      resize: { flavorRef: string | number; 'OS-DCF:diskConfig'?: 'AUTO' | 'MANUAL' };
    };
    const flavor = String(resize.flavorRef).replace(/^.*\//, '');
    await this.resizes.resize(request.ctx, id(request), flavor, resize['OS-DCF:diskConfig']);
    return new ApiReply(null, { status: 202 });
  }

  @Handles(confirmResize)
  async confirm(request: ApiRequest) {
    await this.resizes.confirm(request.ctx, id(request));
    return new ApiReply(null, { status: 204 });
  }

  @Handles(revertResize)
  async revert(request: ApiRequest) {
    await this.resizes.revert(request.ctx, id(request));
    return new ApiReply(null, { status: 202 });
  }

  @Handles(migrateServer)
  async migrate(request: ApiRequest) {
    const { migrate } = request.body as { migrate: { host?: string | null } | null };
    const host = request.version.atLeast('2.56') ? (migrate?.host ?? null) : null;
    const to = 'os_compute_api:os-migrate-server:migrate:host';
    if (host !== null && !this.policy.allows(request.ctx, to)) throw NovaError.PolicyForbidden({ rule: to });
    await this.resizes.migrate(request.ctx, id(request), host);
    return new ApiReply(null, { status: 202 });
  }

  @Handles(shelveServer)
  async shelve(request: ApiRequest) {
    await this.shelves.shelve(request.ctx, id(request));
    return new ApiReply(null, { status: 202 });
  }

  @Handles(shelveOffloadServer)
  async offload(request: ApiRequest) {
    await this.shelves.offload(request.ctx, id(request));
    return new ApiReply(null, { status: 202 });
  }

  @Handles(unshelveServer)
  async unshelve(request: ApiRequest) {
    const { unshelve } = request.body as { unshelve: { availability_zone?: string | null; host?: string } | null };
    const target = request.version.atLeast('2.77') ? (unshelve ?? {}) : {};
    const to = 'os_compute_api:os-shelve:unshelve_to_host';
    if (target.host !== undefined && !this.policy.allows(request.ctx, to))
      throw NovaError.PolicyForbidden({ rule: to });
    await this.shelves.unshelve(request.ctx, id(request), {
      zone: target.availability_zone,
      host: target.host ?? null,
    });
    return new ApiReply(null, { status: 202 });
  }

  @Handles(listMigrations)
  async list(request: ApiRequest) {
    const { version } = request;
    const query = queryOf(request);
    const own = query.project_id !== undefined && query.project_id === request.ctx.actor?.projectId;
    if (!own) this.policy.enforce(request.ctx, 'os_compute_api:os-migrations:index:all_projects');
    const hosts = this.policy.allows(request.ctx, 'os_compute_api:os-migrations:index:host');
    const paged = version.atLeast('2.59');
    const found = await this.migrations.list(paged ? { ...query, limit: query.limit + 1 } : query);
    const shown = paged ? found.slice(0, query.limit) : found;
    const last = shown.at(-1);
    return {
      migrations: shown.map((one) => migrationView(hosts ? one : { ...one, ...NO_HOSTS }, version)),
      ...(last !== undefined && found.length > shown.length
        ? { migrations_links: [{ rel: 'next', href: nextPage(request, last.uuid) }] }
        : {}),
    };
  }

  @Handles(listServerMigrations)
  async ofServer(request: ApiRequest) {
    await this.servers.get(request.ctx, id(request));
    return { migrations: [] };
  }

  @Handles(showServerMigration)
  async show(request: ApiRequest): Promise<never> {
    const { uuid } = await this.servers.get(request.ctx, id(request));
    throw NovaError.MigrationNotFoundForInstance({
      migration_id: request.params['migration_id'] ?? '',
      instance_id: uuid,
    });
  }
}

function queryOf({ rawQuery: q, version }: ApiRequest): MigrationQuery {
  const text = <K extends string>(key: K, as: string = key): Record<string, string> => {
    const value = q.getAll(key).at(-1);
    return value === undefined ? {} : { [as]: value };
  };
  const page = parsePage(q, { max: MAX_LIMIT });
  const paged = version.atLeast('2.59');
  const since = q.get('changes-since');
  const before = q.get('changes-before');
  return {
    ...text('host'),
    ...text('instance_uuid'),
    ...text('source_compute'),
    ...text('status'),
    ...text('migration_type'),
    ...text('user_id'),
    ...text('project_id'),
    ...changesOf(paged ? since : null, version.atLeast('2.66') ? before : null),
    ...(paged && page.marker !== null ? { marker: page.marker } : {}),
    limit: paged ? page.limit : MAX_LIMIT,
  };
}

function nextPage({ baseUrl, rawQuery }: ApiRequest, marker: string): string {
  const query = new URLSearchParams(rawQuery);
  query.set('marker', marker);
  return `${baseUrl}/os-migrations?${query.toString()}`;
}

type Where = 'source_compute' | 'source_node' | 'dest_compute' | 'dest_node' | 'dest_host';
type ShownMigration = Omit<ServerMigration, Where> & Readonly<Record<Where, string | null>>;
const NO_HOSTS = { source_compute: null, source_node: null, dest_compute: null, dest_node: null, dest_host: null };

/** upstream: nova/api/openstack/compute/migrations.py */
function migrationView(migration: ShownMigration, version: ApiVersion): Record<string, unknown> {
  return {
    id: migration.id,
    ...(version.atLeast('2.59') ? { uuid: migration.uuid } : {}),
    instance_uuid: migration.instance_uuid,
    status: migration.status,
    source_compute: migration.source_compute,
    source_node: migration.source_node,
    dest_compute: migration.dest_compute,
    dest_node: migration.dest_node,
    dest_host: migration.dest_host,
    old_instance_type_id: numberOf(migration.old_flavor.id),
    new_instance_type_id: numberOf(migration.new_flavor.id),
    created_at: isoMicros(migration.created_at),
    updated_at: isoMicros(migration.updated_at),
    ...(version.atLeast('2.23') ? { migration_type: migration.migration_type } : {}),
    ...(version.atLeast('2.80') ? { user_id: migration.user_id, project_id: migration.project_id } : {}),
  };
}

/** Upstream shows a number of its database here that no request takes; ours is made of the flavor's id. */
function numberOf(flavorId: string): number {
  if (/^\d{1,9}$/.test(flavorId)) return Number(flavorId);
  return [...flavorId].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 0x7fffffff, 0);
}
