import { Controller, type DynamicModule } from '@nestjs/common';
import Type from 'typebox';
import { defineApp, kernelModule } from '@nestack/kernel/app';
import { brokerConfig, commonConfig } from '@nestack/kernel/config';
import type { RequestContext } from '@nestack/kernel/context';
import { DomainError } from '@nestack/kernel/errors';
import { HandlesRpc, RPC_CLIENTS, type RpcArgs, type RpcClients, type RpcHandlers } from '@nestack/kernel/rpc';
import { ConductorRpc, type HostFacts, type InstanceSpec } from '@nestack/nova/contract';

type Methods = (typeof ConductorRpc)['methods'];

/** What the conductor would have in its tables, and what the host told it. */
export class ConductorState {
  readonly hosts = new Map<string, HostFacts>();
  readonly beats: string[] = [];
  readonly wanted: { instance: InstanceSpec; should_run: boolean; busy: boolean }[] = [];
  readonly orphans = new Set<string>();
  readonly powers: { uuid: string; power: number }[] = [];
  /** Calls that are answered with "not now" before the first good one. */
  refusals = 0;
  rpc: RpcClients | null = null;
}

/** A conductor for the host's tests: an app that answers from what a test put into its state. */
export function conductorStub(state: ConductorState) {
  @Controller()
  @HandlesRpc(ConductorRpc)
  class ConductorHandler implements RpcHandlers<typeof ConductorRpc> {
    async compute_host_up(_ctx: RequestContext, { host, facts }: RpcArgs<Methods['compute_host_up']>) {
      if (state.refusals > 0) {
        state.refusals -= 1;
        throw new DomainError({ kind: 'unavailable', code: 'PlacementAway', message: 'not now' });
      }
      state.hosts.set(host, facts);
      return { compute_node_uuid: 'n1' };
    }

    async report_service_state(_ctx: RequestContext, { host }: RpcArgs<Methods['report_service_state']>) {
      state.beats.push(host);
      return null;
    }

    async instances_of_host(_ctx: RequestContext, { present }: RpcArgs<Methods['instances_of_host']>) {
      return {
        instances: state.wanted.map((one) => ({ ...one, vm_state: 'active', task_state: null })),
        orphans: present.filter((uuid) => state.orphans.has(uuid)).map((uuid) => ({ uuid, nics: [], volumes: [] })),
        undecided: state.wanted.filter(({ busy }) => busy).map(({ instance }) => instance.uuid),
      };
    }

    async guest_wanted(_ctx: RequestContext, { instance_uuid: uuid }: RpcArgs<Methods['guest_wanted']>) {
      return { wanted: state.wanted.some(({ instance }) => instance.uuid === uuid) };
    }

    async power_state_changed(_ctx: RequestContext, args: RpcArgs<Methods['power_state_changed']>) {
      state.powers.push({ uuid: args.instance_uuid, power: args.power_state });
      return null;
    }
  }

  class ConductorModule {}
  return defineApp({
    name: 'conductor-stub',
    config: Type.Object({ ...commonConfig, ...brokerConfig }),
    module: (config, { log }): DynamicModule => ({
      module: ConductorModule,
      imports: [kernelModule({ service: 'conductor-stub', log, config, broker: config.broker })],
      controllers: [ConductorHandler],
      providers: [
        {
          provide: 'state',
          inject: [RPC_CLIENTS],
          useFactory: (rpc: RpcClients) => {
            state.rpc = rpc;
            return state;
          },
        },
      ],
    }),
  });
}
