export { BackupHandler } from './backup.handler';
export { BackendClient } from './backend.client';
export { SchedulerHandler } from './scheduler.handler';
export { VolumeHandler } from './volume.handler';
