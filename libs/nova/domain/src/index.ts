export * from './instance';
export * from './ports';
export * from './metadata/meta-data';
export * from './servers/instance-spec';
