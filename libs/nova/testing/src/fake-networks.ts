import { newUuid } from '@nestack/kernel/ids';
import type { RequestContext } from '@nestack/kernel/context';
import { NovaError, type Nic } from '@nestack/nova/contract';
import type {
  NetworkPort,
  NetworkRequest,
  NetworkSummary,
  PortSummary,
  SecurityGroupDetail,
  ServerOfProject,
} from '@nestack/nova/domain';
import { Faults } from './faults';

type About = Parameters<NetworkPort['ensurePorts']>[1];

export interface FakePort {
  id: string;
  network_id: string;
  project_id: string;
  device_id: string;
  host: string;
  status: string;
  mac_address: string;
  ip: string;
  /** Addresses beside the first. */
  further: readonly string[];
  made_by_nova: boolean;
  tag: string | null;
  /** What it was made for. */
  key?: string;
  /** Its place among the NICs of its instance. */
  index: number;
  groups: string[];
}

/** Neutron with full state. A port becomes ACTIVE, and `plugged` is told, right after it is bound to a host. */
export class FakeNetworks implements NetworkPort {
  readonly faults = new Faults();
  readonly networks = new Map<string, NetworkSummary & { project_id: string }>();
  readonly ports = new Map<string, FakePort>();
  readonly groups = new Map<string, SecurityGroupDetail>();
  /** Called once for each binding, as the agent's report would be. */
  plugged: (port: FakePort) => void = () => undefined;
  /** Whether projects without a network can get one. */
  autoAllocates = false;
  private addresses = 1;

  addNetwork(fields: {
    project_id: string;
    name?: string;
    shared?: boolean;
    external?: boolean;
    secured?: boolean;
  }): string {
    const id = newUuid();
    this.networks.set(id, {
      id,
      name: fields.name ?? 'private',
      subnets: [newUuid()],
      shared: fields.shared ?? false,
      external: fields.external ?? false,
      port_security_enabled: fields.secured ?? true,
      project_id: fields.project_id,
    });
    return id;
  }

  addGroup(projectId: string, name: string): string {
    const id = newUuid();
    const rule = {
      id: newUuid(),
      direction: 'ingress' as const,
      protocol: 'tcp',
      port_range_min: 22,
      port_range_max: 22,
      remote_ip_prefix: null,
      remote_group_id: null,
    };
    this.groups.set(id, { id, name, project_id: projectId, description: '', security_group_rules: [rule] });
    return id;
  }

  /** A port that the user made. */
  addPort(projectId: string, networkId: string): FakePort {
    return this.newPort({ project_id: projectId, network_id: networkId, made_by_nova: false, index: 0, tag: null });
  }

  available(ctx: RequestContext): Promise<readonly NetworkSummary[]> {
    return this.faults.run('available', () => {
      const own = [...this.networks.values()].filter((one) => one.project_id === ctx.actor?.projectId);
      return own.length > 0 ? own : [...this.networks.values()].filter((one) => one.shared);
    });
  }

  network(ctx: RequestContext, id: string): Promise<NetworkSummary | null> {
    return this.faults.run('network', () => {
      const found = this.networks.get(id);
      const visible = found?.shared === true || found?.external === true || found?.project_id === ctx.actor?.projectId;
      return visible ? (found ?? null) : null;
    });
  }

  canAutoAllocate(): Promise<boolean> {
    return this.faults.run('canAutoAllocate', () => this.autoAllocates);
  }

  autoAllocated(_ctx: RequestContext, projectId: string): Promise<string> {
    return this.faults.run('autoAllocated', () => {
      if (!this.autoAllocates) throw NovaError.UnableToAutoAllocateNetwork({ project_id: projectId });
      const name = 'auto_allocated_network';
      const known = [...this.networks.values()].find((one) => one.project_id === projectId && one.name === name);
      return known?.id ?? this.addNetwork({ project_id: projectId, name });
    });
  }

  port(ctx: RequestContext, id: string, as: 'user' | 'service'): Promise<PortSummary | null> {
    return this.faults.run('port', () => {
      const port = this.ports.get(id);
      if (port === undefined || (as === 'user' && !this.sees(ctx, port))) return null;
      return {
        id,
        project_id: port.project_id,
        network_id: port.network_id,
        device_id: port.device_id,
        status: port.status,
        fixed_ips: [{ ip_address: port.ip, subnet_id: this.subnetOf(port) }],
        mac_address: port.mac_address,
        security_groups: [...port.groups],
        port_security_enabled: true,
      };
    });
  }

  groupNames(_ctx: RequestContext, ids: readonly string[]): Promise<readonly string[]> {
    return this.faults.run('groupNames', () => ids.flatMap((id) => this.groups.get(id)?.name ?? []));
  }

  securityGroup(
    _ctx: RequestContext,
    projectId: string,
    nameOrId: string,
  ): Promise<{ id: string; name: string } | null> {
    return this.faults.run(
      'securityGroup',
      () =>
        [...this.groups.values()].find(
          (one) => one.project_id === projectId && (one.id === nameOrId || one.name === nameOrId),
        ) ?? null,
    );
  }

  ensurePorts(_ctx: RequestContext, about: About): Promise<readonly Nic[]> {
    return this.faults.run('ensurePorts', () =>
      about.requests.map((request, index) => this.bind(about, request, index)),
    );
  }

  ensurePort(_ctx: RequestContext, about: Parameters<NetworkPort['ensurePort']>[1]): Promise<Nic> {
    return this.faults.run('ensurePort', () => {
      const index = this.of(about.instance_uuid).length;
      const nic = this.bind({ ...about, requests: [] }, about.request, index);
      const port = this.ports.get(nic.port_id);
      if (port !== undefined && about.request.port_id === null) port.key = about.key;
      return nic;
    });
  }

  releaseRequested(_ctx: RequestContext, server: ServerOfProject, key: string): Promise<void> {
    return this.faults.run('releaseRequested', () => {
      for (const port of this.ofServer(server)) if (port.key === key || port.id === key) this.release(port);
    });
  }

  releasePorts(_ctx: RequestContext, server: ServerOfProject, _nics: readonly Nic[]): Promise<void> {
    return this.faults.run('releasePorts', () => {
      for (const port of this.ofServer(server)) this.release(port);
    });
  }

  releasePort(_ctx: RequestContext, server: ServerOfProject, nic: Nic): Promise<void> {
    return this.faults.run('releasePort', () => {
      const port = this.ofServer(server).find(({ id }) => id === nic.port_id);
      if (port !== undefined) this.release(port);
    });
  }

  unbindPorts(_ctx: RequestContext, server: ServerOfProject): Promise<void> {
    return this.faults.run('unbindPorts', () => {
      for (const port of this.ofServer(server)) Object.assign(port, { host: '', status: 'DOWN' });
    });
  }

  changeSecurityGroup(
    _ctx: RequestContext,
    nics: readonly Nic[],
    groupId: string,
    change: 'add' | 'remove',
  ): Promise<void> {
    return this.faults.run('changeSecurityGroup', () => {
      for (const nic of nics) {
        const port = this.ports.get(nic.port_id);
        if (port === undefined) continue;
        port.groups = port.groups.filter((id) => id !== groupId);
        if (change === 'add') port.groups.push(groupId);
      }
    });
  }

  securityGroupsOf(_ctx: RequestContext, server: ServerOfProject): ReturnType<NetworkPort['securityGroupsOf']> {
    return this.faults.run('securityGroupsOf', () => {
      const ids = new Set(this.ofServer(server).flatMap((port) => port.groups));
      return [...this.groups.values()].filter(({ id }) => ids.has(id));
    });
  }

  current(_ctx: RequestContext, server: ServerOfProject): ReturnType<NetworkPort['current']> {
    return this.faults.run('current', () =>
      this.ofServer(server).map((port) => ({ nic: this.nicOf(port), status: port.status })),
    );
  }

  /** Gives a port these addresses; null is any. */
  setIps(portId: string, ips: readonly (string | null)[]): void {
    const port = this.ports.get(portId);
    if (port === undefined) throw NovaError.PortNotFound({ port_id: portId });
    const [ip = port.ip, ...further] = ips.map((one) => one ?? `10.1.0.${(this.addresses += 1)}`);
    Object.assign(port, { ip, further });
  }

  /** The ports of one instance, in the order of its NICs. */
  of(instanceUuid: string): FakePort[] {
    return [...this.ports.values()].filter((one) => one.device_id === instanceUuid).sort((a, b) => a.index - b.index);
  }

  private ofServer(server: ServerOfProject): FakePort[] {
    return this.of(server.uuid).filter((one) => one.project_id === server.project_id);
  }

  /** Ports are seen by whose they are and by whose network they are on. */
  private sees(ctx: RequestContext, port: FakePort): boolean {
    const owners = [port.project_id, this.networks.get(port.network_id)?.project_id];
    return owners.includes(ctx.actor?.projectId ?? undefined);
  }

  private bind(
    about: Omit<About, 'requests'> & Partial<Pick<About, 'requests'>>,
    request: NetworkRequest,
    index: number,
  ): Nic {
    const known =
      request.port_id === null
        ? this.of(about.instance_uuid).find((one) => one.index === index)
        : this.ports.get(request.port_id);
    if (known === undefined && request.port_id !== null) throw NovaError.PortNotFound({ port_id: request.port_id });
    const port =
      known ??
      this.newPort({
        project_id: about.project_id,
        network_id: request.network_id ?? '',
        made_by_nova: true,
        index,
        tag: request.tag,
        ...(request.fixed_ip === null ? {} : { ip: request.fixed_ip }),
      });
    if (port.project_id !== about.project_id)
      throw NovaError.PortNotUsable({ port_id: port.id, instance: about.instance_uuid });
    if (port.device_id !== '' && port.device_id !== about.instance_uuid)
      throw NovaError.PortInUse({ port_id: port.id });
    if (this.faults.hosts.has(about.host)) {
      Object.assign(port, { device_id: about.instance_uuid, host: about.host, index, status: 'DOWN' });
      throw NovaError.PortBindingFailed({ port_id: port.id });
    }
    const moved = port.host !== about.host;
    Object.assign(port, { device_id: about.instance_uuid, host: about.host, index });
    if (port.groups.length === 0) port.groups.push(...about.security_groups);
    if (moved) {
      port.status = 'ACTIVE';
      setImmediate(() => this.plugged(port));
    }
    return this.nicOf(port);
  }

  private release(port: FakePort): void {
    if (port.made_by_nova) this.ports.delete(port.id);
    else Object.assign(port, { device_id: '', host: '', status: 'DOWN' });
  }

  private newPort(
    fields: Pick<FakePort, 'project_id' | 'network_id' | 'made_by_nova' | 'index' | 'tag'> & { ip?: string },
  ): FakePort {
    const number = (this.addresses += 1);
    const port: FakePort = {
      id: newUuid(),
      device_id: '',
      host: '',
      status: 'DOWN',
      mac_address: `fa:16:3e:00:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`,
      groups: [],
      further: [],
      ...fields,
      ip: fields.ip ?? `10.0.${number >> 8}.${number & 255}`,
    };
    this.ports.set(port.id, port);
    return port;
  }

  private subnetOf(port: FakePort): string {
    return this.networks.get(port.network_id)?.subnets[0] ?? '';
  }

  private nicOf(port: FakePort): Nic {
    return {
      port_id: port.id,
      network_id: port.network_id,
      network_label: this.networks.get(port.network_id)?.name ?? '',
      mac_address: port.mac_address,
      devname: `tap${port.id.slice(0, 11)}`,
      bridge: `brq${port.network_id.slice(0, 11)}`,
      mtu: 1450,
      vif_type: 'bridge',
      fixed_ips: [port.ip, ...port.further].map((ip) => ({ ip_address: ip, subnet_id: this.subnetOf(port) })),
      subnets: [
        {
          id: this.subnetOf(port),
          cidr: '10.0.0.0/16',
          ip_version: 4,
          gateway_ip: '10.0.0.1',
          enable_dhcp: true,
          dns_nameservers: [],
          host_routes: [],
        },
      ],
      tag: port.tag,
      created_by_nova: port.made_by_nova,
    };
  }
}
