import type { Tx } from '@nestack/kernel/context';
import { execute, sql, sqlOne } from '@nestack/kernel/db';
import { isUuidLike } from '@nestack/kernel/ids';
import type { BlockDevice, BlockDevicePatch, BlockDeviceRepository } from '@nestack/nova/domain';

const COLUMNS = `id, instance_uuid, source_type, source_id, volume_id, volume_size, volume_type, attachment_id, connection_info,
  device_name, boot_index, delete_on_termination, tag, state`;

type Row = Omit<BlockDevice, 'id'> & { readonly id: string | number };

function toDevice(row: Row): BlockDevice {
  return { ...row, id: Number(row.id) };
}

/** Block device mappings in PostgreSQL. */
export class BlockDevicesRepository implements BlockDeviceRepository {
  async insert(tx: Tx, device: Omit<BlockDevice, 'id'>): Promise<BlockDevice> {
    const row = await sqlOne<Row>(
      tx,
      `INSERT INTO block_device_mapping (instance_uuid, source_type, source_id, volume_id, volume_size, volume_type, attachment_id,
         connection_info, device_name, boot_index, delete_on_termination, tag, state)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING ${COLUMNS}`,
      [
        device.instance_uuid,
        device.source_type,
        device.source_id,
        device.volume_id,
        device.volume_size,
        device.volume_type,
        device.attachment_id,
        device.connection_info === null ? null : JSON.stringify(device.connection_info),
        device.device_name,
        device.boot_index,
        device.delete_on_termination,
        device.tag,
        device.state,
      ],
    );
    if (row === null) throw new Error('the insert returned no row');
    return toDevice(row);
  }

  async ofInstance(tx: Tx, instanceUuid: string): Promise<readonly BlockDevice[]> {
    const rows = await sql<Row>(
      tx,
      `SELECT ${COLUMNS} FROM block_device_mapping WHERE instance_uuid = $1::uuid ORDER BY id`,
      [instanceUuid],
    );
    return rows.map(toDevice);
  }

  async ofInstances(tx: Tx, instanceUuids: readonly string[]): Promise<ReadonlyMap<string, readonly BlockDevice[]>> {
    const rows = await sql<Row>(
      tx,
      `SELECT ${COLUMNS} FROM block_device_mapping WHERE instance_uuid = ANY($1::uuid[]) ORDER BY id`,
      [instanceUuids],
    );
    return Map.groupBy(rows.map(toDevice), (device) => device.instance_uuid);
  }

  async find(tx: Tx, id: number): Promise<BlockDevice | null> {
    const row = await sqlOne<Row>(tx, `SELECT ${COLUMNS} FROM block_device_mapping WHERE id = $1`, [id]);
    return row === null ? null : toDevice(row);
  }

  async byVolume(tx: Tx, instanceUuid: string, volumeId: string): Promise<BlockDevice | null> {
    if (!isUuidLike(volumeId)) return null;
    const row = await sqlOne<Row>(
      tx,
      `SELECT ${COLUMNS} FROM block_device_mapping WHERE instance_uuid = $1::uuid AND volume_id = $2::uuid`,
      [instanceUuid, volumeId],
    );
    return row === null ? null : toDevice(row);
  }

  async update(tx: Tx, id: number, patch: BlockDevicePatch): Promise<void> {
    const params: unknown[] = [id];
    const set: string[] = [];
    for (const column of [
      'volume_id',
      'volume_size',
      'attachment_id',
      'connection_info',
      'device_name',
      'state',
      'delete_on_termination',
    ] as const) {
      if (!(column in patch)) continue;
      const value = patch[column] ?? null;
      params.push(column === 'connection_info' && value !== null ? JSON.stringify(value) : value);
      set.push(`${column} = $${params.length}`);
    }
    if (set.length > 0) await execute(tx, `UPDATE block_device_mapping SET ${set.join(', ')} WHERE id = $1`, params);
  }

  async remove(tx: Tx, id: number): Promise<void> {
    await execute(tx, 'DELETE FROM block_device_mapping WHERE id = $1', [id]);
  }

  async removeOfInstance(tx: Tx, instanceUuid: string): Promise<void> {
    await execute(tx, 'DELETE FROM block_device_mapping WHERE instance_uuid = $1::uuid', [instanceUuid]);
  }
}
