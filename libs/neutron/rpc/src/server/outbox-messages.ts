import { newContext, type RequestContext, type Tx } from '@nestack/kernel/context';
import { Outbox, type Database, type OutboxMessage } from '@nestack/kernel/db';
import { DomainError } from '@nestack/kernel/errors';
import type { Logger } from '@nestack/kernel/log';
import type { RpcClient, RpcClients } from '@nestack/kernel/rpc';
import { AgentRpc, L3AgentRpc } from '@nestack/neutron/contract';
import type { AgentMessage, ComputeEvent, ComputePort, Messages, RouterMessage } from '@nestack/neutron/domain';

const AGENTS = 'agents';
const COMPUTE = 'compute';

/** Under which request a message is delivered, as far as it can be written down. */
type Origin = Pick<RequestContext, 'requestId' | 'globalRequestId' | 'traceId' | 'spanId'>;

interface Envelope<T> {
  readonly origin: Origin;
  readonly message: T;
}

type Send = (ctx: RequestContext, args: unknown, options: { host?: string; messageId?: string }) => Promise<unknown>;

/**
 * Messages wait in the outbox until their transaction has committed. Agents' and nova's travel apart: a nova that is away must not
 * keep agents from hearing.
 */
export class OutboxMessages implements Messages {
  private readonly agents: Outbox;
  private readonly compute: Outbox;
  private readonly l2: RpcClient<typeof AgentRpc>;
  private readonly l3: RpcClient<typeof L3AgentRpc>;

  constructor(
    database: Database,
    rpc: RpcClients,
    private readonly nova: ComputePort,
    private readonly log: Logger,
  ) {
    this.l2 = rpc.client(AgentRpc);
    this.l3 = rpc.client(L3AgentRpc);
    // Doorbells may overtake each other; what they carry has revision numbers.
    this.agents = new Outbox(database, (message) => this.tellAgents(message), log, { destination: AGENTS });
    this.compute = new Outbox(database, (message) => this.tellNova(message), log, { destination: COMPUTE });
  }

  async add(
    ctx: RequestContext,
    tx: Tx,
    messages: {
      readonly agents?: readonly (AgentMessage | RouterMessage)[];
      readonly compute?: readonly ComputeEvent[];
    },
  ): Promise<void> {
    const { requestId, globalRequestId, traceId, spanId } = ctx;
    const wrap = <T>(message: T): Envelope<T> => ({ origin: { requestId, globalRequestId, traceId, spanId }, message });
    await this.agents.addAll(tx, AGENTS, (messages.agents ?? []).map(wrap));
    await this.compute.addAll(tx, COMPUTE, (messages.compute ?? []).map(wrap));
  }

  start(): void {
    this.agents.start();
    this.compute.start();
  }

  async close(): Promise<void> {
    await Promise.all([this.agents.close(), this.compute.close()]);
  }

  private async tellAgents({ messageId, message }: OutboxMessage): Promise<void> {
    const { origin, message: one } = message as Envelope<AgentMessage | RouterMessage>;
    const client = (one.method === 'routers_updated' ? this.l3 : this.l2) as unknown as Readonly<Record<string, Send>>;
    const options = { messageId, ...(one.host === undefined ? {} : { host: one.host }) };
    try {
      await client[one.method]?.(newContext(origin), one.args, options);
    } catch (error) {
      // A host that never ran has nothing to change; it reads everything when it starts.
      if (!(error instanceof DomainError) || error.code !== 'MessagingUnroutable') throw error;
      this.log.info(null, 'agent.absent', { method: one.method, host: one.host ?? null });
    }
  }

  private async tellNova({ message }: OutboxMessage): Promise<void> {
    const { origin, message: event } = message as Envelope<ComputeEvent>;
    await this.nova.notify(newContext(origin), [event]);
  }
}
