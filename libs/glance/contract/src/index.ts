export * from './api';
export * from './errors';
export * from './image';
export * from './schemas';
export * from './versions';
