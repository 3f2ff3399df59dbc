import { ApiReply, type ApiRequest } from '@nestack/kernel/http';
import { PlacementError } from '@nestack/placement/contract';

interface Changed {
  readonly created_at: Date | null;
  readonly updated_at?: Date | null;
}

/** The latest change of several things; undefined when none is known. */
export function lastModified(things: readonly Changed[]): Date | undefined {
  const times = things.map((one) => (one.updated_at ?? one.created_at)?.getTime() ?? Date.now());
  return times.length === 0 ? undefined : new Date(Math.max(...times));
}

/** Headers that answers have from 1.15 on; without a known time of change it is now. */
export function cacheHeaders(request: ApiRequest, modified?: Date): Record<string, string> {
  if (!request.version.atLeast('1.15')) return {};
  return { 'Last-Modified': (modified ?? new Date()).toUTCString(), 'Cache-Control': 'no-cache' };
}

/** An answer with a body. Throws 406 when the client takes no JSON. */
export function replyWith(
  request: ApiRequest,
  body: unknown,
  options: { readonly modified?: Date | undefined; readonly status?: number; readonly location?: string } = {},
): ApiReply {
  checkAccept(request);
  return new ApiReply(body, {
    status: options.status ?? 200,
    headers: {
      ...cacheHeaders(request, options.modified),
      ...(options.location === undefined ? {} : { Location: `${request.baseUrl}${options.location}` }),
    },
  });
}

function checkAccept(request: ApiRequest): void {
  const accept = request.headers['accept'];
  if (accept === undefined || accept.trim() === '') return;
  const types = accept.split(',').map((part) => part.split(';')[0]?.trim().toLowerCase());
  if (!types.some((type) => type === 'application/json' || type === 'application/*' || type === '*/*'))
    throw PlacementError.NotAcceptable();
}
