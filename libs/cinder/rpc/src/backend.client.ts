import type { RequestContext } from '@nestack/kernel/context';
import type { RpcClient, RpcClients } from '@nestack/kernel/rpc';
import { VolumeRpc, type ConnectionInfo } from '@nestack/cinder/contract';
import { queueHost, type BackendPort, type Volume } from '@nestack/cinder/domain';

/** Asks the cinder-volume that has a volume. */
export class BackendClient implements BackendPort {
  private readonly rpc: RpcClient<typeof VolumeRpc>;

  constructor(clients: RpcClients) {
    this.rpc = clients.client(VolumeRpc);
  }

  initializeConnection(
    ctx: RequestContext,
    volume: Volume,
    connector: Readonly<Record<string, unknown>>,
  ): Promise<ConnectionInfo> {
    return this.rpc.initialize_connection(ctx, { volume_id: volume.id, connector: { ...connector } }, at(volume));
  }

  async terminateConnection(ctx: RequestContext, volume: Volume): Promise<void> {
    await this.rpc.terminate_connection(ctx, { volume_id: volume.id }, at(volume));
  }

  manageable(ctx: RequestContext, backend: string, kind: 'volume' | 'snapshot') {
    return this.rpc.get_manageable(ctx, { host: backend, kind }, { host: queueHost(backend) });
  }
}

function at(volume: Volume): { host: string } {
  return { host: queueHost(volume.host ?? '') };
}
