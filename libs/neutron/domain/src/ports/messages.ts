import type { RequestContext, Tx } from '@nestack/kernel/context';
import type { AgentRpc } from '@nestack/neutron/contract';
import type { Static } from 'typebox';
import type { ComputeEvent } from './compute';

type Methods = (typeof AgentRpc)['methods'];

/** A message to agents: to one host, or to all. */
export type AgentMessage = {
  readonly [M in keyof Methods]: {
    readonly method: M;
    readonly args: Static<Methods[M]['args']>;
    readonly host?: string;
  };
}[keyof Methods];

export interface RouterMessage {
  readonly method: 'routers_updated';
  readonly args: { readonly routers: string[] };
  readonly host: string;
}

/** Tells others of what a transaction changed: nothing leaves before its commit, and everything after it. */
export interface Messages {
  add(
    ctx: RequestContext,
    tx: Tx,
    messages: {
      readonly agents?: readonly (AgentMessage | RouterMessage)[];
      readonly compute?: readonly ComputeEvent[];
    },
  ): Promise<void>;
}
