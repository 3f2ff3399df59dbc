import Type, { type Static } from 'typebox';

/** How a host reaches a volume, as drivers and hypervisors hand it around. */
export const ConnectionInfo = Type.Object({
  driver_volume_type: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
});
export type ConnectionInfo = Static<typeof ConnectionInfo>;

/** The attachments API's form: the data and the driver's type in one object. upstream: cinder/volume/manager.py */
export function flatConnectionInfo(info: ConnectionInfo): Record<string, unknown> {
  return { ...info.data, driver_volume_type: info.driver_volume_type };
}

/** The same read back; null while nothing is connected. */
export function connectionInfoOf(flat: Readonly<Record<string, unknown>> | null | undefined): ConnectionInfo | null {
  const type = flat?.['driver_volume_type'];
  if (flat === null || flat === undefined || typeof type !== 'string') return null;
  const { driver_volume_type: _, ...data } = flat;
  return { driver_volume_type: type, data };
}
