import { isoSeconds } from '@nestack/kernel/clock';
import type { ImageView, MemberView } from '@nestack/glance/contract';
import type { Image, ImportTask, Member } from '@nestack/glance/domain';

/** An image on the wire: its own properties beside the fixed keys. */
export function imageView(image: Image): ImageView {
  return {
    ...image.properties,
    id: image.id,
    name: image.name,
    status: image.status,
    visibility: image.visibility,
    protected: image.protected,
    os_hidden: image.os_hidden,
    checksum: image.checksum,
    os_hash_algo: image.os_hash_algo,
    os_hash_value: image.os_hash_value,
    owner: image.owner,
    size: image.size,
    virtual_size: image.virtual_size,
    container_format: image.container_format,
    disk_format: image.disk_format,
    min_ram: image.min_ram,
    min_disk: image.min_disk,
    tags: [...image.tags],
    created_at: isoSeconds(image.created_at),
    updated_at: isoSeconds(image.updated_at),
    self: `/v2/images/${image.id}`,
    file: `/v2/images/${image.id}/file`,
    schema: '/v2/schemas/image',
  };
}

export function memberView(member: Member): MemberView {
  return {
    member_id: member.member_id,
    image_id: member.image_id,
    status: member.status,
    created_at: isoSeconds(member.created_at),
    updated_at: isoSeconds(member.updated_at),
    schema: '/v2/schemas/member',
  };
}

/** A task as the API shows an import's. */
export function taskView(task: ImportTask): Record<string, unknown> {
  const method = { name: task.input.method, ...(task.input.uri === null ? {} : { uri: task.input.uri }) };
  return {
    id: task.id,
    type: 'api_image_import',
    status: task.status,
    owner: task.owner,
    message: task.message,
    input: { image_id: task.image_id, import_req: { method } },
    result: task.status === 'success' ? { image_id: task.image_id } : null,
    image_id: task.image_id,
    request_id: task.request_id,
    user_id: task.user_id,
    expires_at: null,
    created_at: isoSeconds(task.created_at),
    updated_at: isoSeconds(task.updated_at),
    self: `/v2/tasks/${task.id}`,
    schema: '/v2/schemas/task',
  };
}
