export { FakeVolumeDriver, type FakeOperation, type FakeOptions } from './fake/fake-driver';
