import type { RequestContext } from '@nestack/kernel/context';
import { CinderError } from '@nestack/cinder/contract';
import type { Backup } from './model';
import type { BackupDriver, BackupPlace, CinderParts } from './ports';

/** cinder-backup's work. What it reads and writes is held open for it by cinder-volume on the same host. */
export class BackupManager {
  constructor(
    private readonly parts: Pick<CinderParts, 'db' | 'backups' | 'volumes'>,
    private readonly driver: BackupDriver,
  ) {}

  async create(ctx: RequestContext, backupId: string, path: string): Promise<BackupPlace> {
    const { backup, volumeMeta } = await this.parts.db.read('backup.find', async (tx) => {
      const found = await this.parts.backups.find(tx, backupId, null);
      if (found === null) throw CinderError.BackupNotFound({ backup_id: backupId });
      const volume = await this.parts.volumes.find(tx, found.volume_id, null);
      return {
        backup: found,
        volumeMeta:
          volume === null
            ? null
            : JSON.stringify({
                version: 2,
                'volume-base-metadata': {
                  id: volume.id,
                  display_name: volume.name,
                  display_description: volume.description,
                  size: volume.size,
                  volume_type_id: volume.volume_type_id,
                },
                'volume-metadata': volume.metadata,
                ...(volume.image_metadata === null ? {} : { 'volume-glance-metadata': volume.image_metadata }),
              }),
      };
    });
    const [parent = null] = backup.parent_id === null ? [] : await this.chain(backup.parent_id);
    if (parent !== null && backup.size > parent.size)
      throw CinderError.InvalidBackup({
        reason: 'Volume size increased since the last backup. Do a full backup.',
      });
    return this.driver.ensureBackup(ctx, { backup, parent, path, volumeMeta });
  }

  async restore(ctx: RequestContext, backupId: string, path: string, isNew: boolean): Promise<string | null> {
    return this.driver.restore(ctx, { chain: await this.chain(backupId), path, isNew });
  }

  async remove(ctx: RequestContext, backupId: string): Promise<void> {
    const backup = await this.parts.db.read('backup.find', (tx) => this.parts.backups.find(tx, backupId, null));
    if (backup !== null) await this.driver.absentBackup(ctx, backup);
  }

  /** A backup and what it builds on, itself first. */
  private chain(id: string): Promise<readonly Backup[]> {
    return this.parts.db.read('backup.chain', async (tx) => {
      const chain: Backup[] = [];
      for (let next: string | null = id; next !== null;) {
        const found: Backup | null = await this.parts.backups.find(tx, next, null);
        if (found === null) throw CinderError.BackupNotFound({ backup_id: next });
        if (chain.some((one) => one.id === found.id))
          throw CinderError.InvalidBackup({ reason: `Backup ${id} builds on itself.` });
        chain.push(found);
        next = found.parent_id;
      }
      return chain;
    });
  }
}
