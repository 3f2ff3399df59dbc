import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaSagas } from '@nestack/nova/contract';
import type { Instance } from '../instance';
import type {
  BlockDeviceRepository,
  ExternalEventRepository,
  InstanceRepository,
  NetworkPort,
  Operations,
} from '../ports';

export interface ExternalEvent {
  readonly server_uuid: string;
  readonly name: string;
  readonly status?: string;
  readonly tag?: string;
}

export interface ExternalEventsDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly instances: InstanceRepository;
  readonly devices: BlockDeviceRepository;
  readonly events: ExternalEventRepository;
  readonly operations: Operations;
  readonly networks: NetworkPort;
}

/** Events that say nothing without a tag. */
const TAGGED: ReadonlySet<string> = new Set(['volume-extended', 'power-update', 'accelerator-request-bound']);

/** What neutron and cinder tell of servers. upstream: nova/api/openstack/compute/server_external_events.py */
export class ExternalEvents {
  constructor(private readonly deps: ExternalEventsDeps) {}

  /** Records each event and rings what waits for it. The code of each: 200, 404 for an unknown server, 400 without a tag that it needs, 422 before it has a host. */
  async accept(
    ctx: RequestContext,
    events: readonly ExternalEvent[],
  ): Promise<readonly (ExternalEvent & { readonly status: string; readonly code: number })[]> {
    const { deps } = this;
    const answers: (ExternalEvent & { readonly status: string; readonly code: number })[] = [];
    for (const event of events) {
      const code = await deps.tx.run('external_event', async (tx) => {
        if (event.name === 'volume-extended') await deps.operations.lock(tx, `${event.server_uuid}/${event.tag ?? ''}`);
        await deps.operations.signal(ctx, tx, event.server_uuid);
        const instance = await deps.instances.find(tx, event.server_uuid, { lock: true });
        if (instance === null) return 404;
        if (TAGGED.has(event.name) && event.tag === undefined) return 400;
        if (instance.host === null) return 422;
        const tag = event.tag ?? '';
        if (event.name === 'volume-extended') {
          await this.extend(ctx, tx, instance, tag);
          return 200;
        }
        await deps.events.record(tx, instance.uuid, {
          name: event.name,
          tag,
          status: event.status ?? 'completed',
          at: deps.clock.now(),
        });
        if (event.name === 'network-vif-deleted') {
          await deps.instances.update(tx, instance.uuid, { nics: instance.nics.filter((nic) => nic.port_id !== tag) });
        }
        return 200;
      });
      if (code === 200 && event.name === 'network-changed') await this.refresh(ctx, event.server_uuid);
      answers.push({ ...event, status: code === 200 ? 'completed' : 'failed', code });
    }
    return answers;
  }

  /** Lets a server's host see that a volume of its has grown; of one that it does not have there is nothing to see. */
  private async extend(ctx: RequestContext, tx: Tx, instance: Instance, volumeId: string): Promise<void> {
    const { deps } = this;
    if ((await deps.devices.byVolume(tx, instance.uuid, volumeId)) === null) return;
    await deps.operations.start(ctx, tx, NovaSagas.extendVolume.kind, {
      params: { instance_uuid: instance.uuid, volume_id: volumeId },
      resourceId: instance.uuid,
      lockKey: `${instance.uuid}/${volumeId}`,
      mode: 'queue',
      action: NovaSagas.extendVolume.action,
    });
  }

  /** Takes addresses over that changed in neutron. */
  async refresh(ctx: RequestContext, uuid: string): Promise<void> {
    const { deps } = this;
    const known = await deps.tx.read('network_changed', (tx) => deps.instances.find(tx, uuid));
    if (known === null) return;
    const current = await deps.networks.current(ctx, known, known.nics);
    await deps.tx.run('network_changed', async (tx) => {
      const instance = await deps.instances.find(tx, uuid, { lock: true });
      if (instance === null) return;
      const fresh = new Map(current.map(({ nic }) => [nic.port_id, nic]));
      await deps.instances.update(tx, uuid, { nics: instance.nics.map((nic) => fresh.get(nic.port_id) ?? nic) });
    });
  }
}
