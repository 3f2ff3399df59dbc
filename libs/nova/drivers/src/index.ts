export { FakeDriver, type FakeOperation, type FakeOptions } from './fake/fake-driver';
