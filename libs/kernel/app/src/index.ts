export * from './surface';
export { KERNEL, kernelModule, type KernelModuleOptions, type KernelResources } from './kernel-module';
export { readSection, runApp, runApps, startApp } from './start-app';
