export * from './api';
export * from './errors';
export * from './image';
export * from './metadef';
export * from './metadef-api';
export * from './schemas';
export * from './versions';
