export * from './request-context';
export * from './actor';
export * from './tx';
