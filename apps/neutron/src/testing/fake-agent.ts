import { Controller, type DynamicModule } from '@nestjs/common';
import Type from 'typebox';
import { defineApp, kernelModule, startApp, type RunningApp } from '@nestack/kernel/app';
import { brokerConfig, commonConfig } from '@nestack/kernel/config';
import { newContext } from '@nestack/kernel/context';
import { HandlesRpc, RPC_CLIENTS, type RpcClient, type RpcClients } from '@nestack/kernel/rpc';
import { testBrokerUrl } from '@nestack/kernel/testing';
import { AGENT_TYPE, AgentRpc, L3AgentRpc, PluginRpc } from '@nestack/neutron/contract';

export interface Heard {
  readonly method: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** A host's agent as the server meets it: it notes what it is told and lets the test ask. */
export class FakeAgent {
  readonly heard: Heard[] = [];

  private constructor(
    readonly host: string,
    private readonly running: RunningApp,
    readonly plugin: RpcClient<typeof PluginRpc>,
  ) {}

  static async start(host: string): Promise<FakeAgent> {
    const found: { rpc: RpcClients | null; heard: ((one: Heard) => void) | null } = { rpc: null, heard: null };
    const note =
      (method: string) =>
      async (_ctx: unknown, args: Readonly<Record<string, unknown>>): Promise<null> => {
        found.heard?.({ method, args });
        return null;
      };

    class AgentHandler {}
    class L3Handler {}
    for (const method of Object.keys(AgentRpc.methods))
      Object.defineProperty(AgentHandler.prototype, method, { value: note(method) });
    for (const method of Object.keys(L3AgentRpc.methods))
      Object.defineProperty(L3Handler.prototype, method, { value: note(method) });
    for (const [handler, rpc] of [
      [AgentHandler, AgentRpc],
      [L3Handler, L3AgentRpc],
    ] as const) {
      Controller()(handler);
      HandlesRpc(rpc, { queues: 'host' })(handler);
    }
    class FakeAgentModule {}
    const app = defineApp({
      name: 'fake-agent',
      config: Type.Object({ ...commonConfig, ...brokerConfig }, { additionalProperties: false }),
      module: (config, { log }): DynamicModule => ({
        module: FakeAgentModule,
        imports: [kernelModule({ service: 'fake-agent', log, config, broker: config.broker })],
        controllers: [AgentHandler, L3Handler],
        providers: [
          {
            provide: 'keep',
            inject: [RPC_CLIENTS],
            useFactory: (rpc: RpcClients) => {
              found.rpc = rpc;
              return rpc;
            },
          },
        ],
      }),
    });
    const running = await startApp(app, { host, log_level: 'error', broker: { url: testBrokerUrl() } });
    if (found.rpc === null) throw new Error('no RPC');
    const agent = new FakeAgent(host, running, found.rpc.client(PluginRpc));
    found.heard = (one) => agent.heard.push(one);
    return agent;
  }

  /** Reports as the host's agents do. */
  async report(
    options: {
      readonly types?: readonly string[];
      readonly ip?: string;
      readonly start?: boolean;
      readonly bridgeMappings?: Readonly<Record<string, string>>;
    } = {},
  ) {
    for (const type of options.types ?? Object.values(AGENT_TYPE)) {
      await this.plugin.report_state(newContext(), {
        agent_state: {
          agent_type: type,
          binary: `neutron-${type.toLowerCase().replaceAll(' ', '-')}`,
          host: this.host,
          topic: 'N/A',
          availability_zone: type === AGENT_TYPE.dhcp || type === AGENT_TYPE.l3 ? 'nova' : null,
          configurations: { tunneling_ip: options.ip ?? '192.0.2.1', bridge_mappings: options.bridgeMappings ?? {} },
          start_flag: options.start ?? true,
        },
      });
    }
  }

  told(method: string): Readonly<Record<string, unknown>>[] {
    return this.heard.filter((one) => one.method === method).map((one) => one.args);
  }

  close(): Promise<void> {
    return this.running.close();
  }
}
