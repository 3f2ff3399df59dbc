export * from './cloud';
export * from './migrations';
export * from './repositories';
export * from './operations';
export * from './hypervisor-driver';
