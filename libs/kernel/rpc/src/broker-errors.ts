import { DomainError } from '@nestack/kernel/errors';

/** The broker cannot be reached or cannot route; the work itself is not lost by it. */
export function brokerUnavailable(detail: string): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'MessagingUnavailable',
    message: 'The message broker is temporarily unavailable.',
    detail,
  });
}

/** No queue takes a message: its receiver has never run, or has been removed. */
export function unroutable(exchange: string, key: string): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'MessagingUnroutable',
    message: `No server is listening for ${exchange} ${key}.`,
  });
}

/** The caller waited until its deadline. */
export function timedOut(topic: string, method: string): DomainError {
  return new DomainError({
    kind: 'unavailable',
    code: 'MessagingTimeout',
    message: `Timed out waiting for a reply to ${topic}.${method}.`,
  });
}
