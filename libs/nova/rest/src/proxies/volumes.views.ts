type Item = Readonly<Record<string, unknown>>;

interface Attachment {
  readonly server_id: string;
  readonly device: string | null;
}

/** A volume of cinder's as nova's older API shows it. upstream: nova/api/openstack/compute/volumes.py */
export function volumeView(volume: Item): Record<string, unknown> {
  const [attachment] = (volume['attachments'] ?? []) as readonly Attachment[];
  return {
    id: volume['id'],
    status: volume['status'],
    size: volume['size'],
    availabilityZone: volume['availability_zone'] ?? null,
    createdAt: volume['created_at'],
    attachments: [attachment === undefined ? {} : attachmentView(String(volume['id']), attachment)],
    displayName: volume['name'] ?? null,
    displayDescription: volume['description'] ?? null,
    volumeType: volume['volume_type'] ?? null,
    snapshotId: volume['snapshot_id'] ?? null,
    metadata: volume['metadata'] ?? {},
  };
}

function attachmentView(volumeId: string, { server_id, device }: Attachment): Record<string, unknown> {
  return {
    id: volumeId,
    volumeId,
    serverId: server_id,
    ...(device === null || device === '' ? {} : { device }),
  };
}

/** upstream: nova/api/openstack/compute/snapshots.py */
export function snapshotView(snapshot: Item): Record<string, unknown> {
  return {
    id: snapshot['id'],
    volumeId: snapshot['volume_id'],
    status: snapshot['status'],
    size: snapshot['size'],
    createdAt: snapshot['created_at'],
    displayName: snapshot['name'] ?? null,
    displayDescription: snapshot['description'] ?? null,
  };
}
