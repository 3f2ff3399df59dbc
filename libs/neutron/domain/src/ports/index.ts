export * from './dataplane';
