export * from './define-rpc';
