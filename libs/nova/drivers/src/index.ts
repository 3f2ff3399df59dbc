export { FAKE_OPERATIONS, FakeDriver, type FakeOperation, type FakeOptions } from './fake/fake-driver';
export { LibvirtDriver, type LibvirtOptions } from './libvirt/libvirt-driver';
export { libvirtSocket, libvirtUri, prepareLibvirtd, stopLibvirtd } from './libvirt/daemon';
