import type { Clock } from '@nestack/kernel/clock';
import type { RequestContext, TransactionRunner } from '@nestack/kernel/context';
import { NovaError } from '@nestack/nova/contract';
import { isUp, type ComputeNode, type ComputeService, type Instance } from '../instance';
import type { ComputeNodeRepository, InstanceRepository, PlacementPort, ServiceRepository } from '../ports';

export interface HostsDeps {
  readonly tx: TransactionRunner;
  readonly clock: Clock;
  readonly services: ServiceRepository;
  readonly nodes: ComputeNodeRepository;
  readonly instances: InstanceRepository;
  readonly placement: PlacementPort;
}

/** A hypervisor with the service that runs it and what is on it. */
export interface Hypervisor {
  readonly node: ComputeNode;
  readonly service: ComputeService | null;
  readonly up: boolean;
  readonly instances: readonly Instance[];
}

/** Services and hypervisors, for operators. */
export class Hosts {
  constructor(private readonly deps: HostsDeps) {}

  now(): Date {
    return this.deps.clock.now();
  }

  services(filter: { readonly host?: string; readonly binary?: string } = {}): Promise<readonly ComputeService[]> {
    return this.deps.tx.read('service.list', (tx) => this.deps.services.list(tx, filter));
  }

  /** All hypervisors with usage, in one read of three statements. */
  hypervisors(): Promise<readonly Hypervisor[]> {
    return this.deps.tx.read('hypervisor.list', async (tx) => {
      const nodes = await this.deps.nodes.list(tx);
      const services = new Map(
        (await this.deps.services.list(tx, { binary: 'nova-compute' })).map((service) => [service.host, service]),
      );
      const instances = await this.deps.instances.onHosts(tx);
      const now = this.deps.clock.now();
      return nodes.map((node) => {
        const service = services.get(node.host) ?? null;
        return { node, service, up: service !== null && isUp(service, now), instances: instances.get(node.host) ?? [] };
      });
    });
  }

  async hypervisor(id: string): Promise<Hypervisor> {
    const found = (await this.hypervisors()).find(({ node }) => node.uuid === id || String(node.id) === id);
    if (found === undefined) throw NovaError.HypervisorNotFound({ hypervisor_id: id });
    return found;
  }

  /** Enables, disables or forces down; Placement learns of disabled hosts by their trait. */
  async update(
    ctx: RequestContext,
    which: { readonly uuid?: string; readonly host?: string; readonly binary?: string },
    patch: Partial<Pick<ComputeService, 'disabled' | 'disabled_reason' | 'forced_down'>>,
  ): Promise<ComputeService> {
    const { service, node } = await this.deps.tx.run('service.update', async (tx) => {
      const found =
        which.uuid === undefined
          ? (await this.deps.services.list(tx, which)).at(0)
          : await this.deps.services.find(tx, which.uuid);
      if (found === undefined || found === null) {
        throw which.uuid === undefined
          ? NovaError.HostBinaryNotFound({ host: which.host ?? '', binary: which.binary ?? '' })
          : NovaError.ServiceNotFound({ service_id: which.uuid });
      }
      if (found.binary !== 'nova-compute' && patch.disabled !== undefined) {
        throw NovaError.BadRequest({
          reason: `Updating a ${found.binary} service is not supported. Only nova-compute services can be updated.`,
        });
      }
      const updated = await this.deps.services.update(tx, found.uuid, patch);
      return { service: updated ?? found, node: await this.deps.nodes.byHost(tx, found.host) };
    });
    if (node !== null && patch.disabled !== undefined)
      await this.deps.placement.setDisabled(ctx, node.uuid, patch.disabled);
    return service;
  }

  /** Removes a service, its compute node and its resource provider; refused while servers are on its host. */
  async remove(ctx: RequestContext, uuid: string): Promise<void> {
    const node = await this.deps.tx.run('service.delete', async (tx) => {
      const service = await this.deps.services.find(tx, uuid);
      if (service === null) throw NovaError.ServiceNotFound({ service_id: uuid });
      if ((await this.deps.instances.byHost(tx, service.host)).length > 0 && service.binary === 'nova-compute') {
        throw NovaError.Conflict({
          reason: 'Unable to delete compute service that is hosting instances. Migrate or delete the instances first.',
        });
      }
      const found = await this.deps.nodes.byHost(tx, service.host);
      await this.deps.nodes.removeOfService(tx, service.id);
      await this.deps.services.remove(tx, service.uuid);
      return found;
    });
    if (node !== null) await this.deps.placement.removeProvider(ctx, node.uuid);
  }
}
