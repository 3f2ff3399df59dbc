import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  addVolumeMetadata,
  createVolume,
  deleteVolume,
  deleteVolumeMetadataItem,
  listVolumes,
  listVolumesDetail,
  replaceVolumeMetadata,
  setVolumeMetadataItem,
  showVolume,
  showVolumeEncryption,
  showVolumeMetadata,
  showVolumeMetadataItem,
  truthy,
  updateVolume,
  volumesSummary,
} from '@nestack/cinder/contract';
import { Backups, CreateVolume, Volumes, type SchedulerHints, type Volume } from '@nestack/cinder/domain';
import { VOLUMES } from './list-kinds';
import { flagOf, listQueryOf } from './list-query';
import { changedVolumeView, volumeSummaryView, volumeView } from './views';

const id = (request: ApiRequest): string => request.params['volume_id'] ?? '';
const key = (request: ApiRequest): string => request.params['key'] ?? '';

/** `/volumes` */
@Injectable()
export class VolumesController {
  constructor(
    @Inject(Volumes) private readonly volumes: Volumes,
    @Inject(CreateVolume) private readonly creation: CreateVolume,
    @Inject(Backups) private readonly backups: Backups,
  ) {}

  @Handles(listVolumes)
  list(request: ApiRequest) {
    return this.page(request, '/volumes', (one) => volumeSummaryView(one, request));
  }

  @Handles(listVolumesDetail)
  listDetail(request: ApiRequest) {
    return this.page(request, '/volumes/detail', (one) => volumeView(one, request));
  }

  @Handles(volumesSummary)
  async summary(request: ApiRequest) {
    const { query, allProjects } = listQueryOf(request, VOLUMES);
    const { count, size, metadata } = await this.volumes.summary(request.ctx, query, allProjects);
    return {
      'volume-summary': {
        total_count: count,
        total_size: size,
        ...(request.version.atLeast('3.36') ? { metadata } : {}),
      },
    };
  }

  @Handles(createVolume)
  async create(request: RequestOf<typeof createVolume>) {
    const wanted = request.body.volume;
    const size = wanted.size === undefined || wanted.size === null ? null : Number(wanted.size);
    const asked = {
      name: trimmed(wanted.name ?? wanted.display_name),
      description: trimmed(wanted.description ?? wanted.display_description),
      size,
      availability_zone: wanted.availability_zone ?? null,
      volume_type: wanted.volume_type ?? null,
      metadata: wanted.metadata ?? {},
      image_id: imageId(wanted.imageRef ?? wanted.image_id ?? null),
      snapshot_id: wanted.snapshot_id ?? null,
      source_volid: wanted.source_volid ?? null,
      multiattach: truthy(wanted.multiattach ?? false),
      hints: hintsOf(request.body['OS-SCH-HNT:scheduler_hints'] ?? {}),
      // Consistency groups are the older name of the same.
      group_id: (request.version.atLeast('3.13') ? wanted.group_id : null) ?? wanted.consistencygroup_id ?? null,
    };
    const backup = request.version.atLeast('3.47') ? (wanted.backup_id ?? null) : null;
    const volume =
      backup === null
        ? await this.creation.execute(request.ctx, asked)
        : await this.backups.createVolume(request.ctx, asked, backup);
    return { volume: changedVolumeView(volume, request) };
  }

  @Handles(showVolume)
  async show(request: ApiRequest) {
    return { volume: volumeView(await this.volumes.show(request.ctx, id(request)), request) };
  }

  @Handles(updateVolume)
  async update(request: RequestOf<typeof updateVolume>) {
    const wanted = request.body.volume;
    const name = wanted.name === undefined ? wanted.display_name : wanted.name;
    const description = wanted.description === undefined ? wanted.display_description : wanted.description;
    const volume = await this.volumes.update(request.ctx, id(request), {
      ...(name === undefined ? {} : { name: trimmed(name) }),
      ...(description === undefined ? {} : { description: trimmed(description) }),
      ...(wanted.metadata === undefined || wanted.metadata === null ? {} : { metadata: wanted.metadata }),
    });
    return { volume: changedVolumeView(volume, request) };
  }

  @Handles(deleteVolume)
  async remove(request: ApiRequest): Promise<null> {
    const force = request.version.atLeast('3.23') && flagOf(request.rawQuery, 'force');
    await this.volumes.remove(request.ctx, id(request), { force, cascade: flagOf(request.rawQuery, 'cascade') });
    return null;
  }

  /** What nova asks before it connects a volume. */
  @Handles(showVolumeEncryption)
  async encryption(request: ApiRequest) {
    await this.volumes.show(request.ctx, id(request));
    return { encryption_key_id: null };
  }

  @Handles(showVolumeMetadata)
  async metadata(request: ApiRequest) {
    return { metadata: (await this.volumes.show(request.ctx, id(request))).metadata };
  }

  @Handles(addVolumeMetadata)
  async addMetadata(request: RequestOf<typeof addVolumeMetadata>) {
    return { metadata: await this.volumes.setMetadata(request.ctx, id(request), request.body.metadata, false) };
  }

  @Handles(replaceVolumeMetadata)
  async replaceMetadata(request: RequestOf<typeof replaceVolumeMetadata>) {
    return { metadata: await this.volumes.setMetadata(request.ctx, id(request), request.body.metadata, true) };
  }

  @Handles(showVolumeMetadataItem)
  async metadataItem(request: ApiRequest) {
    const { metadata } = await this.volumes.show(request.ctx, id(request));
    const value = metadata[key(request)];
    if (value === undefined)
      throw CinderError.VolumeMetadataNotFound({ volume_id: id(request), metadata_key: key(request) });
    return { meta: { [key(request)]: value } };
  }

  @Handles(setVolumeMetadataItem)
  async setMetadataItem(request: RequestOf<typeof setVolumeMetadataItem>) {
    const { meta } = request.body;
    assertOneItem(meta, key(request));
    await this.volumes.setMetadata(request.ctx, id(request), meta, false);
    return { meta };
  }

  @Handles(deleteVolumeMetadataItem)
  async deleteMetadataItem(request: ApiRequest): Promise<null> {
    await this.volumes.removeMetadata(request.ctx, id(request), key(request));
    return null;
  }

  private async page(request: ApiRequest, path: string, view: (volume: Volume) => Record<string, unknown>) {
    const { query, allProjects, empty } = listQueryOf(request, VOLUMES);
    const volumes = empty ? [] : await this.volumes.list(request.ctx, query, allProjects);
    const links = nextLinks(request, path, {
      count: volumes.length,
      limit: query.limit,
      lastId: volumes.at(-1)?.id,
    });
    const counted = request.version.atLeast('3.45') && flagOf(request.rawQuery, 'with_count');
    return {
      volumes: volumes.map(view),
      ...(links.length === 0 ? {} : { volumes_links: links }),
      ...(counted ? { count: await this.volumes.count(request.ctx, query, allProjects) } : {}),
    };
  }
}

/** Hints of the filters that there are; others are another scheduler's. */
function hintsOf(hints: Readonly<Record<string, unknown>>): SchedulerHints {
  const ids = (key: string): readonly string[] | undefined => {
    const value = hints[key];
    if (typeof value === 'string') return [value];
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : undefined;
  };
  return { same_host: ids('same_host'), different_host: ids('different_host') };
}

/** An item's body names the item of its path and no other. */
export function assertOneItem(meta: Readonly<Record<string, string>>, wanted: string): void {
  if (Object.keys(meta).length !== 1)
    throw CinderError.InvalidInput({ reason: 'Request body contains too many items' });
  if (meta[wanted] === undefined) throw CinderError.InvalidInput({ reason: 'Request body and URI mismatch' });
}

/** Names lose the blanks around them, as upstream strips them. */
export function trimmed(text: string | null | undefined): string | null {
  return text?.trim() ?? null;
}

/** An image's id, or the end of its URL; nothing when it is empty. */
function imageId(ref: string | null): string | null {
  if (ref === null) return null;
  const last = ref.replace(/\/+$/, '').replace(/^.*\//, '');
  if (last === '') throw CinderError.InvalidImageRef();
  return last;
}
