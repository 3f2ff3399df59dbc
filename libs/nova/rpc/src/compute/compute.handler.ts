import { Controller, Inject } from '@nestjs/common';
import type { RequestContext } from '@nestack/kernel/context';
import { HandlesRpc, type RpcArgs, type RpcHandlers } from '@nestack/kernel/rpc';
import { ComputeRpc } from '@nestack/nova/contract';
import { ComputeManager, HYPERVISOR, type HypervisorDriver } from '@nestack/nova/domain';

type Methods = (typeof ComputeRpc)['methods'];

/** Serves `compute.<host>`. */
@Controller()
@HandlesRpc(ComputeRpc, { queues: 'host' })
export class ComputeHandler implements RpcHandlers<typeof ComputeRpc> {
  constructor(
    @Inject(ComputeManager) private readonly manager: ComputeManager,
    @Inject(HYPERVISOR) private readonly driver: HypervisorDriver,
  ) {}

  async build_and_run_instance(ctx: RequestContext, { instance }: RpcArgs<Methods['build_and_run_instance']>) {
    const { power, rootDevice } = await this.manager.build(ctx, instance);
    return { power_state: power, root_device_name: rootDevice };
  }

  async terminate_instance(ctx: RequestContext, args: RpcArgs<Methods['terminate_instance']>) {
    await this.manager.terminate(ctx, args.instance_uuid, args.nics);
    return null;
  }

  async start_instance(ctx: RequestContext, { instance }: RpcArgs<Methods['start_instance']>) {
    return { power_state: await this.manager.start(ctx, instance) };
  }

  async stop_instance(ctx: RequestContext, args: RpcArgs<Methods['stop_instance']>) {
    return { power_state: await this.manager.stop(ctx, args.instance_uuid, args.clean_shutdown ? args.timeout_s : 0) };
  }

  async reboot_instance(ctx: RequestContext, args: RpcArgs<Methods['reboot_instance']>) {
    return { power_state: await this.manager.reboot(ctx, args.instance, args.reboot_type, args.timeout_s) };
  }

  async pause_instance(ctx: RequestContext, args: RpcArgs<Methods['pause_instance']>) {
    return { power_state: await this.manager.pause(ctx, args.instance_uuid) };
  }

  async unpause_instance(ctx: RequestContext, args: RpcArgs<Methods['unpause_instance']>) {
    return { power_state: await this.manager.unpause(ctx, args.instance_uuid) };
  }

  async get_console_output(_ctx: RequestContext, args: RpcArgs<Methods['get_console_output']>) {
    return { output: await this.manager.console(args.instance_uuid, args.tail_length) };
  }

  async get_diagnostics(_ctx: RequestContext, args: RpcArgs<Methods['get_diagnostics']>) {
    return { diagnostics: await this.manager.diagnostics(args.instance_uuid) };
  }

  async get_volume_connector() {
    return { connector: await this.manager.connector() };
  }

  async attach_volume(ctx: RequestContext, args: RpcArgs<Methods['attach_volume']>) {
    return {
      device: await this.manager.attachVolume(
        ctx,
        args.instance_uuid,
        args.volume_id,
        args.connection_info,
        args.device,
      ),
    };
  }

  async detach_volume(ctx: RequestContext, args: RpcArgs<Methods['detach_volume']>) {
    await this.manager.detachVolume(ctx, args.instance_uuid, args.volume_id);
    return null;
  }

  async attach_interface(ctx: RequestContext, args: RpcArgs<Methods['attach_interface']>) {
    await this.manager.attachInterface(ctx, args.instance_uuid, args.nic);
    return null;
  }

  async detach_interface(ctx: RequestContext, args: RpcArgs<Methods['detach_interface']>) {
    await this.manager.detachInterface(ctx, args.instance_uuid, args.nic);
    return null;
  }

  async get_host_uptime() {
    return { uptime: (await this.driver.facts()).uptime ?? '' };
  }
}
