export * from './cloud';
export * from './image-proxy';
export * from './network-proxy';
export * from './volume-proxy';
export * from './migrations';
export * from './repositories';
export * from './operations';
export * from './hypervisor-driver';
