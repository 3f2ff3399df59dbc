export { novaMigrations } from './migrations';
export { BlockDevicesRepository } from './repositories/block-devices.repository';
export { FlavorsRepository } from './repositories/flavors.repository';
export { ComputeNodesRepository, ServicesRepository } from './repositories/hosts.repository';
export { InstancesRepository } from './repositories/instances.repository';
export { KeyPairsRepository } from './repositories/key-pairs.repository';
export { QuotasRepository } from './repositories/quotas.repository';
export { ExternalEventsRepository } from './repositories/external-events.repository';
export { HostStatesRepository } from './repositories/host-states.repository';
