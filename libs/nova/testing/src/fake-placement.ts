import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import type { RequestSpec } from '@nestack/nova/contract';
import type { PlacementPort, ProviderCandidate } from '@nestack/nova/domain';
import { Faults } from './faults';

type Provider = Parameters<PlacementPort['ensureProvider']>[1];
type Amounts = Readonly<Record<string, number>>;

/** Placement with full state: claims never exceed a provider's capacity. */
export class FakePlacement implements PlacementPort {
  readonly faults = new Faults();
  readonly providers = new Map<string, Provider & { disabled: boolean }>();
  readonly allocations = new Map<string, { provider: string; amounts: Amounts }>();

  isStandardTrait(name: string): boolean {
    return /^(COMPUTE|HW|MISC|OWNER|STORAGE)_/.test(name);
  }

  isStandardResourceClass(name: string): boolean {
    return ['VCPU', 'MEMORY_MB', 'DISK_GB'].includes(name);
  }

  ensureProvider(_ctx: RequestContext, provider: Provider): Promise<void> {
    return this.faults.run('ensureProvider', () => {
      const disabled = provider.traits.includes('COMPUTE_STATUS_DISABLED');
      this.providers.set(provider.uuid, { ...provider, disabled });
    });
  }

  setDisabled(_ctx: RequestContext, uuid: string, disabled: boolean): Promise<void> {
    return this.faults.run('setDisabled', () => {
      const provider = this.providers.get(uuid);
      if (provider !== undefined) provider.disabled = disabled;
    });
  }

  candidates(
    _ctx: RequestContext,
    spec: RequestSpec,
    limit: number,
    within?: string,
  ): Promise<readonly ProviderCandidate[]> {
    return this.faults.run('candidates', () => {
      const wanted = amountsOf(spec);
      return [...this.providers.values()]
        .filter((provider) => within === undefined || provider.uuid === within)
        .filter((provider) => !provider.disabled && this.fits(provider, wanted))
        .slice(0, limit)
        .map((provider) => ({
          provider_uuid: provider.uuid,
          allocation_request: wanted,
          capacity: Object.fromEntries(
            Object.entries(provider.inventory).map(([name, { total, reserved, allocation_ratio: ratio }]) => [
              name,
              { capacity: (total - reserved) * ratio, used: this.used(provider, name) },
            ]),
          ),
        }));
    });
  }

  claim(_ctx: RequestContext, spec: RequestSpec, candidate: ProviderCandidate): Promise<boolean> {
    return this.faults.run('claim', () => {
      const provider = this.providers.get(candidate.provider_uuid);
      const wanted = amountsOf(spec);
      if (provider === undefined || this.allocations.has(spec.instance_uuid) || !this.fits(provider, wanted))
        return false;
      this.allocations.set(spec.instance_uuid, { provider: provider.uuid, amounts: wanted });
      return true;
    });
  }

  allocatedOn(_ctx: RequestContext, consumer: string): Promise<string | null> {
    return this.faults.run('allocatedOn', () => this.allocations.get(consumer)?.provider ?? null);
  }

  traitsOf(_ctx: RequestContext, consumer: string): Promise<ReadonlySet<string>> {
    return this.faults.run('traitsOf', () => {
      const held = this.allocations.get(consumer);
      return new Set(held === undefined ? [] : this.providers.get(held.provider)?.traits);
    });
  }

  moveAllocation(_ctx: RequestContext, { from, to }: { from: string; to: string }): Promise<void> {
    return this.faults.run('moveAllocation', () => {
      const held = this.allocations.get(from);
      if (held === undefined) return;
      this.allocations.delete(from);
      this.allocations.set(to, held);
    });
  }

  release(_ctx: RequestContext, consumer: string): Promise<void> {
    return this.faults.run('release', () => {
      this.allocations.delete(consumer);
    });
  }

  removeProvider(_ctx: RequestContext, uuid: string): Promise<void> {
    return this.faults.run('removeProvider', () => {
      if ([...this.allocations.values()].some((one) => one.provider === uuid))
        throw new DomainError({ kind: 'conflict', code: 'ResourceProviderInUse', message: 'it has allocations' });
      this.providers.delete(uuid);
    });
  }

  private used(provider: Provider, name: string): number {
    return [...this.allocations.values()]
      .filter((one) => one.provider === provider.uuid)
      .reduce((sum, one) => sum + (one.amounts[name] ?? 0), 0);
  }

  private fits(provider: Provider, wanted: Amounts): boolean {
    return Object.entries(wanted).every(([name, amount]) => {
      const inventory = provider.inventory[name];
      if (inventory === undefined) return amount === 0;
      return this.used(provider, name) + amount <= (inventory.total - inventory.reserved) * inventory.allocation_ratio;
    });
  }
}

function amountsOf(spec: RequestSpec): Amounts {
  const { vcpus, memory_mb: memory, ephemeral_gb: ephemeral } = spec.flavor;
  return { VCPU: vcpus, MEMORY_MB: memory, DISK_GB: spec.root_gb_on_host + ephemeral };
}
