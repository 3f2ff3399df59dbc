import type { NetworkInfo } from '@nestack/neutron/contract';
import type { L2Dataplane } from '../ports';
import { KeyedQueue } from './keyed-queue';

/** The networks that a host carries: each as long as a port or a DHCP server on the host wants it. */
export class CarriedNetworks {
  private readonly holders = new Map<string, Set<string>>();
  private readonly applied = new Map<string, string>();
  private readonly queue = new KeyedQueue();

  constructor(private readonly l2: L2Dataplane) {}

  has(networkId: string): boolean {
    return this.holders.has(networkId);
  }

  /** Makes the network true on the host and keeps it for the holder. `again` looks at the host even when nothing changed. */
  hold(network: NetworkInfo, holder: string, again = false): Promise<void> {
    const holders = this.holders.get(network.id) ?? new Set<string>();
    holders.add(holder);
    this.holders.set(network.id, holders);
    return this.queue.run(network.id, async () => {
      const wanted = JSON.stringify(network);
      if (!again && this.applied.get(network.id) === wanted) return;
      await this.l2.ensureNetwork(network);
      this.applied.set(network.id, wanted);
    });
  }

  /** The holder needs it no more; the last one's leaving removes it from the host. */
  async release(networkId: string, holder: string): Promise<void> {
    const holders = this.holders.get(networkId);
    if (holders === undefined || !holders.delete(holder) || holders.size > 0) return;
    this.holders.delete(networkId);
    await this.remove(networkId);
  }

  /** Removes networks that an earlier run left on the host and nobody holds. */
  async sweep(): Promise<void> {
    for (const networkId of await this.l2.networks()) await this.remove(networkId);
  }

  private remove(networkId: string): Promise<void> {
    return this.queue.run(networkId, async () => {
      // Somebody may have come while this waited for its turn.
      if (this.holders.has(networkId)) return;
      this.applied.delete(networkId);
      await this.l2.absentNetwork(networkId);
    });
  }
}
