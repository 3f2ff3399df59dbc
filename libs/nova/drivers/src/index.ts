export { FAKE_OPERATIONS, FakeDriver, type FakeOperation, type FakeOptions } from './fake/fake-driver';
export { LibvirtDriver } from './libvirt/libvirt-driver';
export type { LibvirtOptions } from './libvirt/libvirt-options';
export { libvirtSocket, libvirtUri, prepareLibvirtd, stopLibvirtd } from './libvirt/daemon';
