export { FakeDriver, type FakeOptions } from './fake/fake-driver';
export { FAKE_OPERATIONS, type FakeOperation } from './fake/fake-operations';
export { LibvirtDriver } from './libvirt/libvirt-driver';
export type { LibvirtOptions } from './libvirt/libvirt-options';
export { libvirtSocket, libvirtUri, prepareLibvirtd, stopLibvirtd } from './libvirt/daemon';
