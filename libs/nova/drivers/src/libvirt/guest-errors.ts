import { DomainError } from '@nestack/kernel/errors';

/** The hypervisor knows no such guest. */
export function notFound(uuid: string): DomainError {
  return new DomainError({
    kind: 'notFound',
    code: 'InstanceNotFound',
    message: `Instance ${uuid} could not be found.`,
    args: { instance_id: uuid },
  });
}

/** The guest is off. */
export function notRunning(uuid: string): DomainError {
  return new DomainError({
    kind: 'conflict',
    code: 'InstanceNotRunning',
    message: `Instance ${uuid} is not running.`,
    args: { instance_id: uuid },
  });
}
