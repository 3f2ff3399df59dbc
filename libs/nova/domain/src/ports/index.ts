export * from './cloud';
export * from './repositories';
export * from './operations';
export * from './hypervisor-driver';
