export { FakeImageProxy } from './fake-image-proxy';
export { FakeImages } from './fake-images';
export { FakeNetworks, type FakePort } from './fake-networks';
export { FakePlacement } from './fake-placement';
export { FakeVolumes, type FakeAttachment, type FakeVolume } from './fake-volumes';
export { anInstance } from './instances';
export { Faults, outage, refusal } from './faults';
export { FakeNetworkProxy } from './fake-network-proxy';
export { FakeVolumeProxy } from './fake-volume-proxy';
