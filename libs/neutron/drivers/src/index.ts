export { FakeDataplane, type FakeDataplaneOptions, type FakeState } from './fake/fake-dataplane';
export { absentHostWires, createLinuxDataplane, type LinuxDataplaneOptions } from './linux/linux-dataplane';
export {
  absentHostNetwork,
  absentUnderlay,
  ensureHostNetwork,
  ensureUnderlay,
  hostNamespace,
  underlayBridge,
  type HostNetwork,
  type HostNetworkSpec,
} from './linux/host-network';
export { signInstanceId } from './metadata/metadata-proxy';
