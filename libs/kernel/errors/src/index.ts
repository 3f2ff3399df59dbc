export * from './domain-error';
export * from './define-errors';
