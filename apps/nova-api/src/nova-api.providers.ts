import type { Provider } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { systemClock } from '@nestack/kernel/clock';
import { DATABASE, type Database } from '@nestack/kernel/db';
import { DENIALS } from '@nestack/kernel/http';
import type { Logger } from '@nestack/kernel/log';
import { SAGAS, type Sagas } from '@nestack/kernel/saga';
import {
  AggregatesRepository,
  BlockDevicesRepository,
  ComputeNodesRepository,
  ConsoleTokensRepository,
  ExternalEventsRepository,
  FlavorsRepository,
  InstancesRepository,
  KeyPairsRepository,
  MigrationsRepository,
  QuotasRepository,
  ServerGroupsRepository,
  ServerPasswordsRepository,
  ServicesRepository,
  UsagesRepository,
} from '@nestack/nova/data';
import {
  Aggregates,
  Attachments,
  ConsoleTokens,
  CreateServers,
  ExternalEvents,
  Flavors,
  Hosts,
  IDENTITY_PORT,
  IMAGE_PORT,
  IMAGE_PROXY_PORT,
  ImageMetadata,
  KeyPairs,
  NETWORK_PORT,
  PLACEMENT_PORT,
  Quotas,
  Rebuild,
  Rescue,
  Resize,
  ServerGroups,
  ServerImages,
  ServerMigrations,
  ServerPasswords,
  Servers,
  Shelve,
  TenantUsages,
  UsageAuditLog,
  VOLUME_PORT,
  VolumeSwaps,
  type IdentityPort,
  type ImagePort,
  type ImageProxyPort,
  type NetworkPort,
  type PlacementPort,
  type VolumePort,
} from '@nestack/nova/domain';
import {
  AggregatesController,
  AttachmentsController,
  ConsolesController,
  FlavorsController,
  GoneController,
  HiddenResources,
  HostsController,
  HypervisorsController,
  ImagesController,
  KeyPairsController,
  LegacyHostsController,
  MetadataServer,
  NetworkProxiesController,
  QuotasController,
  SecurityGroupsController,
  ServerActionsController,
  ServerGroupsController,
  ServerDisksController,
  ServerMovesController,
  ServerPartsController,
  ServersController,
  UsagesController,
  ViewOptions,
  VolumeProxiesController,
} from '@nestack/nova/rest';
import type { NovaApiConfig } from './nova-api.config';

/** What the use cases share. */
const PARTS = Symbol('NovaApiParts');

function makeParts(
  db: Database,
  sagas: Sagas,
  identity: IdentityPort,
  images: ImagePort,
  networks: NetworkPort,
  volumes: VolumePort,
  placement: PlacementPort,
) {
  const base = {
    tx: db,
    clock: systemClock,
    operations: sagas,
    identity,
    images,
    networks,
    volumes,
    placement,
    instances: new InstancesRepository(),
    devices: new BlockDevicesRepository(),
    tokens: new ConsoleTokensRepository(),
    events: new ExternalEventsRepository(),
    passwords: new ServerPasswordsRepository(),
    flavors: new FlavorsRepository(),
    migrations: new MigrationsRepository(),
    keyPairs: new KeyPairsRepository(),
    services: new ServicesRepository(),
    nodes: new ComputeNodesRepository(),
    aggregates: new AggregatesRepository(),
    groups: new ServerGroupsRepository(),
  };
  return { ...base, quotas: new Quotas({ ...base, quotas: new QuotasRepository() }) };
}

type Parts = ReturnType<typeof makeParts>;

/** nova-api's own providers, over the kernel's parts and the ports onto other services. */
export function novaApiProviders(
  config: Pick<
    NovaApiConfig,
    | 'allow_resize_to_same_host'
    | 'bind'
    | 'metadata_port'
    | 'metadata_proxy_shared_secret'
    | 'novncproxy_base_url'
    | 'token_ttl'
  >,
): Provider[] {
  const from = <T>(provide: abstract new (...args: never[]) => T, make: (parts: Parts) => T): Provider => ({
    provide,
    inject: [PARTS],
    useFactory: make,
  });
  return [
    {
      provide: PARTS,
      inject: [DATABASE, SAGAS, IDENTITY_PORT, IMAGE_PORT, NETWORK_PORT, VOLUME_PORT, PLACEMENT_PORT],
      useFactory: makeParts,
    },
    from(Servers, (parts) => new Servers(parts)),
    from(ServerGroups, (parts) => new ServerGroups(parts)),
    {
      provide: DENIALS,
      inject: [Servers, ServerGroups],
      useFactory: (servers: Servers, groups: ServerGroups) => new HiddenResources(servers, groups),
    },
    from(ServerPasswords, (parts) => new ServerPasswords(parts)),
    {
      provide: ImageMetadata,
      inject: [PARTS, IMAGE_PROXY_PORT],
      useFactory: (parts: Parts, proxy: ImageProxyPort) => new ImageMetadata({ ...parts, proxy }),
    },
    from(CreateServers, (parts) => new CreateServers(parts)),
    from(Rescue, (parts) => new Rescue(parts)),
    from(Resize, (parts) => new Resize({ ...parts, allowResizeToSameHost: config.allow_resize_to_same_host ?? false })),
    from(ServerMigrations, (parts) => new ServerMigrations(parts)),
    from(Shelve, (parts) => new Shelve(parts)),
    from(Rebuild, (parts) => new Rebuild(parts)),
    from(ServerImages, (parts) => new ServerImages(parts)),
    from(Attachments, (parts) => new Attachments(parts)),
    from(VolumeSwaps, (parts) => new VolumeSwaps(parts)),
    from(
      ConsoleTokens,
      (parts) =>
        new ConsoleTokens({
          ...parts,
          novncUrl: config.novncproxy_base_url ?? 'http://127.0.0.1:6080/vnc_lite.html',
          ttlS: config.token_ttl ?? 600,
        }),
    ),
    from(ExternalEvents, (parts) => new ExternalEvents(parts)),
    from(Flavors, (parts) => new Flavors(parts)),
    from(KeyPairs, (parts) => new KeyPairs(parts)),
    from(Aggregates, (parts) => new Aggregates(parts)),
    from(Hosts, (parts) => new Hosts(parts)),
    from(Quotas, (parts) => parts.quotas),
    from(UsageAuditLog, (parts) => new UsageAuditLog(parts)),
    from(TenantUsages, (parts) => new TenantUsages({ ...parts, usages: new UsagesRepository() })),
    {
      provide: MetadataServer,
      inject: [Servers, ServerPasswords, LOGGER],
      useFactory: (servers: Servers, passwords: ServerPasswords, log: Logger) =>
        new MetadataServer(
          servers,
          passwords,
          {
            port: config.metadata_port ?? 8775,
            bind: config.bind ?? '127.0.0.1',
            secret: config.metadata_proxy_shared_secret,
          },
          log,
        ),
    },
    ViewOptions,
    ServersController,
    ServerActionsController,
    ServerDisksController,
    ServerMovesController,
    ServerPartsController,
    SecurityGroupsController,
    AttachmentsController,
    ConsolesController,
    FlavorsController,
    ImagesController,
    KeyPairsController,
    HostsController,
    HypervisorsController,
    LegacyHostsController,
    AggregatesController,
    ServerGroupsController,
    QuotasController,
    UsagesController,
    NetworkProxiesController,
    VolumeProxiesController,
    GoneController,
  ];
}
