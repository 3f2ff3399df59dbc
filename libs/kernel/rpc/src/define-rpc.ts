import type { RequestContext } from '@nestack/kernel/context';
import type { Static, TSchema } from 'typebox';

/** One remote method as data. Upstream's method name is its key in the interface. */
export interface RpcMethod<Args extends TSchema = TSchema, Reply extends TSchema = TSchema> {
  /** `call` waits for the reply until its deadline, `cast` does not, `fanout` is a cast to every server of the topic. */
  readonly kind: 'call' | 'cast' | 'fanout';
  /** The interface version that brought the method. */
  readonly since: string;
  readonly args: Args;
  /** Only for calls; absent means the reply is null. */
  readonly reply?: Reply;
  /** Milliseconds a call waits (default 60,000). A command that works longer keeps its server's delivery unacknowledged meanwhile. */
  readonly timeoutMs?: number;
  /** Whether executing it twice equals executing it once; only such calls are repeated after a lost connection. */
  readonly idempotent?: boolean;
}

export interface RpcInterface<Methods extends Record<string, RpcMethod> = Record<string, RpcMethod>> {
  /** The service's exchange: `nova`, `cinder`, `neutron`. */
  readonly exchange: string;
  /** The topic queue: `conductor`, `scheduler`, `compute` (host queues are `compute.<host>`). */
  readonly topic: string;
  readonly version: string;
  readonly methods: Methods;
}

/** Declares an RPC interface; typed clients and handlers are derived from it and nothing else is callable. */
export function defineRpc<const Methods extends Record<string, RpcMethod>>(
  declaration: RpcInterface<Methods>,
): RpcInterface<Methods> {
  return declaration;
}

export type RpcArgs<M extends RpcMethod> = Static<M['args']>;
export type RpcReply<M extends RpcMethod> = M extends { reply: infer R extends TSchema } ? Static<R> : null;

export interface RpcCallOptions {
  /** Sends to the queue of one host (`<topic>.<host>`) instead of the topic's shared queue. */
  readonly host?: string;
  readonly timeoutMs?: number;
  /** A deterministic message id (saga id + step + epoch) so that a repeated command is recognised by its receiver. */
  readonly messageId?: string;
}

/** The caller's side: `client.select_destinations(ctx, args)`. A cast resolves once the broker has confirmed it. */
export type RpcClient<I extends RpcInterface> = {
  readonly [M in keyof I['methods']]: (
    ctx: RequestContext,
    args: RpcArgs<I['methods'][M]>,
    options?: RpcCallOptions,
  ) => Promise<RpcReply<I['methods'][M]>>;
};

export interface RpcMessageInfo {
  readonly messageId: string;
  readonly redelivered: boolean;
  readonly host: string | null;
}

/** The server's side: a class that `implements RpcHandlers<typeof ComputeRpc>`, decorated with `@HandlesRpc(ComputeRpc)`. */
export type RpcHandlers<I extends RpcInterface> = {
  readonly [M in keyof I['methods']]: (
    ctx: RequestContext,
    args: RpcArgs<I['methods'][M]>,
    info: RpcMessageInfo,
  ) => Promise<RpcReply<I['methods'][M]>>;
};

/** Where clients come from; implemented by the transport, injected under the token `RPC_CLIENTS`. */
export interface RpcClients {
  client<I extends RpcInterface>(rpc: I): RpcClient<I>;
}

/** Nest injection token of `RpcClients`. */
export const RPC_CLIENTS = Symbol('RpcClients');
