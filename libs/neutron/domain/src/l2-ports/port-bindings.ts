import type { RequestContext, Tx } from '@nestack/kernel/context';
import { NeutronError } from '@nestack/neutron/contract';
import { findOr, mustAllow, viewerOf } from '../access';
import type { Port, PortBinding } from '../model';
import type { NeutronParts } from '../parts';
import { bind } from './binding';
import type { PortNews } from './port-news';

export interface BindingsParts extends NeutronParts {
  readonly news: PortNews;
}

export interface BindingInput {
  readonly host?: string;
  readonly vnic_type?: string;
  readonly profile?: Readonly<Record<string, unknown>> | null;
}

export type BindingView = PortBinding & { readonly status: 'ACTIVE' | 'INACTIVE'; readonly project_id: string };

/** Bindings of ports to hosts besides the active one: live migration prepares the other side with them. */
export class PortBindings {
  constructor(private readonly parts: BindingsParts) {}

  /** Those of a port that the caller sees; to who may see no bindings it has none. */
  async list(ctx: RequestContext, portId: string): Promise<BindingView[]> {
    return this.parts.db.read('binding.list', async (tx) => {
      const port = await this.port(ctx, tx, portId);
      return this.maySee(ctx) ? this.of(tx, port) : [];
    });
  }

  async show(ctx: RequestContext, portId: string, host: string): Promise<BindingView> {
    return this.parts.db.read('binding.show', async (tx) => {
      const port = await this.port(ctx, tx, portId);
      this.mustSee(ctx);
      const found = (await this.of(tx, port)).find((one) => one.host === host);
      if (found === undefined) throw NeutronError.PortBindingNotFound({ port_id: portId, host });
      return found;
    });
  }

  private async of(tx: Tx, port: Port): Promise<BindingView[]> {
    const others = await this.parts.ports.bindings(tx, port.id);
    return [...active(port), ...others.map((one) => inactive(port, one))];
  }

  private port(ctx: RequestContext, tx: Tx, id: string, change = false): Promise<Port> {
    const { ports, policy } = this.parts;
    const viewer = viewerOf(ctx, policy);
    return findOr(tx, ports, id, viewer, NeutronError.PortNotFound, 'port_id', change ? 'change' : undefined);
  }

  private maySee(ctx: RequestContext): boolean {
    return this.parts.policy.allows(ctx, 'get_port_binding', {});
  }

  /** What may not be seen is absent. upstream: neutron/pecan_wsgi/hooks/policy_enforcement.py */
  private mustSee(ctx: RequestContext): void {
    if (!this.maySee(ctx)) throw NeutronError.HTTPNotFound();
  }

  /** Throws 409 for a host that has one. */
  async create(ctx: RequestContext, portId: string, input: BindingInput): Promise<BindingView> {
    mustAllow(ctx, this.parts.policy, 'create_port_binding', {});
    const host = input.host;
    if (host === undefined)
      throw NeutronError.HTTPBadRequest({ reason: "Failed to parse request. Required attribute 'host' not specified" });
    return this.parts.db.run('binding.create', async (tx) => {
      const port = await this.port(ctx, tx, portId, true);
      const binding = await this.bound(tx, port, host, input);
      if (port['binding:host_id'] === host || !(await this.parts.ports.insertBinding(tx, binding)))
        throw NeutronError.PortBindingAlreadyExists({ port_id: portId, host });
      return inactive(port, binding);
    });
  }

  private async bound(tx: Tx, port: Port, host: string, input: BindingInput): Promise<PortBinding> {
    const vnicType = input.vnic_type ?? 'normal';
    const result = await bind(tx, this.parts, { network_id: port.network_id, 'binding:vnic_type': vnicType }, host);
    if (result['binding:vif_type'] === 'binding_failed')
      throw NeutronError.PortBindingError({ port_id: port.id, host });
    return {
      port_id: port.id,
      host,
      vnic_type: vnicType,
      profile: input.profile ?? {},
      vif_type: result['binding:vif_type'],
      vif_details: result['binding:vif_details'],
    };
  }

  async update(ctx: RequestContext, portId: string, host: string, input: BindingInput): Promise<BindingView> {
    return this.parts.db.run('binding.update', async (tx) => {
      const port = await this.port(ctx, tx, portId, true);
      this.mustSee(ctx);
      mustAllow(ctx, this.parts.policy, 'create_port_binding', {});
      const known = (await this.parts.ports.bindings(tx, portId)).find((one) => one.host === host);
      if (known === undefined) throw NeutronError.PortBindingNotFound({ port_id: portId, host });
      const binding = await this.bound(tx, port, host, { ...known, ...input });
      await this.parts.ports.updateBinding(tx, binding);
      return inactive(port, binding);
    });
  }

  /** The host's binding becomes the port's own; the one before becomes inactive. */
  async activate(ctx: RequestContext, portId: string, host: string): Promise<BindingView> {
    mustAllow(ctx, this.parts.policy, 'activate', {});
    const { parts } = this;
    return parts.db.run('binding.activate', async (tx) => {
      const before = await this.port(ctx, tx, portId, true);
      if (before['binding:host_id'] === host) throw NeutronError.PortBindingAlreadyActive({ port_id: portId, host });
      const next = (await parts.ports.bindings(tx, portId)).find((one) => one.host === host);
      if (next === undefined) throw NeutronError.PortBindingNotFound({ port_id: portId, host });
      await parts.ports.removeBinding(tx, portId, host);
      const [old] = active(before);
      if (old !== undefined) await parts.ports.insertBinding(tx, old);
      const { wired } = await bind(
        tx,
        parts,
        { network_id: before.network_id, 'binding:vnic_type': next.vnic_type },
        host,
      );
      const patch: Partial<Port> = {
        'binding:host_id': host,
        'binding:vnic_type': next.vnic_type,
        'binding:profile': next.profile,
        'binding:vif_type': next.vif_type,
        'binding:vif_details': next.vif_details,
        status: wired ? 'DOWN' : 'ACTIVE',
      };
      await parts.ports.update(tx, portId, patch, parts.clock.now());
      const after = await this.port(ctx, tx, portId);
      await parts.news.changed(ctx, tx, before, after);
      if (after.status === 'ACTIVE') await parts.news.status(ctx, tx, after);
      const [view] = active(after);
      if (view === undefined) throw NeutronError.PortBindingNotFound({ port_id: portId, host });
      return view;
    });
  }

  async remove(ctx: RequestContext, portId: string, host: string): Promise<void> {
    const { parts } = this;
    await parts.db.run('binding.delete', async (tx) => {
      await this.port(ctx, tx, portId, true);
      this.mustSee(ctx);
      mustAllow(ctx, parts.policy, 'delete_port_binding', {});
      if (!(await parts.ports.removeBinding(tx, portId, host)))
        throw NeutronError.PortBindingNotFound({ port_id: portId, host });
    });
  }
}

function active(port: Port): BindingView[] {
  if (port['binding:host_id'] === '') return [];
  return [
    {
      port_id: port.id,
      host: port['binding:host_id'],
      status: 'ACTIVE',
      vnic_type: port['binding:vnic_type'],
      profile: port['binding:profile'],
      vif_type: port['binding:vif_type'],
      vif_details: port['binding:vif_details'],
      project_id: port.project_id,
    },
  ];
}

function inactive(port: Port, binding: PortBinding): BindingView {
  return { ...binding, status: 'INACTIVE', project_id: port.project_id };
}
