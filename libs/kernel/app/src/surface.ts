import type { DynamicModule } from '@nestjs/common';
import type { Logger } from '@nestack/kernel/log';
import type { ApiDeclaration } from '@nestack/kernel/http';
import type { Static, TObject } from 'typebox';

/**
 * One app: what `apps/<app>/src/app.module.ts` exports as `app`, and `main.ts` runs alone with `runApp(app)`.
 * `apps/nestack` starts several in one process with `startApp(app, config, process)`: each has its own Nest application
 * (and port); the AMQP connection is shared per broker URL, a pg pool per database role.
 */
export interface AppDeclaration<C extends TObject = TObject> {
  readonly name: string;
  readonly config: C;
  /** The app's Nest module: use `kernelModule({...})` (exported by this library) for DATABASE, RPC_CLIENTS, SAGAS, SAGA_WORKER, API_CLIENTS, AUTHENTICATOR, POLICY, LOGGER, CONFIG as the app needs them. */
  readonly module: (config: Static<C>, parts: AppParts) => DynamicModule;
  /** The REST API that the app serves, if any. */
  readonly api?: ApiDeclaration;
  /** Whether this process serves it; always, when absent. For apps whose parts run in processes of their own. */
  readonly servesApi?: (config: Static<C>) => boolean;
  /**
   * Injection token of a provider whose `begin` is called once when the RPC servers take messages, for work that must not miss
   * any: reading a state whose changes are announced.
   */
  readonly onServing?: symbol | (abstract new (...args: never[]) => { begin(): Promise<void> });
}

/** What the process gives to each of its apps. */
export interface AppParts {
  readonly log: Logger;
}

/** An app that runs. `close` drains: no new requests and messages, what is under way ends, then connections close; once, however often it is called. */
export interface RunningApp {
  readonly name: string;
  /** The bound port when it serves REST. */
  readonly port: number | null;
  close(): Promise<void>;
}

/** Declares an app. */
export function defineApp<const C extends TObject>(declaration: AppDeclaration<C>): AppDeclaration<C> {
  return declaration;
}

/** Nest injection tokens of what every app has. */
export const LOGGER = Symbol('Logger');
export const CONFIG = Symbol('Config');
