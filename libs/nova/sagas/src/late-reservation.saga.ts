import type { RequestContext, Tx } from '@nestack/kernel/context';
import { defineSaga, type SagaDefinition, type SagaStep } from '@nestack/kernel/saga';
import { NovaSagas } from '@nestack/nova/contract';
import { RESERVATION_UNANSWERED, VOLUME_SWAP } from '@nestack/nova/domain';
import type { SagaDeps } from './deps';

/**
 * Cinder may carry a reservation out after its caller has given up and the operation has been undone: nobody would know of
 * that attachment, and the volume would stay reserved for ever. Cinder chooses attachments' ids and knows no key of ours, so
 * they are looked for by volume and instance, this long after one another.
 */
const LOOKS_MS = [5_000, 30_000, 300_000] as const;

interface Params {
  readonly instance_uuid: string;
  readonly volume_id: string;
}

/** Whether a request may have asked cinder and not heard the answer, by what it told its operation. */
export function isUnsure(told: string | undefined): boolean {
  return told === undefined || told === RESERVATION_UNANSWERED;
}

/** Starts to look for reservations that may still be made, in the transaction that ends who asked for them. */
export async function expectLate(
  ctx: RequestContext,
  tx: Tx,
  deps: SagaDeps,
  { instance_uuid, volume_id }: Params,
): Promise<void> {
  await deps.operations.start(ctx, tx, NovaSagas.lateReservation.kind, {
    params: { instance_uuid, volume_id },
    // Not the instance's: it waits for nothing of this.
    resourceId: volume_id,
    lockKey: `late/${instance_uuid}/${volume_id}`,
    mode: 'queue',
  });
}

/** Whether the instance has the volume, or an operation is about to give it one. A boot that failed keeps the row of its volume. */
function isWanted(deps: SagaDeps, uuid: string, volumeId: string): Promise<boolean> {
  return deps.tx.read('saga.late_reservation', async (tx) => {
    const instance = await deps.instances.find(tx, uuid, { deleted: true });
    const devices = await deps.devices.ofInstance(tx, uuid);
    const device = devices.find((one) => one.volume_id === volumeId);
    const failed = instance?.vm_state === 'error' && instance.task_state === null;
    if (device !== undefined) return !failed || device.attachment_id !== null;
    return (await deps.events.of(tx, uuid, VOLUME_SWAP)).has(volumeId);
  });
}

/** `server.late_reservation`: ends an attachment of a volume that the instance does not have, whenever it comes. */
export function lateReservationSaga(deps: SagaDeps): SagaDefinition {
  const steps = LOOKS_MS.flatMap((timeoutMs, at): SagaStep<Params>[] => [
    {
      type: 'wait',
      name: `wait_${String(at + 1)}`,
      timeoutMs,
      onTimeout: 'continue',
      check: () => Promise.resolve(undefined),
    },
    {
      type: 'effect',
      name: `release_${String(at + 1)}`,
      pivot: at === 0,
      do: async (ctx, { params: { instance_uuid, volume_id } }) => {
        const found = await deps.volumes.findAttachment(ctx, volume_id, instance_uuid);
        if (found === null) return;
        // Read after it was found: no operation reserves a volume that is reserved already, and those that did have their row.
        if (await isWanted(deps, instance_uuid, volume_id)) return;
        await deps.volumes.deleteAttachment(ctx, found);
      },
    },
  ]);
  return defineSaga({
    kind: NovaSagas.lateReservation.kind,
    version: 1,
    params: NovaSagas.lateReservation.params,
    steps,
  }) as unknown as SagaDefinition;
}
