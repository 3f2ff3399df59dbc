import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, nextQuery, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  addTag,
  createImage,
  deactivateImage,
  deleteImage,
  listImages,
  reactivateImage,
  removeTag,
  showImage,
  updateImage,
} from '@nestack/glance/contract';
import { IMPORT_METHODS, Images, parsePatch, type NewImage } from '@nestack/glance/domain';
import { imageQueryOf } from './list-query';
import { imageView } from './views';

/** The keys of a create request that are the image's own; all others are properties. */
const OWN = [
  'id',
  'name',
  'visibility',
  'protected',
  'os_hidden',
  'owner',
  'container_format',
  'disk_format',
  'min_ram',
  'min_disk',
  'tags',
];

@Injectable()
export class ImagesController {
  constructor(@Inject(Images) private readonly images: Images) {}

  @Handles(listImages)
  async list(request: ApiRequest) {
    const query = imageQueryOf(request.rawQuery);
    const images = await this.images.list(request.ctx, query);
    const last = images.at(-1);
    const first = new URLSearchParams(request.rawQuery);
    first.delete('marker');
    const firstQuery = first.toString();
    return {
      images: images.map(imageView),
      first: firstQuery === '' ? '/v2/images' : `/v2/images?${firstQuery}`,
      schema: '/v2/schemas/images',
      ...(last !== undefined && images.length === query.limit
        ? { next: `/v2/images?${nextQuery(request.rawQuery, last.id)}` }
        : {}),
    };
  }

  @Handles(createImage)
  async create(request: RequestOf<typeof createImage>) {
    const own: Record<string, unknown> = {};
    const properties: Record<string, string> = {};
    for (const [key, value] of Object.entries(request.body)) {
      if (OWN.includes(key)) own[key] = value;
      else properties[key] = String(value);
    }
    const image = await this.images.create(request.ctx, own as NewImage, properties);
    return new ApiReply(imageView(image), {
      headers: {
        Location: `${request.baseUrl}/images/${image.id}`,
        'OpenStack-image-import-methods': IMPORT_METHODS.join(','),
      },
    });
  }

  @Handles(showImage)
  async show(request: ApiRequest) {
    return imageView(await this.images.show(request.ctx, request.params['image_id'] ?? ''));
  }

  @Handles(updateImage)
  async update(request: ApiRequest) {
    const patch = parsePatch(request.body, request.headers['content-type'] ?? '');
    return imageView(await this.images.update(request.ctx, request.params['image_id'] ?? '', patch));
  }

  @Handles(deleteImage)
  async remove(request: ApiRequest): Promise<null> {
    await this.images.remove(request.ctx, request.params['image_id'] ?? '');
    return null;
  }

  @Handles(deactivateImage)
  async deactivate(request: ApiRequest): Promise<null> {
    await this.images.setActive(request.ctx, request.params['image_id'] ?? '', false);
    return null;
  }

  @Handles(reactivateImage)
  async reactivate(request: ApiRequest): Promise<null> {
    await this.images.setActive(request.ctx, request.params['image_id'] ?? '', true);
    return null;
  }

  @Handles(addTag)
  async addTag(request: ApiRequest): Promise<null> {
    await this.images.tag(request.ctx, request.params['image_id'] ?? '', request.params['tag_value'] ?? '', true);
    return null;
  }

  @Handles(removeTag)
  async removeTag(request: ApiRequest): Promise<null> {
    await this.images.tag(request.ctx, request.params['image_id'] ?? '', request.params['tag_value'] ?? '', false);
    return null;
  }
}
