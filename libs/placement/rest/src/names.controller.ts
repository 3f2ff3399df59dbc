import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  createResourceClass,
  deleteResourceClass,
  deleteTrait,
  ensureResourceClass,
  ensureTrait,
  listResourceClasses,
  listTraits,
  PlacementError,
  renameResourceClass,
  showResourceClass,
  showTrait,
} from '@nestack/placement/contract';
import { Names, type TraitFilter } from '@nestack/placement/domain';
import { cacheHeaders, lastModified, replyWith } from './replies';

@Injectable()
export class NamesController {
  constructor(@Inject(Names) private readonly names: Names) {}

  @Handles(listResourceClasses)
  async classes(request: ApiRequest): Promise<ApiReply> {
    const classes = await this.names.classes(request.ctx);
    return replyWith(
      request,
      { resource_classes: classes.map((one) => classView(one.name)) },
      { modified: lastModified(classes) },
    );
  }

  @Handles(createResourceClass)
  async createClass(request: RequestOf<typeof createResourceClass>): Promise<ApiReply> {
    const { name } = request.body;
    await this.names.createClass(request.ctx, name);
    return new ApiReply(null, { status: 201, headers: { Location: `${request.baseUrl}/resource_classes/${name}` } });
  }

  @Handles(showResourceClass)
  async showClass(request: ApiRequest): Promise<ApiReply> {
    const found = await this.names.showClass(request.ctx, nameOf(request));
    return replyWith(request, classView(found.name), { modified: lastModified([found]) });
  }

  @Handles(renameResourceClass)
  async renameClass(request: RequestOf<typeof renameResourceClass>) {
    const renamed = await this.names.renameClass(request.ctx, nameOf(request), request.body.name);
    return classView(renamed.name);
  }

  @Handles(ensureResourceClass)
  async ensureClass(request: ApiRequest): Promise<ApiReply> {
    const name = nameOf(request);
    const created = await this.names.ensureClass(request.ctx, name);
    return new ApiReply(null, {
      status: created ? 201 : 204,
      headers: { Location: `${request.baseUrl}/resource_classes/${name}` },
    });
  }

  @Handles(deleteResourceClass)
  async removeClass(request: ApiRequest): Promise<null> {
    await this.names.removeClass(request.ctx, nameOf(request));
    return null;
  }

  @Handles(listTraits)
  async traits(request: ApiRequest): Promise<ApiReply> {
    const traits = await this.names.traits(request.ctx, traitFilterOf(request.rawQuery));
    return replyWith(request, { traits: traits.map((one) => one.name) }, { modified: lastModified(traits) });
  }

  @Handles(showTrait)
  async showTrait(request: ApiRequest): Promise<ApiReply> {
    const trait = await this.names.showTrait(request.ctx, nameOf(request));
    return new ApiReply(null, { status: 204, headers: cacheHeaders(request, trait.created_at) });
  }

  @Handles(ensureTrait)
  async ensureTrait(request: ApiRequest): Promise<ApiReply> {
    const name = nameOf(request);
    const created = await this.names.ensureTrait(request.ctx, name);
    return new ApiReply(null, {
      status: created ? 201 : 204,
      headers: { ...cacheHeaders(request), Location: `${request.baseUrl}/traits/${name}` },
    });
  }

  @Handles(deleteTrait)
  async removeTrait(request: ApiRequest): Promise<null> {
    await this.names.removeTrait(request.ctx, nameOf(request));
    return null;
  }
}

function nameOf(request: Pick<ApiRequest, 'params'>): string {
  return request.params['name'] ?? '';
}

function classView(name: string): { name: string; links: { rel: string; href: string }[] } {
  return { name, links: [{ rel: 'self', href: `/resource_classes/${name}` }] };
}

/** `name=in:A,B`, `name=startswith:CUSTOM`, `associated=true`. */
function traitFilterOf(raw: URLSearchParams): TraitFilter {
  const name = raw.get('name');
  const associated = raw.get('associated')?.toLowerCase();
  let filter: TraitFilter = {};
  if (name !== null) {
    const colon = name.indexOf(':');
    if (colon < 0) {
      throw PlacementError.BadQuery({
        reason: `Badly formatted name parameter. Expected name query string parameter in form: ?name=[in|startswith]:[name1,name2|prefix]. Got: "${name}"`,
      });
    }
    const value = name.slice(colon + 1);
    if (name.startsWith('in:')) filter = { names: value.split(',') };
    if (name.startsWith('startswith:')) filter = { prefix: value };
  }
  if (associated === undefined) return filter;
  if (associated !== 'true' && associated !== 'false') {
    throw PlacementError.BadQuery({
      reason: 'The query parameter "associated" only accepts "true" or "false"',
    });
  }
  return { ...filter, associated: associated === 'true' };
}
