import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, nextLinks, parsePage, type ApiRequest } from '@nestack/kernel/http';
import {
  NovaError,
  createImageMetadata,
  deleteImageMetadataItem,
  deleteImageProxy,
  listImageMetadata,
  listImageProxies,
  listImageProxiesDetail,
  replaceImageMetadata,
  showImageMetadataItem,
  showImageProxy,
  updateImageMetadataItem,
} from '@nestack/nova/contract';
import { IMAGE_PROXY_PORT, ImageMetadata, type ImageProxyPort } from '@nestack/nova/domain';
import { imageBrief, imageView } from './images.views';
import { MAX_LIMIT } from './list-query';

type Image = Readonly<Record<string, unknown>>;

/** Nova's words for a filter, and glance's. upstream: compute/images.py SUPPORTED_FILTERS */
const FILTERS: Readonly<Record<string, string>> = {
  name: 'name',
  status: 'status',
  'changes-since': 'updated_at',
  server: 'instance_uuid',
  type: 'image_type',
  minRam: 'min_ram',
  minDisk: 'min_disk',
};

const idOf = (request: ApiRequest): string => request.params['image_id'] ?? '';
const keyOf = (request: ApiRequest): string => request.params['key'] ?? '';

/** `/images`: glance's images as nova shows them up to 2.35. */
@Injectable()
export class ImagesController {
  constructor(
    @Inject(IMAGE_PROXY_PORT) private readonly images: ImageProxyPort,
    @Inject(ImageMetadata) private readonly metadata: ImageMetadata,
  ) {}

  @Handles(listImageProxies)
  async list(request: ApiRequest) {
    return this.page(request, '/images', (image) => imageBrief(image, request.baseUrl));
  }

  @Handles(listImageProxiesDetail)
  async detail(request: ApiRequest) {
    return this.page(request, '/images/detail', (image) => imageView(image, request.baseUrl));
  }

  @Handles(showImageProxy)
  async show(request: ApiRequest) {
    const image = await this.images.show(request.ctx, idOf(request));
    if (image === null) throw NovaError.ImageNotFoundApi();
    return { image: imageView(image, request.baseUrl) };
  }

  @Handles(deleteImageProxy)
  async delete(request: ApiRequest) {
    if (!(await this.images.delete(request.ctx, idOf(request)))) throw NovaError.ImageNotFoundApi();
    return new ApiReply(null, { status: 204 });
  }

  @Handles(listImageMetadata)
  async items(request: ApiRequest) {
    return { metadata: await this.metadata.list(request.ctx, idOf(request)) };
  }

  @Handles(createImageMetadata)
  async addItems(request: ApiRequest) {
    const { metadata } = request.body as { metadata: Record<string, string> };
    return { metadata: await this.metadata.set(request.ctx, idOf(request), metadata, false) };
  }

  @Handles(replaceImageMetadata)
  async replaceItems(request: ApiRequest) {
    const { metadata } = request.body as { metadata: Record<string, string> };
    return { metadata: await this.metadata.set(request.ctx, idOf(request), metadata, true) };
  }

  @Handles(showImageMetadataItem)
  async item(request: ApiRequest) {
    const metadata = await this.metadata.list(request.ctx, idOf(request));
    const key = keyOf(request);
    if (!Object.hasOwn(metadata, key)) throw NovaError.MetadataItemNotFound();
    return { meta: { [key]: metadata[key] } };
  }

  @Handles(updateImageMetadataItem)
  async setItem(request: ApiRequest) {
    const { meta } = request.body as { meta: Record<string, string> };
    if (!Object.hasOwn(meta, keyOf(request))) throw NovaError.BadRequest({ reason: 'Request body and URI mismatch' });
    await this.metadata.set(request.ctx, idOf(request), { [keyOf(request)]: meta[keyOf(request)] ?? '' }, false);
    return { meta };
  }

  @Handles(deleteImageMetadataItem)
  async removeItem(request: ApiRequest) {
    await this.metadata.remove(request.ctx, idOf(request), keyOf(request));
    return new ApiReply(null, { status: 204 });
  }

  private async page(request: ApiRequest, path: string, view: (image: Image) => Record<string, unknown>) {
    const { limit, marker } = parsePage(request.rawQuery, { max: MAX_LIMIT });
    const images = await this.images.list(request.ctx, { filters: filtersOf(request.rawQuery), marker, limit });
    const last = images.at(-1)?.['id'];
    const links = request.rawQuery.has('limit')
      ? nextLinks(request, path, { count: images.length, limit, lastId: last === undefined ? undefined : String(last) })
      : [];
    return { images: images.map(view), ...(links.length === 0 ? {} : { images_links: links }) };
  }
}

/** A list's filters in glance's words; properties are named as `property-…`. */
function filtersOf(query: URLSearchParams): Record<string, string> {
  const filters: Record<string, string> = {};
  for (const [key, value] of query) {
    const name = FILTERS[key] ?? (key.startsWith('property-') ? key.slice('property-'.length) : null);
    if (name === null || name === '') continue;
    if (key === 'server') filters[name] = value.slice(value.lastIndexOf('/') + 1);
    else if (key === 'status') filters[name] = value.toLowerCase();
    else filters[name] = key === 'changes-since' ? `gte:${value}` : value;
  }
  return filters;
}
