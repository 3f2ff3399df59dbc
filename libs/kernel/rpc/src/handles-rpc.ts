import { MessagePattern } from '@nestjs/microservices';
import type { RequestContext } from '@nestack/kernel/context';
import { asDomainError } from '@nestack/kernel/errors';
import type { RpcInterface, RpcMessageInfo } from './define-rpc';
import type { RpcAnswer } from './envelope';

/** Identifies our transport to Nest. */
export const RPC_TRANSPORT = Symbol.for('nestack.rpc');

/** What the transport hands to Nest's handler. */
export interface RpcDelivery {
  readonly ctx: RequestContext;
  readonly args: unknown;
  readonly info: RpcMessageInfo;
}

interface Served {
  readonly rpc: RpcInterface;
  readonly queues: RpcQueues;
}

/** Which queues a server takes commands from: the topic's shared one, its host's own, or both. */
export type RpcQueues = 'topic' | 'host' | 'both';

const served = new Map<string, Served>();

/** The interface behind a Nest pattern. */
export function servedBy(pattern: string): Served | null {
  return served.get(pattern) ?? null;
}

export function patternOf(rpc: RpcInterface, method: string): string {
  return `${rpc.exchange}/${rpc.topic}/${method}`;
}

type Method = (this: unknown, ctx: RequestContext, args: unknown, info: RpcMessageInfo) => Promise<unknown>;

/**
 * Makes a Nest controller the server of an RPC interface: each declared method is bound as a message pattern, nothing else
 * can be called. Errors leave as data.
 */
export function HandlesRpc(rpc: RpcInterface, options: { readonly queues?: RpcQueues } = {}): ClassDecorator {
  return (target) => {
    const prototype = target.prototype as Record<string, unknown>;
    for (const method of Object.keys(rpc.methods)) {
      if (typeof prototype[method] !== 'function')
        throw new Error(`${target.name} does not implement ${rpc.topic}.${method}`);
      const key = `rpc:${method}`;
      Object.defineProperty(prototype, key, {
        configurable: true,
        value: async function handle(this: Record<string, Method>, delivery: RpcDelivery): Promise<RpcAnswer> {
          try {
            return { ok: true, reply: (await this[method]?.(delivery.ctx, delivery.args, delivery.info)) ?? null };
          } catch (error) {
            const failure = asDomainError(error);
            return {
              ok: false,
              error: { ...failure.toWire(), ...(failure.detail === undefined ? {} : { detail: failure.detail }) },
            };
          }
        },
      });
      const pattern = patternOf(rpc, method);
      served.set(pattern, { rpc, queues: options.queues ?? 'topic' });
      MessagePattern(pattern, RPC_TRANSPORT)(
        prototype,
        key,
        Object.getOwnPropertyDescriptor(prototype, key) as PropertyDescriptor,
      );
    }
  };
}
