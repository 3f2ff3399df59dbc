import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest } from '@nestack/kernel/http';
import { RPC_CLIENTS, type RpcClient, type RpcClients } from '@nestack/kernel/rpc';
import {
  ComputeRpc,
  NovaError,
  createRemoteConsole,
  getRdpConsole,
  getSerialConsole,
  getSpiceConsole,
  getVncConsole,
  showConsoleAuthToken,
  type RemoteConsoleFields,
} from '@nestack/nova/contract';
import { ConsoleTokens, Servers } from '@nestack/nova/domain';

/** Consoles that a browser shows. Those of VNC alone; the other protocols answer as upstream does where they are off. */
@Injectable()
export class ConsolesController {
  private readonly compute: RpcClient<typeof ComputeRpc>;

  constructor(
    @Inject(Servers) private readonly servers: Servers,
    @Inject(ConsoleTokens) private readonly tokens: ConsoleTokens,
    @Inject(RPC_CLIENTS) clients: RpcClients,
  ) {
    this.compute = clients.client(ComputeRpc);
  }

  @Handles(getVncConsole)
  vnc(request: ApiRequest) {
    return this.byAction(request, 'os-getVNCConsole', 'vnc');
  }

  @Handles(getSpiceConsole)
  spice(request: ApiRequest) {
    return this.byAction(request, 'os-getSPICEConsole', 'spice');
  }

  @Handles(getRdpConsole)
  rdp(request: ApiRequest) {
    return this.byAction(request, 'os-getRDPConsole', 'rdp');
  }

  @Handles(getSerialConsole)
  serial(request: ApiRequest) {
    return this.byAction(request, 'os-getSerialConsole', 'serial');
  }

  @Handles(createRemoteConsole)
  async create(request: ApiRequest) {
    const { remote_console: wanted } = request.body as { remote_console: RemoteConsoleFields };
    return { remote_console: { ...wanted, url: await this.urlOf(request, wanted) } };
  }

  @Handles(showConsoleAuthToken)
  async show(request: ApiRequest) {
    const found = await this.tokens.show(request.ctx, request.params['token'] ?? '');
    if (!request.version.atLeast('2.31')) throw NovaError.ConsoleDetailsNotAccessible();
    const { instance_uuid, host, port, internal_access_path } = found;
    return { console: { instance_uuid, host, port, internal_access_path } };
  }

  private async byAction(request: ApiRequest, key: string, protocol: string) {
    const { type } = (request.body as Record<string, { readonly type: string }>)[key] ?? { type: '' };
    return { console: { type, url: await this.urlOf(request, { protocol, type }) } };
  }

  /** upstream: nova/compute/manager.py, get_vnc_console: of its types it has noVNC alone. */
  private async urlOf(request: ApiRequest, { protocol, type }: RemoteConsoleFields): Promise<string> {
    const { instance, host } = await this.servers.onHost(request.ctx, request.params['server_id'] ?? '');
    if (protocol !== 'vnc') throw NovaError.ConsoleTypeUnavailable({ console_type: type });
    const address = await this.compute.get_vnc_console(
      request.ctx,
      { instance_uuid: instance.uuid, console_type: type },
      { host },
    );
    return this.tokens.authorize({ uuid: instance.uuid, host }, type, address);
  }
}
