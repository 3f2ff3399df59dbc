export { cinderMigrations } from './migrations';
export { AttachmentsRepository } from './attachments.repository';
export { QuotasRepository } from './quotas.repository';
export { ServicesRepository } from './services.repository';
export { SnapshotsRepository } from './snapshots.repository';
export { TypesRepository } from './types.repository';
export { VolumesRepository } from './volumes.repository';
