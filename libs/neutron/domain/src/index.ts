export * from './agent';
export * from './ports';
