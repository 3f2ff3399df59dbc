import type { Provider } from '@nestjs/common';
import { API_CLIENTS, type ApiClients } from '@nestack/kernel/http';
import {
  CinderClient,
  GlanceClient,
  KeystoneClient,
  ImageProxyClient,
  NetworkProxyClient,
  NeutronClient,
  PlacementClient,
  VolumeProxyClient,
} from '@nestack/nova/clients';
import {
  IDENTITY_PORT,
  IMAGE_PORT,
  IMAGE_PROXY_PORT,
  NETWORK_PORT,
  NETWORK_PROXY_PORT,
  PLACEMENT_PORT,
  VOLUME_PORT,
  VOLUME_PROXY_PORT,
} from '@nestack/nova/domain';

/** The other services as nova's ports. */
export const cloudProviders: readonly Provider[] = (
  [
    [IDENTITY_PORT, KeystoneClient],
    [IMAGE_PORT, GlanceClient],
    [IMAGE_PROXY_PORT, ImageProxyClient],
    [NETWORK_PORT, NeutronClient],
    [NETWORK_PROXY_PORT, NetworkProxyClient],
    [VOLUME_PORT, CinderClient],
    [VOLUME_PROXY_PORT, VolumeProxyClient],
    [PLACEMENT_PORT, PlacementClient],
  ] as const
).map(([provide, Client]) => ({
  provide,
  inject: [API_CLIENTS],
  useFactory: (clients: ApiClients) => new Client(clients),
}));
