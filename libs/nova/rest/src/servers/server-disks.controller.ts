import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest } from '@nestack/kernel/http';
import {
  createServerBackup,
  createServerImage,
  rebuildServer,
  rescueServer,
  toInteger,
  unrescueServer,
  type RebuildFields,
} from '@nestack/nova/contract';
import { Rebuild, Rescue, ServerImages, type WantedImage } from '@nestack/nova/domain';
import { changedServerView } from './servers.views';
import { ViewOptions } from './view-options';

const id = (request: ApiRequest): string => request.params['server_id'] ?? '';
const password = (): string => randomBytes(9).toString('base64url');

interface Named {
  readonly name: string;
  readonly metadata?: Record<string, string>;
}
const wanted = (request: ApiRequest, { name, metadata = {} }: Named): WantedImage => ({
  name: name.trim(),
  metadata,
  limited: !request.version.atLeast('2.39'),
});

/** Where the image is. */
function told(request: ApiRequest, image: string): ApiReply {
  if (request.version.atLeast('2.45')) return new ApiReply({ image_id: image }, { status: 202 });
  const origin = new URL(request.baseUrl).origin;
  return new ApiReply(null, { status: 202, headers: { location: `${origin}/images/${image}` } });
}

/** Actions on servers' disks: rescue, rebuild, images of them. */
@Injectable()
export class ServerDisksController {
  constructor(
    @Inject(Rescue) private readonly rescues: Rescue,
    @Inject(Rebuild) private readonly rebuilds: Rebuild,
    @Inject(ServerImages) private readonly images: ServerImages,
    @Inject(ViewOptions) private readonly views: ViewOptions,
  ) {}

  @Handles(rescueServer)
  async rescue(request: ApiRequest) {
    const { rescue } = request.body as { rescue: { adminPass?: string; rescue_image_ref?: string } | null };
    const volumeBacked = request.version.atLeast('2.87');
    await this.rescues.rescue(request.ctx, id(request), rescue?.rescue_image_ref ?? null, volumeBacked);
    return { adminPass: rescue?.adminPass ?? password() };
  }

  @Handles(unrescueServer)
  async unrescue(request: ApiRequest) {
    await this.rescues.unrescue(request.ctx, id(request));
    return new ApiReply(null, { status: 202 });
  }

  @Handles(rebuildServer)
  async rebuild(request: ApiRequest) {
    const { rebuild } = request.body as { rebuild: RebuildFields };
    const item = await this.rebuilds.rebuild(request.ctx, id(request), rebuild, request.version.atLeast('2.93'));
    const { instance } = item;
    const options = await this.views.of(request, { hostStatus: '2.75' });
    // Here user data stands by itself: upstream shows it once.
    const { 'OS-EXT-SRV-ATTR:user_data': _shownBelow, ...changed } = changedServerView(item, options);
    const view = {
      ...changed,
      ...(request.version.atLeast('2.54') ? { key_name: instance.key_name } : {}),
      ...(request.version.atLeast('2.57') ? { user_data: instance.user_data } : {}),
      adminPass: rebuild.adminPass ?? password(),
    };
    return new ApiReply(
      { server: view },
      { status: 202, headers: { location: `${request.baseUrl}/servers/${instance.uuid}` } },
    );
  }

  @Handles(createServerImage)
  async createImage(request: ApiRequest) {
    const { createImage } = request.body as { createImage: { name: string; metadata?: Record<string, string> } };
    return told(request, await this.images.create(request.ctx, id(request), wanted(request, createImage)));
  }

  @Handles(createServerBackup)
  async createBackup(request: ApiRequest) {
    const { createBackup: asked } = request.body as {
      createBackup: { name: string; backup_type: string; rotation: number | string; metadata?: Record<string, string> };
    };
    const rotation = toInteger(asked.rotation);
    const about = { backup_type: asked.backup_type, rotation };
    const made = await this.images.backup(request.ctx, id(request), wanted(request, asked), about);
    // Where none is kept there is none to go to.
    return rotation === 0 && !request.version.atLeast('2.45')
      ? new ApiReply(null, { status: 202 })
      : told(request, made);
  }
}
