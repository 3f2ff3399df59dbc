import { Inject, Injectable } from '@nestjs/common';
import {
  Handles,
  nextLinks,
  parseBoolean,
  parsePage,
  parseSort,
  type ApiRequest,
  type RequestOf,
} from '@nestack/kernel/http';
import {
  CinderError,
  createExtraSpecs,
  createType,
  deleteExtraSpec,
  deleteType,
  listExtraSpecs,
  listTypes,
  showExtraSpec,
  showType,
  truthy,
  updateExtraSpec,
  updateType,
} from '@nestack/cinder/contract';
import { isPrivileged, VolumeTypes } from '@nestack/cinder/domain';
import { MAX_LIMIT, dictionaryOf, offsetOf } from './list-query';
import { changedTypeView, typeView, visibleSpecs } from './views';

const id = (request: ApiRequest): string => request.params['type_id'] ?? '';
const key = (request: ApiRequest): string => request.params['key'] ?? '';

/** `/types` */
@Injectable()
export class TypesController {
  constructor(@Inject(VolumeTypes) private readonly types: VolumeTypes) {}

  @Handles(listTypes)
  async list(request: ApiRequest) {
    const { rawQuery: raw } = request;
    const admin = isPrivileged(request.ctx);
    const page = parsePage(raw, { max: MAX_LIMIT });
    const types = await this.types.list(request.ctx, {
      ...page,
      offset: offsetOf(raw),
      is_public: admin ? publicFilter(raw.get('is_public')) : true,
      extra_specs: request.version.atLeast('3.52') ? dictionaryOf(raw.get('extra_specs')) : null,
      sort: parseSort(raw, {
        allowed: ['id', 'name', 'created_at'],
        defaults: [{ key: 'created_at', direction: 'desc' }],
      }),
    });
    const links = nextLinks(request, '/types', { count: types.length, limit: page.limit, lastId: types.at(-1)?.id });
    return {
      volume_types: types.map((one) => typeView(one, admin)),
      ...(links.length === 0 ? {} : { volume_type_links: links }),
    };
  }

  @Handles(showType)
  async show(request: ApiRequest) {
    const type = await this.types.show(request.ctx, id(request));
    return { volume_type: typeView(type, isPrivileged(request.ctx)) };
  }

  @Handles(createType)
  async create(request: RequestOf<typeof createType>) {
    const wanted = request.body.volume_type;
    const isPublic = wanted['os-volume-type-access:is_public'];
    const type = await this.types.create({
      name: named(wanted.name),
      description: wanted.description ?? null,
      is_public: isPublic === undefined || truthy(isPublic),
      extra_specs: wanted.extra_specs ?? {},
    });
    return { volume_type: { ...changedTypeView(type, true), 'os-volume-type-access:is_public': type.is_public } };
  }

  @Handles(updateType)
  async update(request: RequestOf<typeof updateType>) {
    const { name, description, is_public } = request.body.volume_type;
    const absent = (value: unknown): boolean => value === undefined || value === null;
    if (absent(name) && absent(description) && is_public === undefined)
      throw CinderError.InvalidInput({
        reason: 'Specify volume type name, description, is_public or a combination thereof.',
      });
    const type = await this.types.update(id(request), {
      ...(name === undefined || name === null ? {} : { name: named(name) }),
      ...(description === undefined || description === null ? {} : { description }),
      ...(is_public === undefined ? {} : { is_public: truthy(is_public) }),
    });
    return { volume_type: changedTypeView(type, true) };
  }

  @Handles(deleteType)
  async remove(request: ApiRequest): Promise<null> {
    await this.types.remove(id(request));
    return null;
  }

  @Handles(listExtraSpecs)
  async extraSpecs(request: ApiRequest) {
    const { extra_specs } = await this.types.show(request.ctx, id(request));
    return { extra_specs: visibleSpecs(extra_specs, isPrivileged(request.ctx)) };
  }

  @Handles(createExtraSpecs)
  async setExtraSpecs(request: RequestOf<typeof createExtraSpecs>) {
    return { extra_specs: await this.types.setExtraSpecs(id(request), request.body.extra_specs) };
  }

  @Handles(showExtraSpec)
  async extraSpec(request: ApiRequest) {
    const type = await this.types.show(request.ctx, id(request));
    const value = visibleSpecs(type.extra_specs, isPrivileged(request.ctx))[key(request)];
    if (value === undefined)
      throw CinderError.ExtraSpecsNotFound({ volume_type_id: type.id, extra_specs_key: key(request) });
    return { [key(request)]: value };
  }

  @Handles(updateExtraSpec)
  async setExtraSpec(request: RequestOf<typeof updateExtraSpec>) {
    const specs = request.body;
    if (Object.keys(specs).length !== 1)
      throw CinderError.InvalidInput({ reason: 'Request body contains too many items' });
    if (specs[key(request)] === undefined) throw CinderError.InvalidInput({ reason: 'Request body and URI mismatch' });
    return this.types.setExtraSpecs(id(request), specs);
  }

  @Handles(deleteExtraSpec)
  async removeExtraSpec(request: ApiRequest): Promise<null> {
    await this.types.removeExtraSpec(id(request), key(request));
    return null;
  }
}

/** `None` means both; absent means public ones. upstream: cinder/api/v3/types.py _parse_is_public */
export function publicFilter(text: string | null): boolean | null {
  if (text === null) return true;
  if (/^none$/i.test(text.trim())) return null;
  const parsed = parseBoolean(text);
  if (parsed === null) throw CinderError.InvalidInput({ reason: `Invalid is_public filter [${text}]` });
  return parsed;
}

function named(name: string): string {
  const trimmed = name.trim();
  if (trimmed === '') throw CinderError.InvalidInput({ reason: 'Volume type name can not be empty.' });
  return trimmed;
}
