export { CinderClient } from './cinder.client';
export { GlanceClient } from './glance.client';
export { KeystoneClient } from './keystone.client';
export { ImageProxyClient } from './image-proxy.client';
export { NeutronClient } from './neutron.client';
export { PlacementClient } from './placement.client';
export { NetworkProxyClient } from './network-proxy.client';
export { VolumeProxyClient } from './volume-proxy.client';
