import { newUuid } from '@nestack/kernel/ids';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError, NovaSagas } from '@nestack/nova/contract';
import { isUp, type Flavor, type Instance } from '../instance';
import type {
  FlavorRepository,
  ImagePort,
  MigrationRepository,
  MigrationStatus,
  ServerMigration,
  ServiceRepository,
} from '../ports';
import type { Quotas } from '../quotas/quotas';
import { begin, type BeginDeps } from './begin';
import { snapshot } from './create-servers';
import { callerOf, visible, type Gate } from './gate';

export interface ResizeDeps extends BeginDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly flavors: FlavorRepository;
  readonly images: ImagePort;
  readonly migrations: MigrationRepository;
  readonly services: ServiceRepository;
  readonly quotas: Quotas;
  /** Whether a resized server may stay where it is. upstream: allow_resize_to_same_host */
  readonly allowResizeToSameHost: boolean;
}

const BEGUN = { task_state: 'resize_prep', progress: 0 } as const;
const STATES = ['active', 'stopped'] as const;

/**
 * Servers that get another flavor, and servers that go to another host with the one that they have: it is one operation.
 * Both hosts hold them until the user confirms or reverts. upstream: nova/compute/api.py resize, confirm_resize, revert_resize
 */
export class Resize {
  constructor(private readonly deps: ResizeDeps) {}

  /**
   * Throws what `begin` does, ServiceUnavailable, FlavorBadRequest, CannotResizeToSameFlavor, CannotResizeDisk,
   * FlavorMemoryTooSmall, TooManyInstances.
   */
  async resize(
    ctx: RequestContext,
    id: string,
    flavorId: string,
    diskConfig: 'AUTO' | 'MANUAL' | undefined,
  ): Promise<void> {
    const { deps } = this;
    const now = await deps.tx.read('server.resize.get', async (tx) =>
      visible(ctx, await deps.instances.find(tx, id), id),
    );
    const image = now.image === null ? null : await deps.images.get(ctx, now.image.id, 'service');
    await deps.tx.run('server.resize', (tx) =>
      begin(ctx, tx, deps, id, {
        gate: { action: 'resize', vm_states: STATES },
        saga: NovaSagas.serverResize,
        prepare: async (before) => {
          await this.assertHostUp(tx, before.host);
          const flavor = await this.flavorOf(ctx, tx, flavorId, before);
          if (image !== null && flavor.memory_mb < image.min_ram) throw NovaError.FlavorMemoryTooSmall();
          await deps.quotas.takeResize(tx, before, flavor);
          const ignore = deps.allowResizeToSameHost ? [] : [before.host ?? ''];
          const params = await this.migration(ctx, tx, before, 'resize', snapshot(flavor));
          return {
            patch: { ...BEGUN, ...(diskConfig === undefined ? {} : { disk_config: diskConfig }) },
            params: { ...params, ignore_hosts: ignore, requested_host: null },
          };
        },
      }),
    );
  }

  /** Moves a server that need not run meanwhile, to a host if one is given. Throws what `begin` does, ServiceUnavailable, CannotMigrateToSameHost, ComputeHostNotFound. */
  async migrate(ctx: RequestContext, id: string, host: string | null): Promise<void> {
    const { deps } = this;
    await deps.tx.run('server.migrate', (tx) =>
      begin(ctx, tx, deps, id, {
        gate: { action: 'migrate', vm_states: STATES },
        saga: NovaSagas.serverMigrate,
        prepare: async (before) => {
          await this.assertHostUp(tx, before.host);
          if (host !== null && host === before.host) throw NovaError.CannotMigrateToSameHost();
          if (host !== null && (await deps.services.list(tx, { host, binary: 'nova-compute' })).length === 0)
            throw NovaError.ComputeHostNotFound({ host });
          const params = await this.migration(ctx, tx, before, 'migration', before.flavor);
          // Whatever resizes may do: a server that stays where it is was not migrated.
          return { patch: BEGUN, params: { ...params, ignore_hosts: [before.host ?? ''], requested_host: host } };
        },
      }),
    );
  }

  /** The record of a move that begins. Those that a reset of the server's state has left open are over. */
  private async migration(
    ctx: RequestContext,
    tx: Tx,
    before: Instance,
    type: ServerMigration['migration_type'],
    flavor: Instance['flavor'],
  ): Promise<{ readonly migration_uuid: string; readonly stale: readonly string[] }> {
    const { migrations, clock } = this.deps;
    const uuid = newUuid();
    const stale = (await migrations.open(tx, before.uuid)).map((one) => one.uuid);
    for (const one of stale) await migrations.setStatus(tx, one, 'error');
    await migrations.insert(tx, {
      uuid,
      instance_uuid: before.uuid,
      project_id: before.project_id,
      user_id: ctx.actor?.userId ?? '',
      migration_type: type,
      status: 'pre-migrating',
      source_compute: before.host ?? '',
      source_node: before.node ?? '',
      dest_compute: null,
      dest_node: null,
      dest_host: null,
      old_flavor: before.flavor,
      new_flavor: flavor,
      old_vm_state: before.vm_state,
      created_at: clock.now(),
    });
    return { migration_uuid: uuid, stale };
  }

  /** upstream: check_instance_host with check_is_up */
  private async assertHostUp(tx: Tx, host: string | null): Promise<void> {
    const services = await this.deps.services.list(tx, { host: host ?? '', binary: 'nova-compute' });
    if (!services.some((one) => isUp(one, this.deps.clock.now()))) throw NovaError.ServiceUnavailable();
  }

  /**
   * Gives up what is left on the old host. Throws NotResized while another confirmation is under way, ServiceUnavailable
   * while the old host is down; one that is no host any more has nothing to give up.
   */
  confirm(ctx: RequestContext, id: string): Promise<void> {
    return this.end(ctx, id, {
      gate: { action: 'confirmResize', vm_states: ['resized'] },
      saga: NovaSagas.confirmResize,
      status: 'confirming',
    });
  }

  /** Goes back to the old flavor and the disk as it was. */
  revert(ctx: RequestContext, id: string): Promise<void> {
    return this.end(ctx, id, {
      gate: { action: 'revertResize', vm_states: ['resized'] },
      saga: NovaSagas.revertResize,
      status: 'reverting',
    });
  }

  private async end(
    ctx: RequestContext,
    id: string,
    about: {
      readonly gate: Gate;
      readonly saga: { readonly kind: string; readonly action: string };
      readonly status: MigrationStatus;
    },
  ): Promise<void> {
    const { deps } = this;
    await deps.tx.run(about.saga.kind, (tx) =>
      begin(ctx, tx, deps, id, {
        gate: about.gate,
        saga: about.saga,
        prepare: async (before) => {
          const migration = finished(await deps.migrations.open(tx, before.uuid));
          if (about.status === 'confirming') await this.assertSourceUp(tx, migration.source_compute);
          await deps.migrations.setStatus(tx, migration.uuid, about.status);
          return {
            patch: about.status === 'reverting' ? { task_state: 'resize_reverting' } : {},
            params: { migration_uuid: migration.uuid },
          };
        },
      }),
    );
  }

  private async assertSourceUp(tx: Tx, host: string): Promise<void> {
    const [service] = await this.deps.services.list(tx, { host, binary: 'nova-compute' });
    if (service !== undefined && !isUp(service, this.deps.clock.now())) throw NovaError.ServiceUnavailable();
  }

  /** The flavor, if the caller may use it and the server's disks fit. upstream: the libvirt driver refuses smaller disks only later */
  private async flavorOf(ctx: RequestContext, tx: Tx, flavorId: string, before: Instance): Promise<Flavor> {
    const { flavors } = this.deps;
    const flavor = await flavors.find(tx, flavorId);
    const mayUse =
      flavor !== null &&
      !flavor.disabled &&
      (flavor.is_public ||
        callerOf(ctx).isAdmin ||
        (await flavors.access(tx, flavorId)).includes(ctx.actor?.projectId ?? ''));
    if (!mayUse) throw NovaError.FlavorBadRequest({ flavor_id: flavorId });
    if (flavor.flavor_id === before.flavor.id) throw NovaError.CannotResizeToSameFlavor();
    if (before.image !== null && flavor.root_gb === 0 && before.flavor.root_gb !== 0)
      throw NovaError.CannotResizeDisk({ reason: 'Resize to zero disk flavor is not allowed.' });
    const shrinks =
      (before.image !== null && flavor.root_gb < before.flavor.root_gb) ||
      flavor.ephemeral_gb < before.flavor.ephemeral_gb;
    if (shrinks) throw NovaError.CannotResizeDisk({ reason: 'Resizing to a smaller disk is not supported.' });
    return flavor;
  }
}

function finished(open: readonly ServerMigration[]): ServerMigration {
  const found = open.find(({ status }) => status === 'finished');
  if (found === undefined) throw NovaError.NotResized();
  return found;
}
