import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest } from '@nestack/kernel/http';
import { RPC_CLIENTS, type RpcClient, type RpcClients } from '@nestack/kernel/rpc';
import {
  ComputeRpc,
  NovaError,
  addSecurityGroup,
  changeServerPassword,
  forceDeleteServer,
  getConsoleOutput,
  injectNetworkInfo,
  lockServer,
  pauseServer,
  rebootServer,
  removeSecurityGroup,
  resetServerState,
  restoreServer,
  resumeServer,
  startServer,
  stopServer,
  suspendServer,
  toInteger,
  triggerCrashDump,
  unlockServer,
  unpauseServer,
} from '@nestack/nova/contract';
import { NETWORK_PORT, Servers, type NetworkPort } from '@nestack/nova/domain';

const accepted = (): ApiReply => new ApiReply(null, { status: 202 });
const id = (request: ApiRequest): string => request.params['server_id'] ?? '';

/** `POST /servers/{id}/action` */
@Injectable()
export class ServerActionsController {
  private readonly compute: RpcClient<typeof ComputeRpc>;

  constructor(
    @Inject(Servers) private readonly servers: Servers,
    @Inject(RPC_CLIENTS) clients: RpcClients,
    @Inject(NETWORK_PORT) private readonly networks: NetworkPort,
  ) {
    this.compute = clients.client(ComputeRpc);
  }

  @Handles(startServer)
  async start(request: ApiRequest) {
    await this.servers.start(request.ctx, id(request));
    return accepted();
  }

  @Handles(stopServer)
  async stop(request: ApiRequest) {
    await this.servers.stop(request.ctx, id(request));
    return accepted();
  }

  @Handles(rebootServer)
  async reboot(request: ApiRequest) {
    const { reboot } = request.body as { reboot: { type: string } };
    await this.servers.reboot(request.ctx, id(request), reboot.type.toUpperCase() === 'HARD' ? 'HARD' : 'SOFT');
    return accepted();
  }

  @Handles(pauseServer)
  async pause(request: ApiRequest) {
    await this.servers.pause(request.ctx, id(request));
    return accepted();
  }

  @Handles(unpauseServer)
  async unpause(request: ApiRequest) {
    await this.servers.unpause(request.ctx, id(request));
    return accepted();
  }

  @Handles(triggerCrashDump)
  async crashDump(request: ApiRequest) {
    await this.servers.triggerCrashDump(request.ctx, id(request));
    return accepted();
  }

  @Handles(suspendServer)
  async suspend(request: ApiRequest) {
    await this.servers.suspend(request.ctx, id(request));
    return accepted();
  }

  @Handles(resumeServer)
  async resume(request: ApiRequest) {
    await this.servers.resume(request.ctx, id(request));
    return accepted();
  }

  @Handles(changeServerPassword)
  async changePassword(request: ApiRequest) {
    await this.servers.changePassword(request.ctx, id(request));
    return accepted();
  }

  @Handles(restoreServer)
  async restore(request: ApiRequest) {
    await this.servers.restore(request.ctx, id(request));
    return accepted();
  }

  @Handles(lockServer)
  async lock(request: ApiRequest) {
    const { lock } = request.body as { lock: { locked_reason?: string } | null };
    const reason = request.version.atLeast('2.73') ? (lock?.locked_reason ?? null) : null;
    await this.servers.lock(request.ctx, id(request), reason);
    return accepted();
  }

  @Handles(unlockServer)
  async unlock(request: ApiRequest) {
    await this.servers.unlock(request.ctx, id(request));
    return accepted();
  }

  @Handles(resetServerState)
  async resetState(request: ApiRequest) {
    const body = request.body as { 'os-resetState': { state: 'active' | 'error' } };
    await this.servers.resetState(request.ctx, id(request), body['os-resetState'].state);
    return accepted();
  }

  @Handles(injectNetworkInfo)
  async injectNetworkInfo(request: ApiRequest) {
    await this.servers.injectNetworkInfo(request.ctx, id(request));
    return accepted();
  }

  @Handles(forceDeleteServer)
  async forceDelete(request: ApiRequest) {
    await this.servers.delete(request.ctx, id(request));
    return accepted();
  }

  /** -1 and no length both mean everything. */
  @Handles(getConsoleOutput)
  async console(request: ApiRequest) {
    const { length } = (request.body as { 'os-getConsoleOutput': { length?: number | string | null } })[
      'os-getConsoleOutput'
    ];
    const { instance, host } = await this.servers.onHost(request.ctx, id(request));
    const lines = length === undefined || length === null || toInteger(length) < 0 ? null : toInteger(length);
    const { output } = await this.compute.get_console_output(
      request.ctx,
      { instance_uuid: instance.uuid, tail_length: lines },
      { host },
    );
    return { output };
  }

  @Handles(addSecurityGroup)
  async addGroup(request: ApiRequest) {
    await this.changeGroup(
      request,
      (request.body as { addSecurityGroup: { name: string } }).addSecurityGroup.name,
      'add',
    );
    return accepted();
  }

  @Handles(removeSecurityGroup)
  async removeGroup(request: ApiRequest) {
    await this.changeGroup(
      request,
      (request.body as { removeSecurityGroup: { name: string } }).removeSecurityGroup.name,
      'remove',
    );
    return accepted();
  }

  private async changeGroup(request: ApiRequest, name: string, change: 'add' | 'remove'): Promise<void> {
    const instance = await this.servers.get(request.ctx, id(request));
    const group = await this.networks.securityGroup(request.ctx, instance.project_id, name);
    if (group === null)
      throw NovaError.NotFound({ reason: `Security group ${name} not found for project ${instance.project_id}.` });
    await this.networks.changeSecurityGroup(request.ctx, instance.nics, group.id, change);
    await this.servers.nameSecurityGroup(request.ctx, instance.uuid, group.name, change);
  }
}
