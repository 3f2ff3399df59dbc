import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, parsePage, parseSort, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  createGroupSpecs,
  createGroupType,
  deleteGroupSpec,
  deleteGroupType,
  listGroupSpecs,
  listGroupTypes,
  showGroupSpec,
  showGroupType,
  truthy,
  updateGroupSpec,
  updateGroupType,
} from '@nestack/cinder/contract';
import { GroupTypes, isPrivileged, type GroupType } from '@nestack/cinder/domain';
import { MAX_LIMIT, offsetOf } from './list-query';
import { publicFilter } from './types.controller';

type WithParams = { readonly params: Readonly<Record<string, string>> };
const id = (request: WithParams): string => request.params['group_type_id'] ?? '';
const key = (request: WithParams): string => request.params['key'] ?? '';

/** `/group_types` */
@Injectable()
export class GroupTypesController {
  constructor(@Inject(GroupTypes) private readonly types: GroupTypes) {}

  @Handles(listGroupTypes)
  async list(request: ApiRequest) {
    const { rawQuery: raw } = request;
    const page = parsePage(raw, { max: MAX_LIMIT });
    const types = await this.types.list({
      ...page,
      offset: offsetOf(raw),
      is_public: isPrivileged(request.ctx) ? publicFilter(raw.get('is_public')) : true,
      sort: parseSort(raw, {
        allowed: ['id', 'name', 'created_at'],
        defaults: [{ key: 'created_at', direction: 'desc' }],
      }),
    });
    const links = nextLinks(request, '/group_types', {
      count: types.length,
      limit: page.limit,
      lastId: types.at(-1)?.id,
    });
    return {
      group_types: types.map((one) => view(one, request)),
      ...(links.length === 0 ? {} : { group_type_links: links }),
    };
  }

  @Handles(showGroupType)
  async show(request: ApiRequest) {
    return { group_type: view(await this.types.show(request.ctx, id(request)), request) };
  }

  @Handles(createGroupType)
  async create(request: RequestOf<typeof createGroupType>) {
    const wanted = request.body.group_type;
    const type = await this.types.create({
      name: named(wanted.name),
      description: wanted.description ?? null,
      is_public: wanted.is_public === undefined || truthy(wanted.is_public),
      group_specs: wanted.group_specs ?? {},
    });
    return { group_type: view(type, request) };
  }

  @Handles(updateGroupType)
  async update(request: RequestOf<typeof updateGroupType>) {
    const { name = null, description = null, is_public } = request.body.group_type;
    if (name === null && description === null && is_public === undefined)
      throw CinderError.InvalidInput({ reason: 'Specify group type name, description or a combination thereof.' });
    const type = await this.types.update(id(request), {
      ...(name === null || name === '' ? {} : { name: named(name) }),
      ...(description === null ? {} : { description }),
      ...(is_public === undefined ? {} : { is_public: truthy(is_public) }),
    });
    return { group_type: view(type, request) };
  }

  @Handles(deleteGroupType)
  async remove(request: ApiRequest): Promise<null> {
    await this.types.remove(id(request));
    return null;
  }

  @Handles(listGroupSpecs)
  async specs(request: ApiRequest) {
    return { group_specs: await this.types.specs(id(request)) };
  }

  @Handles(createGroupSpecs)
  async setSpecs(request: RequestOf<typeof createGroupSpecs>) {
    await this.types.setSpecs(id(request), request.body.group_specs);
    return request.body;
  }

  @Handles(showGroupSpec)
  async spec(request: ApiRequest) {
    const specs = await this.types.specs(id(request));
    const value = specs[key(request)];
    if (value === undefined)
      throw CinderError.GroupTypeSpecsNotFound({ group_type_id: id(request), group_specs_key: key(request) });
    return { [key(request)]: value };
  }

  @Handles(updateGroupSpec)
  async setSpec(request: RequestOf<typeof updateGroupSpec>) {
    const specs = request.body;
    if (Object.keys(specs).length !== 1)
      throw CinderError.InvalidInput({ reason: 'Request body contains too many items' });
    if (specs[key(request)] === undefined) throw CinderError.InvalidInput({ reason: 'Request body and URI mismatch' });
    await this.types.setSpecs(id(request), specs);
    return specs;
  }

  @Handles(deleteGroupSpec)
  async removeSpec(request: ApiRequest): Promise<null> {
    await this.types.removeSpec(id(request), key(request));
    return null;
  }
}

/** Specs are administrators' business. */
function view(type: GroupType, request: ApiRequest): Record<string, unknown> {
  const { id: typeId, name, description, is_public, group_specs } = type;
  return { id: typeId, name, description, is_public, ...(isPrivileged(request.ctx) ? { group_specs } : {}) };
}

function named(name: string): string {
  const trimmed = name.trim();
  if (trimmed === '') throw CinderError.InvalidInput({ reason: 'Group type name can not be empty.' });
  return trimmed;
}
