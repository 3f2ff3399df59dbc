import type { INestApplicationContext } from '@nestjs/common';
import { DiscoveryService, ModulesContainer } from '@nestjs/core';
import { handledOperations } from './handles';
import type { ApiDeclaration, ApiReply, ApiRequest, Operation } from './operation';

export type Handler = (request: ApiRequest) => Promise<ApiReply | unknown>;

/**
 * The handler of each operation of the API, found among the application's providers and controllers. Throws when an
 * operation has none or two, or when a handler serves an operation that the API does not declare.
 */
export function findHandlers(app: INestApplicationContext, api: ApiDeclaration): Map<Operation, Handler> {
  const discovery = new DiscoveryService(app.get(ModulesContainer, { strict: false }));
  const wanted = new Set<Operation>(api.operations);
  const handlers = new Map<Operation, Handler>();
  const seen = new Set<object>();
  for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
    const instance: unknown = wrapper.isNotMetatype ? null : wrapper.instance;
    if (typeof instance !== 'object' || instance === null || seen.has(instance)) continue;
    seen.add(instance);
    for (const [name, method] of methodsOf(instance)) {
      const where = `${instance.constructor.name}.${name}`;
      for (const operation of handledOperations(method)) {
        if (!wanted.has(operation))
          throw new Error(`${where} handles ${operation.id}, which the ${api.service} API does not declare`);
        if (handlers.has(operation)) throw new Error(`${where}: ${operation.id} has another handler already`);
        handlers.set(operation, (request) => method.call(instance, request) as Promise<unknown>);
      }
    }
  }
  const missing = api.operations.filter((operation) => !handlers.has(operation)).map((operation) => operation.id);
  if (missing.length > 0) throw new Error(`the ${api.service} API has no handler for: ${missing.join(', ')}`);
  return handlers;
}

function* methodsOf(instance: object): Generator<readonly [string, (request: ApiRequest) => unknown]> {
  const seen = new Set<string>();
  for (
    let at: object | null = instance;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (seen.has(name) || typeof property.value !== 'function') continue;
      seen.add(name);
      yield [name, property.value as (request: ApiRequest) => unknown];
    }
  }
}
