export * from './instance';
export * from './ports';
