import { newUuid } from '@nestack/kernel/ids';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError, NovaSagas } from '@nestack/nova/contract';
import type { Flavor, Instance } from '../instance';
import type { FlavorRepository, ImagePort, MigrationRepository, MigrationStatus, ServerMigration } from '../ports';
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
  readonly quotas: Quotas;
}

/**
 * Servers that get another flavor on the host where they are; both flavors are held until the user confirms or reverts.
 * upstream: nova/compute/api.py resize, confirm_resize, revert_resize
 */
export class Resize {
  constructor(private readonly deps: ResizeDeps) {}

  /** Throws what `begin` does, FlavorBadRequest, CannotResizeToSameFlavor, CannotResizeDisk, FlavorMemoryTooSmall, TooManyInstances. */
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
    await deps.tx.run('server.resize', async (tx) => {
      const uuid = newUuid();
      await begin(ctx, tx, deps, id, {
        gate: { action: 'resize', vm_states: ['active', 'stopped'] },
        saga: NovaSagas.serverResize,
        prepare: async (before) => {
          const flavor = await this.flavorOf(ctx, tx, flavorId, before);
          if (image !== null && flavor.memory_mb < image.min_ram) throw NovaError.FlavorMemoryTooSmall();
          await deps.quotas.takeResize(tx, before, flavor);
          // Those that a reset of the server's state has left: their claims go first.
          const stale = (await deps.migrations.open(tx, before.uuid)).map((one) => one.uuid);
          for (const one of stale) await deps.migrations.setStatus(tx, one, 'error');
          const here = { compute: before.host ?? '', node: before.node ?? '' };
          await deps.migrations.insert(tx, {
            uuid,
            instance_uuid: before.uuid,
            project_id: before.project_id,
            user_id: ctx.actor?.userId ?? '',
            migration_type: 'resize',
            status: 'migrating',
            source_compute: here.compute,
            source_node: here.node,
            dest_compute: here.compute,
            dest_node: here.node,
            old_flavor: before.flavor,
            new_flavor: snapshot(flavor),
            old_vm_state: before.vm_state,
            created_at: deps.clock.now(),
          });
          return {
            patch: {
              task_state: 'resize_prep',
              progress: 0,
              ...(diskConfig === undefined ? {} : { disk_config: diskConfig }),
            },
            params: { migration_uuid: uuid, stale },
          };
        },
      });
    });
  }

  /** Gives up the old flavor. Throws NotResized while another confirmation is under way. */
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
          await deps.migrations.setStatus(tx, migration.uuid, about.status);
          return {
            patch: about.status === 'reverting' ? { task_state: 'resize_reverting' } : {},
            params: { migration_uuid: migration.uuid },
          };
        },
      }),
    );
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
