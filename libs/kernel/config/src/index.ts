export * from './surface';
export { ConfigError, loadConfig, type ConfigSources } from './load-config';
export { configReference } from './reference';
