export { FakeDriver, type FakeOperation, type FakeOptions } from './fake/fake-driver';
export { LibvirtDriver, type LibvirtOptions } from './libvirt/libvirt-driver';
export { libvirtUri, stopLibvirtd } from './libvirt/daemon';
export { absentTap, ensureTap } from './vif/tap';
