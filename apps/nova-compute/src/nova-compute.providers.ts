import path from 'node:path';
import type { Provider } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { API_CLIENTS, type ApiClients } from '@nestack/kernel/http';
import type { Logger } from '@nestack/kernel/log';
import { RPC_CLIENTS, type RpcClients } from '@nestack/kernel/rpc';
import { GlanceClient } from '@nestack/nova/clients';
import { ConductorRpc } from '@nestack/nova/contract';
import { ComputeManager, GuestScreens, HYPERVISOR, type HypervisorDriver } from '@nestack/nova/domain';
import { FakeDriver, LibvirtDriver } from '@nestack/nova/drivers';
import { ComputeHost, ConsoleGate } from '@nestack/nova/rpc';
import { secretKey } from './secret-key';
import type { NovaComputeConfig } from './nova-compute.config';

const hostOf = (config: NovaComputeConfig): string => config.host ?? 'localhost';

function makeDriver(config: NovaComputeConfig, log: Logger): HypervisorDriver {
  if (config.driver === 'fake') {
    const {
      vcpus,
      memory_mb: memoryMb,
      local_gb: diskGb,
      delays_ms: delays,
      failure_percent: failures,
    } = {
      ...config.fake,
    };
    return new FakeDriver({
      dir: path.join(config.state_path, 'fake'),
      host: hostOf(config),
      ...(vcpus === undefined ? {} : { vcpus }),
      ...(memoryMb === undefined ? {} : { memoryMb }),
      ...(diskGb === undefined ? {} : { diskGb }),
      ...(delays === undefined ? {} : { delays }),
      ...(failures === undefined ? {} : { failures }),
    });
  }
  return new LibvirtDriver({
    host: hostOf(config),
    hostIp: config.my_ip ?? '127.0.0.1',
    uri: config.libvirt_uri ?? null,
    stateDir: config.state_path,
    virtType: config.virt_type ?? 'auto',
    probeKernel: config.probe_kernel ?? null,
    probeInitrd: config.probe_initrd ?? null,
    log,
  });
}

function makeHost(
  config: NovaComputeConfig,
  driver: HypervisorDriver,
  manager: ComputeManager,
  rpc: RpcClients,
  log: Logger,
) {
  return new ComputeHost({
    host: hostOf(config),
    driver,
    manager,
    conductor: rpc.client(ConductorRpc),
    log,
    accounting: {
      cpu_allocation_ratio: config.cpu_allocation_ratio ?? 4,
      ram_allocation_ratio: config.ram_allocation_ratio ?? 1,
      disk_allocation_ratio: config.disk_allocation_ratio ?? 1,
      reserved_host_cpus: config.reserved_host_cpus ?? 0,
      reserved_host_memory_mb: config.reserved_host_memory_mb ?? 512,
      reserved_host_disk_mb: config.reserved_host_disk_mb ?? 0,
    },
  });
}

function makeGate(config: NovaComputeConfig, driver: HypervisorDriver, log: Logger): ConsoleGate {
  const { enabled, server_listen: bind, server_port: port, server_proxyclient_address: address } = { ...config.vnc };
  const mine = config.my_ip ?? '127.0.0.1';
  return new ConsoleGate(
    new GuestScreens(driver, secretKey(path.join(config.state_path, 'console.key'))),
    { enabled: enabled ?? true, bind: bind ?? mine, port: port ?? 6100, address: address ?? mine },
    log,
  );
}

/** nova-compute's own providers; broker, clients and log come from the kernel's module. */
export function novaComputeProviders(config: NovaComputeConfig): Provider[] {
  return [
    { provide: HYPERVISOR, inject: [LOGGER], useFactory: (log: Logger) => makeDriver(config, log) },
    {
      provide: ComputeManager,
      inject: [HYPERVISOR, API_CLIENTS],
      useFactory: (driver: HypervisorDriver, clients: ApiClients) =>
        new ComputeManager({
          driver,
          images: new GlanceClient(clients),
          host: hostOf(config),
          forceConfigDrive: config.force_config_drive ?? false,
        }),
    },
    {
      provide: ConsoleGate,
      inject: [HYPERVISOR, LOGGER],
      useFactory: (driver: HypervisorDriver, log: Logger) => makeGate(config, driver, log),
    },
    {
      provide: ComputeHost,
      inject: [HYPERVISOR, ComputeManager, RPC_CLIENTS, LOGGER],
      useFactory: (driver: HypervisorDriver, manager: ComputeManager, rpc: RpcClients, log: Logger) =>
        makeHost(config, driver, manager, rpc, log),
    },
  ];
}
