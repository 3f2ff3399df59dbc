import { Controller, Inject } from '@nestjs/common';
import { childContext, type RequestContext } from '@nestack/kernel/context';
import {
  HandlesRpc,
  RPC_CLIENTS,
  type RpcArgs,
  type RpcClient,
  type RpcClients,
  type RpcHandlers,
  type RpcMessageInfo,
} from '@nestack/kernel/rpc';
import { COMPUTE_COMMAND_MS, ComputeRpc, ConductorRpc, NovaError } from '@nestack/nova/contract';
import { ComputeManager, HYPERVISOR, type HypervisorDriver } from '@nestack/nova/domain';
import { ConsoleGate } from './console-gate';

type Methods = (typeof ComputeRpc)['methods'];

/** Commands that are older were left here while the host was away; what they are about may be decided otherwise by now. */
const FRESH_MS = 5000;

/** How long another host is asked to show disks. */
const OPEN_MS = 60_000;

/** Serves `compute.<host>`. */
@Controller()
@HandlesRpc(ComputeRpc, { queues: 'host' })
export class ComputeHandler implements RpcHandlers<typeof ComputeRpc> {
  private readonly conductor: RpcClient<typeof ConductorRpc>;
  private readonly compute: RpcClient<typeof ComputeRpc>;

  constructor(
    @Inject(ComputeManager) private readonly manager: ComputeManager,
    @Inject(HYPERVISOR) private readonly driver: HypervisorDriver,
    @Inject(ConsoleGate) private readonly consoles: ConsoleGate,
    @Inject(RPC_CLIENTS) clients: RpcClients,
  ) {
    this.conductor = clients.client(ConductorRpc);
    this.compute = clients.client(ComputeRpc);
  }

  async build_and_run_instance(
    ctx: RequestContext,
    { instance }: RpcArgs<Methods['build_and_run_instance']>,
    info: RpcMessageInfo,
  ) {
    await this.assertWanted(ctx, instance.uuid, info);
    const { power, rootDevice } = await this.manager.build(ctx, instance);
    return { power_state: power, root_device_name: rootDevice };
  }

  async terminate_instance(ctx: RequestContext, args: RpcArgs<Methods['terminate_instance']>) {
    await this.manager.terminate(ctx, args.instance_uuid, args.nics);
    return null;
  }

  async start_instance(ctx: RequestContext, { instance }: RpcArgs<Methods['start_instance']>, info: RpcMessageInfo) {
    await this.assertWanted(ctx, instance.uuid, info);
    return { power_state: await this.manager.start(ctx, instance) };
  }

  async stop_instance(ctx: RequestContext, args: RpcArgs<Methods['stop_instance']>) {
    return { power_state: await this.manager.stop(ctx, args.instance_uuid, args.clean_shutdown ? args.timeout_s : 0) };
  }

  async reboot_instance(ctx: RequestContext, args: RpcArgs<Methods['reboot_instance']>, info: RpcMessageInfo) {
    await this.assertWanted(ctx, args.instance.uuid, info);
    return { power_state: await this.manager.reboot(ctx, args.instance, args.reboot_type, args.timeout_s) };
  }

  async pause_instance(ctx: RequestContext, args: RpcArgs<Methods['pause_instance']>) {
    return { power_state: await this.manager.pause(ctx, args.instance_uuid) };
  }

  async unpause_instance(ctx: RequestContext, args: RpcArgs<Methods['unpause_instance']>) {
    return { power_state: await this.manager.unpause(ctx, args.instance_uuid) };
  }

  async trigger_crash_dump(ctx: RequestContext, args: RpcArgs<Methods['trigger_crash_dump']>) {
    await this.manager.triggerCrashDump(ctx, args.instance_uuid);
    return null;
  }

  async suspend_instance(ctx: RequestContext, args: RpcArgs<Methods['suspend_instance']>) {
    return { power_state: await this.manager.suspend(ctx, args.instance_uuid) };
  }

  async resume_instance(ctx: RequestContext, { instance }: RpcArgs<Methods['resume_instance']>) {
    return { power_state: await this.manager.resume(ctx, instance) };
  }

  async rescue_instance(ctx: RequestContext, { instance }: RpcArgs<Methods['rescue_instance']>) {
    return { power_state: await this.manager.rescue(ctx, instance) };
  }

  async unrescue_instance(ctx: RequestContext, { instance }: RpcArgs<Methods['unrescue_instance']>) {
    return { power_state: await this.manager.unrescue(ctx, instance) };
  }

  async rebuild_instance(ctx: RequestContext, { instance }: RpcArgs<Methods['rebuild_instance']>) {
    const { power, rootDevice } = await this.manager.rebuild(ctx, instance);
    return { power_state: power, root_device_name: rootDevice };
  }

  async prep_resize(ctx: RequestContext, args: RpcArgs<Methods['prep_resize']>) {
    return { host_ip: await this.manager.prepareArrival(ctx, args.instance) };
  }

  async resize_instance(ctx: RequestContext, args: RpcArgs<Methods['resize_instance']>, info: RpcMessageInfo) {
    await this.assertMoving(ctx, args.instance_uuid, args.migration_uuid, info);
    const { migration_uuid: keep, timeout_s: timeoutS, dest_host: to, nics } = args;
    await this.manager.setAside(ctx, args.instance_uuid, { keep, timeoutS, to, nics });
    return null;
  }

  async finish_resize(ctx: RequestContext, args: RpcArgs<Methods['finish_resize']>, info: RpcMessageInfo) {
    const { instance, migration_uuid: keep, running, source_host: from } = args;
    await this.assertMoving(ctx, instance.uuid, keep, info);
    const wanted = { instance_uuid: instance.uuid, migration_uuid: keep };
    const open = () =>
      this.compute.open_disks(childContext(ctx, { deadline: null }), wanted, { host: from, timeoutMs: OPEN_MS });
    return { power_state: await this.manager.arrive(ctx, instance, { keep, running, from, open }) };
  }

  async open_disks(ctx: RequestContext, args: RpcArgs<Methods['open_disks']>) {
    return this.manager.openSetAside(ctx, args.instance_uuid, args.migration_uuid);
  }

  async revert_resize(ctx: RequestContext, args: RpcArgs<Methods['revert_resize']>, info: RpcMessageInfo) {
    await this.assertMoving(ctx, args.instance_uuid, args.migration_uuid, info);
    const how = { keep: args.migration_uuid, from: args.source_host, nics: args.nics };
    await this.manager.leave(ctx, args.instance_uuid, how);
    return null;
  }

  async finish_revert_resize(
    ctx: RequestContext,
    args: RpcArgs<Methods['finish_revert_resize']>,
    info: RpcMessageInfo,
  ) {
    await this.assertMoving(ctx, args.instance.uuid, args.migration_uuid, info);
    const how = { keep: args.migration_uuid, running: args.running };
    return { power_state: await this.manager.takeBack(ctx, args.instance, how) };
  }

  async confirm_resize(ctx: RequestContext, args: RpcArgs<Methods['confirm_resize']>, info: RpcMessageInfo) {
    await this.assertMoving(ctx, args.instance_uuid, args.migration_uuid, info);
    const how = { keep: args.migration_uuid, to: args.dest_host, nics: args.nics };
    await this.manager.forget(ctx, args.instance_uuid, how);
    return null;
  }

  async snapshot_instance(ctx: RequestContext, args: RpcArgs<Methods['snapshot_instance']>) {
    await this.manager.snapshot(ctx, args.instance_uuid, args.image_id, args.running);
    return null;
  }

  async upload_snapshot(ctx: RequestContext, args: RpcArgs<Methods['upload_snapshot']>) {
    await this.manager.uploadSnapshot(ctx, args.instance_uuid, args.image_id);
    return null;
  }

  async remove_snapshot(ctx: RequestContext, args: RpcArgs<Methods['remove_snapshot']>) {
    await this.manager.removeSnapshot(ctx, args.instance_uuid, args.image_id, args.running);
    return null;
  }

  async get_console_output(_ctx: RequestContext, args: RpcArgs<Methods['get_console_output']>) {
    return { output: await this.manager.console(args.instance_uuid, args.tail_length) };
  }

  get_vnc_console(_ctx: RequestContext, args: RpcArgs<Methods['get_vnc_console']>) {
    return this.consoles.addressOf(args.instance_uuid, args.console_type);
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

  async swap_volume(ctx: RequestContext, args: RpcArgs<Methods['swap_volume']>) {
    const { old_volume_id: from, new_volume_id: volumeId, connection_info: connection, new_size: bytes } = args;
    await this.manager.swapVolume(ctx, args.instance_uuid, from, { volumeId, connection, bytes });
    return null;
  }

  async extend_volume(ctx: RequestContext, args: RpcArgs<Methods['extend_volume']>) {
    await this.manager.extendVolume(ctx, args.instance_uuid, args.volume_id, args.connection_info, args.new_size);
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

  async cache_images(ctx: RequestContext, { image_ids: ids }: RpcArgs<Methods['cache_images']>) {
    await this.manager.cacheImages(ctx, ids);
    return null;
  }

  async get_host_uptime() {
    return { uptime: (await this.driver.facts()).uptime ?? '' };
  }

  /** Commands of a move must not be carried out once it is over: they may have waited here while the host was away. */
  private async assertMoving(
    ctx: RequestContext,
    uuid: string,
    migration: string,
    info: RpcMessageInfo,
  ): Promise<void> {
    if (info.host === null) return;
    const { wanted } = await this.conductor.guest_wanted(
      childContext(ctx, { deadline: null }),
      { host: info.host, instance_uuid: uuid, migration_uuid: migration },
      { timeoutMs: 20_000 },
    );
    if (!wanted)
      throw NovaError.MigrationNotWanted({ migration_uuid: migration, instance_uuid: uuid, host: info.host });
  }

  /** Commands that make a guest must not make one that was given up while they waited. */
  private async assertWanted(ctx: RequestContext, uuid: string, info: RpcMessageInfo): Promise<void> {
    const age = ctx.deadline === null ? 0 : COMPUTE_COMMAND_MS - (ctx.deadline - Date.now());
    if (age < FRESH_MS || info.host === null) return;
    const { wanted } = await this.conductor.guest_wanted(
      childContext(ctx, { deadline: null }),
      { host: info.host, instance_uuid: uuid },
      { timeoutMs: 20_000 },
    );
    if (!wanted) throw NovaError.GuestNotWanted({ instance_uuid: uuid, host: info.host });
  }
}
