import { hostname } from 'node:os';
import type { Provider } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { systemClock } from '@nestack/kernel/clock';
import { DATABASE, type Database } from '@nestack/kernel/db';
import type { Logger } from '@nestack/kernel/log';
import { RPC_CLIENTS, type RpcClients } from '@nestack/kernel/rpc';
import { SAGAS, SAGA_WORKER, type SagaWorker, type Sagas } from '@nestack/kernel/saga';
import { ComputeRpc, SchedulerRpc } from '@nestack/nova/contract';
import {
  BlockDevicesRepository,
  ComputeNodesRepository,
  ExternalEventsRepository,
  InstancesRepository,
  MigrationsRepository,
  ServerGroupsRepository,
  ServicesRepository,
} from '@nestack/nova/data';
import {
  ComputeHosts,
  IMAGE_PORT,
  NETWORK_PORT,
  PLACEMENT_PORT,
  KeptServers,
  UnconfirmedResizes,
  VOLUME_PORT,
  type ImagePort,
  type NetworkPort,
  type PlacementPort,
  type VolumePort,
} from '@nestack/nova/domain';
import { OverdueRounds, ServiceHeartbeat } from '@nestack/nova/rpc';
import { novaSagas } from '@nestack/nova/sagas';
import type { NovaConductorConfig } from './nova-conductor.config';

/** What the conductor's parts share. */
const PARTS = Symbol('NovaConductorParts');
const REGISTRATION = Symbol('SagaRegistration');
const CONFIRMATIONS = Symbol('ResizeConfirmations');
const OFFLOADS = Symbol('ShelveOffloads');

function makeParts(
  db: Database,
  images: ImagePort,
  networks: NetworkPort,
  volumes: VolumePort,
  placement: PlacementPort,
) {
  return {
    tx: db,
    clock: systemClock,
    images,
    networks,
    volumes,
    placement,
    instances: new InstancesRepository(),
    devices: new BlockDevicesRepository(),
    migrations: new MigrationsRepository(),
    groups: new ServerGroupsRepository(),
    events: new ExternalEventsRepository(),
    services: new ServicesRepository(),
    nodes: new ComputeNodesRepository(),
  };
}

type Parts = ReturnType<typeof makeParts>;

type ConductorSettings = Omit<NovaConductorConfig, 'database' | 'broker' | 'auth'>;

/** The conductor's own providers, over the kernel's parts and the ports onto other services. */
export function novaConductorProviders(config: ConductorSettings): Provider[] {
  const host = config.host ?? hostname();
  return [
    {
      provide: PARTS,
      inject: [DATABASE, IMAGE_PORT, NETWORK_PORT, VOLUME_PORT, PLACEMENT_PORT],
      useFactory: makeParts,
    },
    {
      provide: ComputeHosts,
      inject: [PARTS, SAGAS],
      useFactory: (parts: Parts, operations: Sagas) => new ComputeHosts({ ...parts, operations }),
    },
    {
      provide: REGISTRATION,
      inject: [SAGA_WORKER, PARTS, RPC_CLIENTS, SAGAS],
      useFactory: (worker: SagaWorker, parts: Parts, clients: RpcClients, operations: Sagas) => {
        const sagas = novaSagas({
          ...parts,
          operations,
          compute: clients.client(ComputeRpc),
          scheduler: clients.client(SchedulerRpc),
          maxAttempts: config.max_attempts ?? 3,
          shutdownTimeoutS: config.shutdown_timeout ?? 60,
          offloadsAtOnce: (config.shelved_offload_time ?? 0) === 0,
          vifPluggingTimeoutMs: (config.vif_plugging_timeout ?? 300) * 1000,
        });
        for (const saga of sagas) worker.register(saga);
        return sagas;
      },
    },
    {
      provide: CONFIRMATIONS,
      inject: [PARTS, SAGAS, LOGGER],
      useFactory: (parts: Parts, operations: Sagas, log: Logger) => {
        const resizes = new UnconfirmedResizes({ ...parts, operations });
        const confirm = resizes.confirmOlderThan.bind(resizes);
        return new OverdueRounds('resize.confirm', config.resize_confirm_window ?? 0, confirm, log);
      },
    },
    {
      provide: OFFLOADS,
      inject: [PARTS, SAGAS, LOGGER],
      useFactory: (parts: Parts, operations: Sagas, log: Logger) => {
        const kept = new KeptServers({ ...parts, operations });
        const offload = kept.offloadOlderThan.bind(kept);
        return new OverdueRounds('server.shelve_offload', config.shelved_offload_time ?? 0, offload, log);
      },
    },
    {
      provide: ServiceHeartbeat,
      inject: [ComputeHosts, LOGGER],
      useFactory: (hosts: ComputeHosts, log: Logger) =>
        new ServiceHeartbeat(() => hosts.beat(host, 'nova-conductor', 'conductor'), log),
    },
  ];
}
