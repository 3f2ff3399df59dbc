import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest } from '@nestack/kernel/http';
import { NovaError, deleteImageProxy, showImageProxy } from '@nestack/nova/contract';
import { IMAGE_PROXY_PORT, type ImageProxyPort } from '@nestack/nova/domain';
import { imageView } from './images.views';

/** `/images`: glance's images as nova shows them up to 2.35. */
@Injectable()
export class ImagesController {
  constructor(@Inject(IMAGE_PROXY_PORT) private readonly images: ImageProxyPort) {}

  @Handles(showImageProxy)
  async show(request: ApiRequest) {
    const image = await this.images.show(request.ctx, request.params['image_id'] ?? '');
    if (image === null) throw NovaError.ImageNotFoundApi();
    return { image: imageView(image, request.baseUrl) };
  }

  @Handles(deleteImageProxy)
  async delete(request: ApiRequest) {
    if (!(await this.images.delete(request.ctx, request.params['image_id'] ?? ''))) throw NovaError.ImageNotFoundApi();
    return new ApiReply(null, { status: 204 });
  }
}
