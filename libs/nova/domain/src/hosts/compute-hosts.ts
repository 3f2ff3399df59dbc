import { newUuid } from '@nestack/kernel/ids';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import {
  NovaSagas,
  POWER_STATE,
  type GuestVolume,
  type HostAccounting,
  type HostFacts,
  type InstanceSpec,
  type Nic,
  type PowerState,
} from '@nestack/nova/contract';
import type { Instance } from '../instance';
import type {
  BlockDeviceRepository,
  ComputeNodeRepository,
  InstanceRepository,
  MigrationRepository,
  Operations,
  PlacementPort,
  ServiceRepository,
} from '../ports';
import { toGuestVolumes, toInstanceSpec } from '../servers/instance-spec';
import { shouldRun } from '../servers/servers';

/** How a host is counted when it does not say so itself. upstream: nova/conf/compute.py */
const DEFAULT_ACCOUNTING: HostAccounting = {
  cpu_allocation_ratio: 4,
  ram_allocation_ratio: 1,
  disk_allocation_ratio: 1,
  reserved_host_cpus: 0,
  reserved_host_memory_mb: 512,
  reserved_host_disk_mb: 0,
};

export interface ComputeHostsDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly services: ServiceRepository;
  readonly nodes: ComputeNodeRepository;
  readonly instances: InstanceRepository;
  readonly devices: BlockDeviceRepository;
  readonly migrations: MigrationRepository;
  readonly operations: Operations;
  readonly placement: PlacementPort;
}

/** A guest that shall be on a host. */
export interface WantedGuest {
  readonly instance: InstanceSpec;
  readonly vm_state: string;
  readonly task_state: string | null;
  readonly should_run: boolean;
  readonly busy: boolean;
}

/** A guest on a host that belongs nowhere any more, or elsewhere. */
export interface OrphanGuest {
  readonly uuid: string;
  readonly nics: Nic[];
  readonly volumes: GuestVolume[];
}

/** Trait of hosts that get no new guests. */
const DISABLED = 'COMPUTE_STATUS_DISABLED';

/** What compute hosts report and ask; they see no database themselves. */
export class ComputeHosts {
  constructor(private readonly deps: ComputeHostsDeps) {}

  /**
   * A host comes up or its facts changed: its service and compute node are written, then its resource provider under the
   * node's uuid. Answers that uuid. Throws `unavailable` while Placement is away; the host then asks again.
   */
  async up(ctx: RequestContext, host: string, facts: HostFacts): Promise<string> {
    const { deps } = this;
    const { node, disabled } = await deps.tx.run('compute_host.up', async (tx) => {
      const service = await deps.services.beat(tx, host, 'nova-compute', 'compute', deps.clock.now());
      const upserted = await deps.nodes.upsert(tx, { uuid: newUuid(), host, facts, service_id: service.id });
      return { node: upserted, disabled: service.disabled };
    });
    await deps.placement.ensureProvider(ctx, {
      uuid: node.uuid,
      name: facts.hypervisor_hostname,
      inventory: inventoryOf(facts),
      traits: [...facts.traits, ...(disabled ? [DISABLED] : [])],
    });
    return node.uuid;
  }

  /** A service lives. */
  async beat(host: string, binary: string, topic: string): Promise<void> {
    await this.deps.tx.run('service.beat', (tx) =>
      this.deps.services.beat(tx, host, binary, topic, this.deps.clock.now()),
    );
  }

  /** The guests that shall be on a host, and which of those present shall not. In four statements, however many they are. */
  guests(
    host: string,
    present: readonly string[],
  ): Promise<{
    readonly instances: WantedGuest[];
    readonly orphans: OrphanGuest[];
    readonly undecided: string[];
  }> {
    const { deps } = this;
    return deps.tx.read('compute_host.guests', async (tx) => {
      const known = await deps.instances.ofHost(tx, host, present);
      const devices = await deps.devices.ofInstances(
        tx,
        known.map(({ uuid }) => uuid),
      );
      const busy = await deps.operations.busyResources(
        tx,
        known.map(({ uuid }) => uuid),
      );
      // What a move may have to be taken back to.
      const left = await deps.migrations.leftHost(tx, host, present);
      const here = known.filter((instance) => instance.deleted_at === null && instance.host === host);
      const wanted = new Set(here.map(({ uuid }) => uuid));
      const byUuid = new Map(known.map((instance) => [instance.uuid, instance]));
      return {
        instances: here.map((instance) => ({
          instance: toInstanceSpec(instance, devices.get(instance.uuid) ?? []),
          vm_state: instance.vm_state,
          task_state: instance.task_state,
          should_run: shouldRun(instance),
          busy: busy.has(instance.uuid),
        })),
        // What nova never made is not its to remove; what an operation under way may have put here is left to it.
        orphans: present.flatMap((uuid) => {
          const instance = byUuid.get(uuid);
          if (instance === undefined || wanted.has(uuid) || busy.has(uuid)) return [];
          if (instance.deleted_at === null && left.has(uuid)) return [];
          return [{ uuid, nics: [...instance.nics], volumes: toGuestVolumes(devices.get(uuid) ?? []) }];
        }),
        undecided: [...busy],
      };
    });
  }

  /** Whether a guest still belongs on a host. */
  wants(host: string, uuid: string): Promise<boolean> {
    return this.deps.tx.read('compute_host.wants', async (tx) => {
      const instance = await this.deps.instances.find(tx, uuid);
      return instance !== null && instance.host === host && instance.task_state !== 'deleting';
    });
  }

  /** Whether a move from a host, or to it, is still under way. */
  wantsMigration(host: string, uuid: string): Promise<boolean> {
    return this.deps.tx.read('compute_host.wants_migration', async (tx) => {
      const migration = await this.deps.migrations.find(tx, uuid);
      if (migration === null || ['confirmed', 'reverted', 'error'].includes(migration.status)) return false;
      return migration.source_compute === host || migration.dest_compute === host;
    });
  }

  /**
   * A guest's power state changed by itself. A guest that ended is shown as stopped; one that runs although it was stopped
   * is stopped again. What happens while an operation is under way is that operation's, and news from before the end of
   * the last one is old. upstream: nova/compute/manager.py _sync_instance_power_state
   */
  powerChanged(ctx: RequestContext, host: string, uuid: string, power: PowerState, at: Date): Promise<void> {
    const { deps } = this;
    return deps.tx.run('compute_host.power', async (tx) => {
      await deps.operations.lock(tx, uuid);
      const instance = await deps.instances.find(tx, uuid, { lock: true });
      if (instance === null || instance.host !== host || instance.task_state !== null) return;
      if (await deps.operations.busy(tx, uuid)) return;
      const [last] = await deps.operations.history(tx, uuid, 1);
      if (last !== undefined && last.updatedAt > at) return;
      if (hasEnded(instance, power)) {
        await deps.instances.update(tx, uuid, { vm_state: 'stopped', power_state: power });
        return;
      }
      if (instance.vm_state === 'stopped' && power === POWER_STATE.running) {
        await deps.instances.update(tx, uuid, { task_state: 'powering-off', power_state: power });
        await deps.operations.start(ctx, tx, NovaSagas.serverStop.kind, {
          params: { instance_uuid: uuid },
          resourceId: uuid,
          action: NovaSagas.serverStop.action,
        });
        return;
      }
      if (instance.power_state !== power) await deps.instances.update(tx, uuid, { power_state: power });
    });
  }
}

function hasEnded(instance: Instance, power: PowerState): boolean {
  const off = power === POWER_STATE.shutdown || power === POWER_STATE.crashed;
  return off && ['active', 'paused'].includes(instance.vm_state);
}

/** A host's inventory as Placement takes it; what it has none of is left out. */
export function inventoryOf(facts: HostFacts): Parameters<PlacementPort['ensureProvider']>[1]['inventory'] {
  const accounting = facts.accounting ?? DEFAULT_ACCOUNTING;
  const row = (total: number, reserved: number, ratio: number) => ({
    total,
    reserved: Math.min(reserved, total),
    allocation_ratio: ratio,
    max_unit: total,
  });
  const rows = {
    VCPU: row(facts.vcpus, accounting.reserved_host_cpus, accounting.cpu_allocation_ratio),
    MEMORY_MB: row(facts.memory_mb, accounting.reserved_host_memory_mb, accounting.ram_allocation_ratio),
    DISK_GB: row(facts.local_gb, Math.ceil(accounting.reserved_host_disk_mb / 1024), accounting.disk_allocation_ratio),
  };
  return Object.fromEntries(Object.entries(rows).filter(([, { total }]) => total > 0));
}
