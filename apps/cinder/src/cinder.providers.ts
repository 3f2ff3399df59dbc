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
import { SchedulerRpc, VolumeRpc } from '@nestack/cinder/contract';
import {
  AttachmentsRepository,
  GroupSnapshotsRepository,
  GroupsRepository,
  GroupTypesRepository,
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
  CreateVolume,
  Groups,
  GroupSnapshots,
  GroupTypes,
  Messages,
  QosSpecs,
  Quotas,
  Scheduler,
  Services,
  Snapshots,
  Transfers,
  VolumeActions,
  VolumeManager,
  Volumes,
  VolumeTypes,
  type VolumeDriver,
} from '@nestack/cinder/domain';
import { FakeVolumeDriver, NbdVolumeDriver } from '@nestack/cinder/drivers';
import { HeartbeatLoop } from '@nestack/cinder/reconcilers';
import {
  AttachmentsController,
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
import { BackendClient, SchedulerHandler, VolumeHandler } from '@nestack/cinder/rpc';
import { cinderSagas } from '@nestack/cinder/sagas';
import { rolesOf, type CinderConfig } from './cinder.config';

/** What the use cases share. */
const PARTS = Symbol('CinderParts');
const DRIVER = Symbol('VolumeDriver');
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
    groupTypes: new GroupTypesRepository(),
    groups: new GroupsRepository(),
    groupSnapshots: new GroupSnapshotsRepository(),
    transfers: new TransfersRepository(),
    qos: new QosSpecsRepository(),
    messages: new MessagesRepository(),
    quotas: new QuotasRepository(),
    services: new ServicesRepository(),
    images: new GlanceClient(api),
    servers: new NovaClient(api),
    backend: new BackendClient(rpc),
    settings: {
      availability_zone: config.availability_zone ?? DEFAULT_ZONE,
      max_over_subscription_ratio: config.max_over_subscription_ratio ?? 20,
      quota: config.quota ?? {},
    },
  };
  return { ...base, limits: new Quotas(base) };
}

type Parts = ReturnType<typeof makeParts>;

/** `host@backend`, by which a volume service is known. */
function backendOf(config: CinderConfig): string {
  return `${hostOf(config)}@${backendName(config)}`;
}

function backendName(config: CinderConfig): string {
  return config.volume_backend_name ?? config.driver;
}

function hostOf(config: CinderConfig): string {
  return config.host ?? hostname();
}

async function makeDriver(config: CinderConfig, log: Logger): Promise<VolumeDriver> {
  const driver: VolumeDriver =
    config.driver === 'nbd'
      ? new NbdVolumeDriver({
          dir: config.state_path,
          host: hostOf(config),
          backend: backendName(config),
          address:
            config.nbd_address === undefined ? null : { host: config.nbd_address, port: config.nbd_port ?? 10_809 },
          log,
        })
      : new FakeVolumeDriver({
          dir: path.join(config.state_path, 'fake'),
          backend: backendName(config),
          capacity: config.fake?.capacity_gb,
          delays: config.fake?.delays,
          failures: config.fake?.failures,
        });
  await driver.prepare();
  return driver;
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
    from(Scheduler, (parts) => new Scheduler(parts)),
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
  return [
    {
      provide: DRIVER,
      inject: [LOGGER],
      useFactory: async (log: Logger) => {
        const driver = await makeDriver(config, log);
        return Object.assign(driver, { onApplicationShutdown: () => driver.close() });
      },
    },
    {
      provide: VolumeManager,
      inject: [PARTS, DRIVER],
      useFactory: (parts: Parts, driver: VolumeDriver) => new VolumeManager(parts, driver, backendOf(config)),
    },
    {
      provide: 'VolumeHeartbeat',
      inject: [PARTS, DRIVER, VolumeManager, LOGGER],
      useFactory: (parts: Parts, driver: VolumeDriver, manager: VolumeManager, log: Logger) =>
        new HeartbeatLoop({
          ...parts,
          log,
          clock: systemClock,
          binary: 'cinder-volume',
          host: backendOf(config),
          zone: parts.settings.availability_zone,
          capabilities: () => driver.capabilities(),
          alarm: (wake) => driver.onLoss(wake),
          beat: (ctx) => manager.reconcileExports(ctx),
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
  ];
}

/** RPC servers of the roles of this process. */
export function cinderControllers(config: CinderConfig): Type[] {
  const roles = rolesOf(config);
  return [...(roles.has('scheduler') ? [SchedulerHandler] : []), ...(roles.has('volume') ? [VolumeHandler] : [])];
}
