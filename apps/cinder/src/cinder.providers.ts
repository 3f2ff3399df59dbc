import { hostname } from 'node:os';
import path from 'node:path';
import type { Provider, Type } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { systemClock } from '@nestack/kernel/clock';
import { DATABASE, type Database } from '@nestack/kernel/db';
import { API_CLIENTS, type ApiClients } from '@nestack/kernel/http';
import type { Logger } from '@nestack/kernel/log';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import { RPC_CLIENTS, type RpcClients } from '@nestack/kernel/rpc';
import { SAGAS, SAGA_WORKER, type SagaWorker, type Sagas } from '@nestack/kernel/saga';
import { GlanceClient, NovaClient } from '@nestack/cinder/clients';
import { BackupRpc, SchedulerRpc, VolumeRpc } from '@nestack/cinder/contract';
import {
  AttachmentsRepository,
  BackupsRepository,
  GroupSnapshotsRepository,
  GroupsRepository,
  GroupTypesRepository,
  ImageRequestsRepository,
  MessagesRepository,
  QosSpecsRepository,
  QuotasRepository,
  ServicesRepository,
  SnapshotsRepository,
  TransfersRepository,
  TypesRepository,
  VolumesRepository,
} from '@nestack/cinder/data';
import {
  Attachments,
  BackupManager,
  Backups,
  CreateVolume,
  Manage,
  Groups,
  GroupSnapshots,
  GroupTypes,
  Messages,
  QosSpecs,
  Quotas,
  Reimages,
  Scheduler,
  Services,
  Snapshots,
  Transfers,
  VolumeActions,
  VolumeManager,
  VolumeMoves,
  Volumes,
  VolumeTypes,
  type BackupDriver,
  type VolumeDriver,
} from '@nestack/cinder/domain';
import { FakeVolumeDriver, NbdVolumeDriver, PosixBackupDriver } from '@nestack/cinder/drivers';
import { HeartbeatLoop } from '@nestack/cinder/reconcilers';
import {
  AttachmentsController,
  BackupsController,
  ClustersController,
  ManageController,
  GroupsController,
  GroupSnapshotsController,
  GroupTypesController,
  HostsController,
  InfoController,
  MessagesController,
  QosController,
  SnapshotDetailsController,
  SnapshotsController,
  TransfersController,
  TypeDetailsController,
  TypesController,
  VolumeActionsController,
  VolumesController,
} from '@nestack/cinder/rest';
import { BackendClient, BackupHandler, SchedulerHandler, VolumeHandler } from '@nestack/cinder/rpc';
import { cinderSagas } from '@nestack/cinder/sagas';
import { rolesOf, type CinderConfig } from './cinder.config';

/** What the use cases share. */
const PARTS = Symbol('CinderParts');
const BACKENDS = Symbol('Backends');
const BACKUP_DRIVER = Symbol('BackupDriver');
const REGISTERED_SAGAS = Symbol('CinderSagas');

const DEFAULT_ZONE = 'nova';

function makeParts(
  config: CinderConfig,
  db: Database,
  sagas: Sagas,
  policy: PolicyEnforcer,
  rpc: RpcClients,
  api: ApiClients,
) {
  const base = {
    db,
    policy,
    rpc,
    operations: sagas,
    volumes: new VolumesRepository(),
    attachments: new AttachmentsRepository(),
    snapshots: new SnapshotsRepository(),
    types: new TypesRepository(),
    backups: new BackupsRepository(),
    groupTypes: new GroupTypesRepository(),
    groups: new GroupsRepository(),
    groupSnapshots: new GroupSnapshotsRepository(),
    transfers: new TransfersRepository(),
    qos: new QosSpecsRepository(),
    messages: new MessagesRepository(),
    imageRequests: new ImageRequestsRepository(),
    quotas: new QuotasRepository(),
    services: new ServicesRepository(),
    images: new GlanceClient(api),
    servers: new NovaClient(api),
    backend: new BackendClient(rpc),
    settings: {
      availability_zone: config.availability_zone ?? DEFAULT_ZONE,
      max_over_subscription_ratio: config.max_over_subscription_ratio ?? 20,
      scheduler_weigher: config.scheduler_weigher ?? 'CapacityWeigher',
      quota: config.quota ?? {},
    },
  };
  return { ...base, limits: new Quotas(base) };
}

type Parts = ReturnType<typeof makeParts>;

/** A backend of the role volume. */
interface Backend {
  /** `host@name`, by which a volume service is known. */
  readonly host: string;
  readonly zone: string;
  readonly driver: VolumeDriver;
}

type BackendConfig = NonNullable<CinderConfig['backends']>[number];

function hostOf(config: CinderConfig): string {
  return config.host ?? hostname();
}

/** All backends: the one of the settings themselves, and the further ones. */
function backendConfigs(config: CinderConfig): readonly BackendConfig[] {
  const { driver, state_path, nbd_port, fake } = config;
  const first = {
    name: config.volume_backend_name ?? driver,
    driver,
    state_path,
    ...(nbd_port === undefined ? {} : { nbd_port }),
    ...(fake === undefined ? {} : { fake }),
  };
  const all = [first, ...(config.backends ?? [])];
  const twice = all.find((one, at) => all.some((other, i) => i < at && other.name === one.name));
  if (twice !== undefined) throw new Error(`two backends have the name ${twice.name}`);
  return all;
}

async function makeBackend(config: CinderConfig, one: BackendConfig, log: Logger): Promise<Backend> {
  const driver: VolumeDriver =
    one.driver === 'nbd'
      ? new NbdVolumeDriver({
          dir: one.state_path,
          host: hostOf(config),
          backend: one.name,
          address: config.nbd_address === undefined ? null : { host: config.nbd_address, port: one.nbd_port ?? 10_809 },
          log,
        })
      : new FakeVolumeDriver({
          dir: path.join(one.state_path, 'fake'),
          backend: one.name,
          capacity: one.fake?.capacity_gb,
          delays: one.fake?.delays,
          failures: one.fake?.failures,
        });
  await driver.prepare();
  const zone = one.availability_zone ?? config.availability_zone ?? DEFAULT_ZONE;
  return { host: `${hostOf(config)}@${one.name}`, zone, driver };
}

const from = <T>(provide: symbol | (abstract new (...args: never[]) => T), make: (parts: Parts) => T): Provider => ({
  provide: provide as symbol,
  inject: [PARTS],
  useFactory: make,
});

function apiProviders(): Provider[] {
  return [
    from(Volumes, (parts) => new Volumes(parts)),
    from(CreateVolume, (parts) => new CreateVolume(parts, parts.limits)),
    from(VolumeActions, (parts) => new VolumeActions(parts, parts.limits)),
    from(VolumeMoves, (parts) => new VolumeMoves(parts, parts.limits)),
    from(Backups, (parts) => new Backups(parts, parts.limits, new CreateVolume(parts, parts.limits))),
    from(Manage, (parts) => new Manage(parts, parts.limits)),
    from(Reimages, (parts) => new Reimages(parts)),
    from(Attachments, (parts) => new Attachments(parts)),
    from(Snapshots, (parts) => new Snapshots(parts, parts.limits)),
    from(Transfers, (parts) => new Transfers(parts, parts.limits)),
    from(QosSpecs, (parts) => new QosSpecs(parts)),
    from(Messages, (parts) => new Messages(parts)),
    from(GroupTypes, (parts) => new GroupTypes(parts)),
    from(Groups, (parts) => new Groups(parts, parts.limits, new CreateVolume(parts, parts.limits))),
    from(GroupSnapshots, (parts) => new GroupSnapshots(parts, parts.limits)),
    from(VolumeTypes, (parts) => new VolumeTypes(parts)),
    from(Quotas, (parts) => parts.limits),
    from(Services, (parts) => new Services(parts)),
    BackupsController,
    ClustersController,
    ManageController,
    GroupsController,
    GroupSnapshotsController,
    GroupTypesController,
    VolumesController,
    VolumeActionsController,
    AttachmentsController,
    SnapshotsController,
    SnapshotDetailsController,
    TypesController,
    TypeDetailsController,
    TransfersController,
    QosController,
    MessagesController,
    HostsController,
    InfoController,
  ];
}

function schedulerProviders(config: CinderConfig): Provider[] {
  return [
    {
      provide: Scheduler,
      inject: [PARTS, LOGGER],
      useFactory: (parts: Parts, log: Logger) =>
        new Scheduler(parts, (ctx, event, fields) => log.for('cinder-scheduler').debug(ctx, event, fields)),
    },
    {
      provide: REGISTERED_SAGAS,
      inject: [PARTS, SAGA_WORKER],
      useFactory: (parts: Parts, worker: SagaWorker) => {
        const definitions = cinderSagas({
          ...parts,
          tx: parts.db,
          quotas: parts.limits,
          scheduler: parts.rpc.client(SchedulerRpc),
          volume: parts.rpc.client(VolumeRpc),
          backup: parts.rpc.client(BackupRpc),
        });
        for (const definition of definitions) worker.register(definition);
        return definitions;
      },
    },
    {
      provide: 'SchedulerHeartbeat',
      inject: [PARTS, LOGGER],
      useFactory: (parts: Parts, log: Logger) =>
        new HeartbeatLoop({
          ...parts,
          log,
          clock: systemClock,
          binary: 'cinder-scheduler',
          host: hostOf(config),
          zone: parts.settings.availability_zone,
        }),
    },
  ];
}

function volumeProviders(config: CinderConfig): Provider[] {
  const heartbeat = ({ name }: BackendConfig): Provider => ({
    provide: `VolumeHeartbeat ${name}`,
    inject: [PARTS, BACKENDS, VolumeManager, LOGGER],
    useFactory: (parts: Parts, backends: readonly Backend[], manager: VolumeManager, log: Logger) => {
      const backend = backends.find((one) => one.host === `${hostOf(config)}@${name}`);
      if (backend === undefined) throw new Error(`no backend ${name}`);
      return new HeartbeatLoop({
        ...parts,
        log,
        clock: systemClock,
        binary: 'cinder-volume',
        host: backend.host,
        zone: backend.zone,
        capabilities: () => backend.driver.capabilities(),
        alarm: (wake) => backend.driver.onLoss(wake),
        beat: (ctx) => manager.reconcileExports(ctx, backend.host),
      });
    },
  });
  return [
    {
      provide: BACKENDS,
      inject: [LOGGER],
      useFactory: async (log: Logger) => {
        const backends: Backend[] = [];
        for (const one of backendConfigs(config)) backends.push(await makeBackend(config, one, log));
        return Object.assign(backends, {
          onApplicationShutdown: async () => {
            for (const { driver } of backends) await driver.close();
          },
        });
      },
    },
    {
      provide: VolumeManager,
      inject: [PARTS, BACKENDS],
      useFactory: (parts: Parts, backends: readonly Backend[]) =>
        new VolumeManager(parts, new Map(backends.map((one) => [one.host, one.driver]))),
    },
    ...backendConfigs(config).map(heartbeat),
  ];
}

function backupProviders(config: CinderConfig): Provider[] {
  return [
    {
      provide: BACKUP_DRIVER,
      useFactory: async () => {
        const driver = new PosixBackupDriver({
          dir: config.backup_posix_path ?? path.join(config.state_path, 'backup'),
          fileSize: config.backup_file_size ?? 52_428_800,
          blockSize: config.backup_sha_block_size_bytes ?? 32_768,
        });
        await driver.prepare();
        return driver;
      },
    },
    {
      provide: BackupManager,
      inject: [PARTS, BACKUP_DRIVER],
      useFactory: (parts: Parts, driver: BackupDriver) => new BackupManager(parts, driver),
    },
    {
      provide: 'BackupHeartbeat',
      inject: [PARTS, LOGGER],
      useFactory: (parts: Parts, log: Logger) =>
        new HeartbeatLoop({
          ...parts,
          log,
          clock: systemClock,
          binary: 'cinder-backup',
          host: hostOf(config),
          zone: parts.settings.availability_zone,
        }),
    },
  ];
}

/** Cinder's own providers for the roles of this process; the kernel's module has the rest. */
export function cinderProviders(config: CinderConfig): Provider[] {
  const roles = rolesOf(config);
  return [
    {
      provide: PARTS,
      inject: [DATABASE, SAGAS, POLICY, RPC_CLIENTS, API_CLIENTS],
      useFactory: (db: Database, sagas: Sagas, policy: PolicyEnforcer, rpc: RpcClients, api: ApiClients) =>
        makeParts(config, db, sagas, policy, rpc, api),
    },
    ...(roles.has('api') ? apiProviders() : []),
    ...(roles.has('scheduler') ? schedulerProviders(config) : []),
    ...(roles.has('volume') ? volumeProviders(config) : []),
    ...(roles.has('backup') ? backupProviders(config) : []),
  ];
}

/** RPC servers of the roles of this process. */
export function cinderControllers(config: CinderConfig): Type[] {
  const roles = rolesOf(config);
  return [
    ...(roles.has('scheduler') ? [SchedulerHandler] : []),
    ...(roles.has('volume') ? [VolumeHandler] : []),
    ...(roles.has('backup') ? [BackupHandler] : []),
  ];
}
