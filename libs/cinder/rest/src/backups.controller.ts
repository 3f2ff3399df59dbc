import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createBackup,
  deleteBackup,
  exportBackup,
  forceDeleteBackup,
  importBackup,
  listBackups,
  listBackupsDetail,
  resetBackupStatus,
  restoreBackup,
  showBackup,
  truthy,
  updateBackup,
} from '@nestack/cinder/contract';
import { Backups, isPrivileged, type Backup, type Metadata } from '@nestack/cinder/domain';
import { BACKUPS } from './list-kinds';
import { flagOf, listQueryOf } from './list-query';
import { linksOf, timeOf } from './views';
import { trimmed } from './volumes.controller';

type Request = Pick<ApiRequest, 'params' | 'ctx' | 'version' | 'baseUrl'>;
const id = (request: { readonly params: Readonly<Record<string, string>> }): string =>
  request.params['backup_id'] ?? '';

/** `/backups` */
@Injectable()
export class BackupsController {
  constructor(@Inject(Backups) private readonly backups: Backups) {}

  @Handles(listBackups)
  list(request: ApiRequest) {
    return this.page(request, '/backups', summaryView);
  }

  @Handles(listBackupsDetail)
  listDetail(request: ApiRequest) {
    return this.page(request, '/backups/detail', detailView);
  }

  @Handles(createBackup)
  async create(request: RequestOf<typeof createBackup>) {
    const wanted = request.body.backup;
    const backup = await this.backups.create(request.ctx, {
      volume_id: wanted.volume_id,
      snapshot_id: wanted.snapshot_id ?? null,
      name: trimmed(wanted.name),
      description: trimmed(wanted.description),
      container: wanted.container ?? null,
      metadata: fieldOf<Metadata | null>(wanted, 'metadata') ?? {},
      incremental: truthy(wanted.incremental ?? false),
      force: truthy(wanted.force ?? false),
      availability_zone: fieldOf<string | null>(wanted, 'availability_zone') ?? null,
    });
    return { backup: summaryView(backup, request) };
  }

  @Handles(showBackup)
  async show(request: ApiRequest) {
    return { backup: detailView(await this.backups.show(request.ctx, id(request)), request) };
  }

  @Handles(updateBackup)
  async update(request: RequestOf<typeof updateBackup>) {
    const wanted = request.body.backup;
    const metadata = fieldOf<Metadata>(wanted, 'metadata');
    const backup = await this.backups.update(request.ctx, id(request), {
      ...(wanted.name === undefined ? {} : { name: trimmed(wanted.name) }),
      ...(wanted.description === undefined ? {} : { description: trimmed(wanted.description) }),
      ...(metadata === undefined ? {} : { metadata }),
    });
    return { backup: summaryView(backup, request) };
  }

  @Handles(deleteBackup)
  async remove(request: ApiRequest): Promise<null> {
    await this.backups.remove(request.ctx, id(request), false);
    return null;
  }

  @Handles(forceDeleteBackup)
  async forceDelete(request: ApiRequest): Promise<null> {
    await this.backups.remove(request.ctx, id(request), true);
    return null;
  }

  @Handles(resetBackupStatus)
  async reset(request: RequestOf<typeof resetBackupStatus>): Promise<null> {
    await this.backups.resetStatus(request.ctx, id(request), request.body['os-reset_status'].status);
    return null;
  }

  @Handles(restoreBackup)
  async restore(request: RequestOf<typeof restoreBackup>) {
    const { volume_id = null, name = null } = request.body.restore ?? {};
    const { volume } = await this.backups.restore(request.ctx, id(request), { volume_id, name });
    return { restore: { backup_id: id(request), volume_id: volume.id, volume_name: volume.name } };
  }

  @Handles(exportBackup)
  async export(request: ApiRequest) {
    return { 'backup-record': await this.backups.exportRecord(request.ctx, id(request)) };
  }

  @Handles(importBackup)
  async import(request: RequestOf<typeof importBackup>) {
    const { backup_service, backup_url } = request.body['backup-record'];
    return { backup: summaryView(await this.backups.importRecord(request.ctx, backup_service, backup_url), request) };
  }

  private async page(
    request: ApiRequest,
    path: string,
    view: (backup: Backup, request: Request) => Record<string, unknown>,
  ) {
    const { query, allProjects, empty } = listQueryOf(request, BACKUPS);
    const backups = empty ? [] : await this.backups.list(request.ctx, query, allProjects);
    const links = nextLinks(request, path, { count: backups.length, limit: query.limit, lastId: backups.at(-1)?.id });
    const counted = request.version.atLeast('3.45') && flagOf(request.rawQuery, 'with_count');
    return {
      backups: backups.map((one) => view(one, request)),
      ...(links.length === 0 ? {} : { backups_links: links }),
      ...(counted ? { count: await this.backups.count(request.ctx, query, allProjects) } : {}),
    };
  }
}

/** A field that only some versions of a body have; its schema has looked at it. */
function fieldOf<T>(body: object, key: string): T | undefined {
  return (body as Record<string, T | undefined>)[key];
}

function summaryView(backup: Backup, request: Request): Record<string, unknown> {
  return { id: backup.id, name: backup.name, links: linksOf(request, 'backups', backup.id) };
}

/** upstream: cinder/api/views/backups.py, cinder/api/v3/backups.py */
function detailView(backup: Backup, request: Request): Record<string, unknown> {
  const { version } = request;
  const admin = isPrivileged(request.ctx);
  return {
    ...summaryView(backup, request),
    status: backup.status,
    size: backup.size,
    object_count: backup.object_count,
    availability_zone: backup.availability_zone,
    container: backup.container,
    created_at: timeOf(backup.created_at),
    updated_at: timeOf(backup.updated_at),
    description: backup.description,
    fail_reason: backup.fail_reason,
    volume_id: backup.volume_id,
    is_incremental: backup.is_incremental,
    has_dependent_backups: backup.has_dependent_backups,
    snapshot_id: backup.snapshot_id,
    data_timestamp: timeOf(backup.data_timestamp),
    ...(version.atLeast('3.18') && admin ? { 'os-backup-project-attr:project_id': backup.project_id } : {}),
    ...(version.atLeast('3.43') ? { metadata: backup.metadata } : {}),
    ...(version.atLeast('3.56') && admin ? { user_id: backup.user_id } : {}),
  };
}
