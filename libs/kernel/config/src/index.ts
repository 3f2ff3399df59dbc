export * from './surface';
export { configReference, loadConfig, readConfigFile, type ConfigSource } from './load';
