import { newUuid } from '@nestack/kernel/ids';
import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';
import { isUp, type Aggregate } from '../instance';
import type { AggregateRepository, ImagePort, InstanceRepository, ServiceRepository } from '../ports';

/** Where hosts are that no aggregate puts into a zone. upstream: default_availability_zone */
export const DEFAULT_ZONE = 'nova';
const ZONE = 'availability_zone';

export interface AggregatesDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly aggregates: AggregateRepository;
  readonly services: ServiceRepository;
  readonly instances: InstanceRepository;
  readonly images: Pick<ImagePort, 'get'>;
}

/** Groups of hosts; the metadata `availability_zone` of one makes its hosts a zone. */
export class Aggregates {
  constructor(private readonly deps: AggregatesDeps) {}

  list(): Promise<readonly Aggregate[]> {
    return this.deps.tx.read('aggregate.list', (tx) => this.deps.aggregates.list(tx));
  }

  show(id: string): Promise<Aggregate> {
    return this.deps.tx.read('aggregate.show', (tx) => this.find(tx, id));
  }

  create(name: string, zone: string | null): Promise<Aggregate> {
    return this.deps.tx.run('aggregate.create', (tx) =>
      this.deps.aggregates.insert(tx, {
        uuid: newUuid(),
        name,
        hosts: [],
        metadata: zone === null ? {} : { [ZONE]: zone },
        created_at: this.deps.clock.now(),
      }),
    );
  }

  update(id: string, changes: { readonly name?: string; readonly zone?: string | null }): Promise<Aggregate> {
    return this.deps.tx.run('aggregate.update', async (tx) => {
      const aggregate = await this.find(tx, id, true);
      const refuse = (reason: string): Error => NovaError.InvalidAggregateActionUpdate({ aggregate_id: id, reason });
      const metadata =
        changes.zone === undefined ? aggregate.metadata : withKeys(aggregate.metadata, { [ZONE]: changes.zone });
      return this.change(
        tx,
        aggregate,
        { metadata, ...(changes.name === undefined ? {} : { name: changes.name }) },
        refuse,
      );
    });
  }

  /** Sets keys, or removes those that are null. */
  setMetadata(id: string, changes: Readonly<Record<string, string | null>>): Promise<Aggregate> {
    return this.deps.tx.run('aggregate.metadata', async (tx) => {
      const aggregate = await this.find(tx, id, true);
      const refuse = (reason: string): Error =>
        NovaError.InvalidAggregateActionUpdateMeta({ aggregate_id: id, reason });
      return this.change(tx, aggregate, { metadata: withKeys(aggregate.metadata, changes) }, refuse);
    });
  }

  delete(id: string): Promise<void> {
    return this.deps.tx.run('aggregate.delete', async (tx) => {
      const aggregate = await this.find(tx, id, true);
      if (aggregate.hosts.length > 0)
        throw NovaError.InvalidAggregateActionDelete({ aggregate_id: id, reason: 'Host aggregate is not empty' });
      await this.deps.aggregates.remove(tx, aggregate.id);
    });
  }

  addHost(id: string, host: string): Promise<Aggregate> {
    return this.deps.tx.run('aggregate.add_host', async (tx) => {
      const aggregate = await this.find(tx, id, true);
      if ((await this.deps.services.list(tx, { host, binary: 'nova-compute' })).length === 0)
        throw NovaError.AggregateHostUnknown({ host });
      if (aggregate.hosts.includes(host)) throw NovaError.AggregateHostExists({ aggregate_id: id, host });
      const refuse = (reason: string): Error => NovaError.InvalidAggregateActionAdd({ aggregate_id: id, reason });
      return this.change(tx, aggregate, { hosts: [...aggregate.hosts, host] }, refuse);
    });
  }

  removeHost(id: string, host: string): Promise<Aggregate> {
    return this.deps.tx.run('aggregate.remove_host', async (tx) => {
      const aggregate = await this.find(tx, id, true);
      if (!aggregate.hosts.includes(host)) throw NovaError.AggregateHostNotRemoved({ host, id });
      const refuse = (reason: string): Error => NovaError.InvalidAggregateActionDelete({ aggregate_id: id, reason });
      return this.change(tx, aggregate, { hosts: aggregate.hosts.filter((one) => one !== host) }, refuse);
    });
  }

  /**
   * The hosts of an aggregate that images can be cached on now: those that are up, enabled or not. Throws BadRequest for images
   * that are named twice or that the caller does not see. upstream: nova/conductor/api.py, manager.py cache_images
   */
  async hostsToCache(ctx: RequestContext, id: string, imageIds: readonly string[]): Promise<readonly string[]> {
    const { deps } = this;
    if (/^-?\d+$/.test(id) && new Set(imageIds).size < imageIds.length)
      throw NovaError.BadRequest({ reason: 'Duplicate images in request' });
    const hosts = await deps.tx.read('aggregate.hosts_to_cache', async (tx) => {
      const aggregate = await this.find(tx, id);
      const services = await deps.services.list(tx, { binary: 'nova-compute' });
      const now = deps.clock.now();
      return services.flatMap((one) => (aggregate.hosts.includes(one.host) && isUp(one, now) ? [one.host] : []));
    });
    const found = await Promise.all(imageIds.map((image) => deps.images.get(ctx, image, 'user')));
    const missing = imageIds.find((_id, at) => found[at] === null);
    if (missing !== undefined) throw NovaError.BadRequest({ reason: `Image ${missing} could not be found.` });
    return hosts;
  }

  private async find(tx: Tx, id: string, lock = false): Promise<Aggregate> {
    if (!/^-?\d+$/.test(id)) throw NovaError.InvalidInput({ reason: 'id must be an integer' });
    const found = await this.deps.aggregates.find(tx, id, lock);
    if (found === null) throw NovaError.AggregateNotFound({ aggregate_id: id });
    return found;
  }

  /**
   * Changes an aggregate and the zones of its hosts. A host is in one zone at most, and does not change it while it has
   * servers. upstream: nova/compute/api.py is_safe_to_update_az
   */
  private async change(
    tx: Tx,
    aggregate: Aggregate,
    patch: Partial<Pick<Aggregate, 'name' | 'hosts' | 'metadata'>>,
    refuse: (reason: string) => Error,
  ): Promise<Aggregate> {
    const { deps } = this;
    const before = await deps.aggregates.list(tx);
    const after = before.map((one) => (one.id === aggregate.id ? { ...one, ...patch } : one));
    const hosts = new Set([...aggregate.hosts, ...(patch.hosts ?? [])]);
    for (const host of hosts) {
      const zones = zonesOf(after, host);
      if (zones.length > 1)
        throw refuse(`One or more hosts already in availability zone(s) ${JSON.stringify(zonesOf(before, host))}`);
      const [was = DEFAULT_ZONE] = zonesOf(before, host);
      const [becomes = DEFAULT_ZONE] = zones;
      if (was === becomes) continue;
      if ((await deps.instances.byHost(tx, host)).length > 0)
        throw refuse('One or more hosts contain instances in this zone');
      await deps.services.setZone(tx, host, becomes);
    }
    return deps.aggregates.update(tx, aggregate.id, patch);
  }
}

function zonesOf(aggregates: readonly Aggregate[], host: string): string[] {
  const zones = aggregates.flatMap((one) => (one.hosts.includes(host) ? (one.metadata[ZONE] ?? []) : []));
  return [...new Set(zones)];
}

function withKeys(
  metadata: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const entries = Object.entries({ ...metadata, ...changes });
  return Object.fromEntries(entries.flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
}
