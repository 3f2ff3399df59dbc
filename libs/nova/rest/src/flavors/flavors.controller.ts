import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, nextLinks, parseBoolean, parsePage, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import {
  NovaError,
  addTenantAccess,
  createExtraSpecs,
  createFlavor,
  deleteExtraSpec,
  deleteFlavor,
  isTrue,
  listExtraSpecs,
  listFlavorAccess,
  listFlavors,
  listFlavorsDetail,
  removeTenantAccess,
  showExtraSpec,
  showFlavor,
  toInteger,
  updateExtraSpec,
  updateFlavor,
} from '@nestack/nova/contract';
import { Flavors, callerOf, type Flavor, type FlavorQuery } from '@nestack/nova/domain';
import { flavorBrief, flavorView } from './flavors.views';

interface NewFlavorBody {
  readonly name: string;
  readonly id?: string | number | null;
  readonly ram: number | string;
  readonly vcpus: number | string;
  readonly disk: number | string;
  readonly 'OS-FLV-EXT-DATA:ephemeral'?: number | string;
  readonly swap?: number | string;
  readonly rxtx_factor?: number | string;
  readonly 'os-flavor-access:is_public'?: unknown;
  readonly description?: string | null;
}

const id = (request: ApiRequest): string => request.params['flavor_id'] ?? '';
const access = (flavorId: string, projects: readonly string[]) => ({
  flavor_access: projects.map((tenant_id) => ({ flavor_id: flavorId, tenant_id })),
});

/** `/flavors` */
@Injectable()
export class FlavorsController {
  constructor(
    @Inject(Flavors) private readonly flavors: Flavors,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  @Handles(listFlavors)
  async list(request: ApiRequest) {
    const { flavors, links } = await this.page(request, '/flavors');
    return { flavors: flavors.map((flavor) => flavorBrief(flavor, request)), ...links };
  }

  @Handles(listFlavorsDetail)
  async detail(request: ApiRequest) {
    const { flavors, links } = await this.page(request, '/flavors/detail');
    return { flavors: flavors.map((flavor) => this.view(flavor, request)), ...links };
  }

  @Handles(showFlavor)
  async show(request: ApiRequest) {
    return { flavor: this.view(await this.flavors.show(request.ctx, id(request)), request) };
  }

  @Handles(createFlavor)
  async create(request: ApiRequest) {
    const { flavor: body } = request.body as { flavor: NewFlavorBody };
    const wanted = body.id === undefined || body.id === null || body.id === 'auto' ? null : String(body.id);
    const rxtx = Number(body.rxtx_factor ?? 1);
    if (!(rxtx > 0))
      throw NovaError.BadRequest({
        reason: `Invalid input for field/attribute rxtx_factor. Value: ${String(body.rxtx_factor)}. It must be positive.`,
      });
    const flavor = await this.flavors.create({
      flavor_id: wanted,
      name: body.name.trim(),
      memory_mb: toInteger(body.ram),
      vcpus: toInteger(body.vcpus),
      root_gb: toInteger(body.disk),
      ephemeral_gb: toInteger(body['OS-FLV-EXT-DATA:ephemeral'] ?? 0),
      swap_mb: toInteger(body.swap ?? 0),
      rxtx_factor: rxtx,
      is_public: isTrue(body['os-flavor-access:is_public'] ?? true),
      description: body.description ?? null,
    });
    return { flavor: this.view(flavor, request) };
  }

  @Handles(updateFlavor)
  async update(request: ApiRequest) {
    const { flavor } = request.body as { flavor: { description: string | null } };
    return { flavor: this.view(await this.flavors.describe(request.ctx, id(request), flavor.description), request) };
  }

  @Handles(deleteFlavor)
  async delete(request: ApiRequest) {
    await this.flavors.delete(id(request));
    return new ApiReply(null, { status: 202 });
  }

  @Handles(listExtraSpecs)
  async specs(request: ApiRequest) {
    return { extra_specs: (await this.flavors.show(request.ctx, id(request))).extra_specs };
  }

  @Handles(createExtraSpecs)
  async addSpecs(request: ApiRequest) {
    const { extra_specs: specs } = request.body as { extra_specs: Record<string, string | number> };
    const set = texts(specs);
    await this.setSpecs(request, set);
    return { extra_specs: set };
  }

  @Handles(showExtraSpec)
  async spec(request: ApiRequest) {
    const key = request.params['key'] ?? '';
    const { extra_specs: specs } = await this.flavors.show(request.ctx, id(request));
    const value = Object.hasOwn(specs, key) ? specs[key] : undefined;
    if (value === undefined) throw NovaError.FlavorExtraSpecsNotFound({ flavor_id: id(request), extra_specs_key: key });
    return { [key]: value };
  }

  @Handles(updateExtraSpec)
  async setSpec(request: ApiRequest) {
    const key = request.params['key'] ?? '';
    const body = texts(request.body as Record<string, string | number>);
    if (Object.keys(body).length !== 1 || !Object.hasOwn(body, key))
      throw NovaError.BadRequest({ reason: 'Request body and URI mismatch' });
    await this.setSpecs(request, body);
    return body;
  }

  @Handles(deleteExtraSpec)
  async deleteSpec(request: ApiRequest) {
    await this.flavors.deleteSpec(request.ctx, id(request), request.params['key'] ?? '');
    return new ApiReply(null, { status: 200 });
  }

  @Handles(listFlavorAccess)
  async access(request: ApiRequest) {
    return access(id(request), await this.flavors.access(request.ctx, id(request)));
  }

  @Handles(addTenantAccess)
  async addAccess(request: ApiRequest) {
    const { tenant } = (request.body as { addTenantAccess: { tenant: string } }).addTenantAccess;
    // upstream: microversion 2.7
    const privateOnly = request.version.atLeast('2.7');
    return access(id(request), await this.flavors.addAccess(request.ctx, id(request), tenant, { privateOnly }));
  }

  @Handles(removeTenantAccess)
  async removeAccess(request: ApiRequest) {
    const { tenant } = (request.body as { removeTenantAccess: { tenant: string } }).removeTenantAccess;
    return access(id(request), await this.flavors.removeAccess(request.ctx, id(request), tenant));
  }

  private view(flavor: Flavor, request: ApiRequest) {
    const { ctx } = request;
    const own = { project_id: ctx.actor?.projectId };
    return flavorView(flavor, request, this.policy.allows(ctx, 'os_compute_api:os-flavor-extra-specs:index', own));
  }

  /** upstream: microversion 2.86 */
  private async setSpecs(request: ApiRequest, specs: Readonly<Record<string, string>>): Promise<void> {
    if (request.version.atLeast('2.86')) this.flavors.assertSpecs(specs);
    await this.flavors.setSpecs(request.ctx, id(request), specs);
  }

  /** `is_public=None` gives an administrator both kinds; others see public ones and those that they have access to. */
  private async page(
    request: ApiRequest,
    path: string,
  ): Promise<{ flavors: readonly Flavor[]; links: { flavors_links?: { rel: string; href: string }[] } }> {
    const { rawQuery: q, ctx } = request;
    const caller = callerOf(ctx);
    const page = parsePage(q, { max: 1000 });
    const least = (key: string): number | undefined => {
      const text = q.get(key);
      if (text === null) return undefined;
      if (!/^ *[+-]?\d+ *$/.test(text)) throw NovaError.BadRequest({ reason: `Invalid ${key} filter [${text}]` });
      return Number(text);
    };
    const min_ram = least('minRam');
    const min_disk = least('minDisk');
    const wanted = q.get('is_public');
    const query: FlavorQuery = {
      is_public: caller.isAdmin && wanted !== null ? publicOf(wanted) : true,
      project_id: caller.projectId,
      limit: page.limit,
      sort_key: q.get('sort_key') ?? 'flavorid',
      sort_dir: q.get('sort_dir') === 'desc' ? 'desc' : 'asc',
      ...(page.marker === null ? {} : { marker: page.marker }),
      ...(min_ram === undefined ? {} : { min_ram }),
      ...(min_disk === undefined ? {} : { min_disk }),
    };
    const flavors = await this.flavors.list(query);
    const links = nextLinks(request, path, {
      count: flavors.length,
      limit: page.limit,
      lastId: flavors.at(-1)?.flavor_id,
    });
    return { flavors, links: links.length === 0 ? {} : { flavors_links: links } };
  }
}

function publicOf(text: string): boolean | null {
  if (/^none$/i.test(text)) return null;
  const parsed = parseBoolean(text);
  if (parsed === null) throw NovaError.BadRequest({ reason: `Invalid is_public filter [${text}]` });
  return parsed;
}

function texts(specs: Readonly<Record<string, string | number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(specs).map(([key, value]) => [key, String(value)]));
}
