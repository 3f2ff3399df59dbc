import { Inject, Injectable } from '@nestjs/common';
import type { Readable } from 'node:stream';
import { DomainError } from '@nestack/kernel/errors';
import { ApiReply, Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { downloadImageFile, importImage, stageImageFile, uploadImageFile } from '@nestack/glance/contract';
import { ImageData, Imports } from '@nestack/glance/domain';
import { contentRange, parseRange } from './byte-range';

@Injectable()
export class ImageDataController {
  constructor(
    @Inject(ImageData) private readonly data: ImageData,
    @Inject(Imports) private readonly imports: Imports,
  ) {}

  @Handles(uploadImageFile)
  async upload(request: ApiRequest): Promise<null> {
    octets(request);
    await this.data.upload(
      request.ctx,
      request.params['image_id'] ?? '',
      request.stream as Readable,
      announced(request),
    );
    return null;
  }

  @Handles(stageImageFile)
  async stage(request: ApiRequest): Promise<null> {
    octets(request);
    await this.data.stage(
      request.ctx,
      request.params['image_id'] ?? '',
      request.stream as Readable,
      announced(request),
    );
    return null;
  }

  @Handles(downloadImageFile)
  async download(request: ApiRequest) {
    const download = await this.data.download(request.ctx, request.params['image_id'] ?? '');
    if (download === null) return new ApiReply(null, { status: 204 });
    const range = parseRange(request.headers['range'], download.size);
    const length = range === null ? download.size : range.end - range.start + 1;
    const headers: Record<string, string> = {
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(length),
      'Accept-Ranges': 'bytes',
    };
    // The sum is the whole image's; clients check what they got against it.
    if (range === null && download.image.checksum !== null) headers['Content-MD5'] = download.image.checksum;
    if (range !== null) headers['Content-Range'] = contentRange(range, download.size);
    return new ApiReply(await download.open(range ?? undefined), { status: range === null ? 200 : 206, headers });
  }

  @Handles(importImage)
  async import(request: RequestOf<typeof importImage>) {
    const { name, uri } = request.body.method;
    await this.imports.request(request.ctx, request.params['image_id'] ?? '', name, uri ?? null);
    return new ApiReply(null, { status: 202 });
  }
}

/** Bodies of data are octets; an absent type is taken for them. */
function octets(request: ApiRequest): void {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type === undefined || type === '' || type === 'application/octet-stream') return;
  throw new DomainError({
    kind: 'unsupportedMediaType',
    code: 'InvalidContentType',
    message: `Invalid content type ${type}`,
  });
}

function announced(request: ApiRequest): number | null {
  const length = request.headers['content-length'];
  return length === undefined ? null : Number(length);
}
