export * from './agent';
export * from './server';
