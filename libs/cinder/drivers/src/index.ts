export { PosixBackupDriver } from './backup/posix-backup-driver';
export { FakeVolumeDriver, type FakeOperation, type FakeOptions } from './fake/fake-driver';
export { NbdVolumeDriver, type NbdOptions } from './nbd/nbd-driver';
