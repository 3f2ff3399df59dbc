import { isoSeconds } from '@nestack/kernel/clock';
import type { RequestContext } from '@nestack/kernel/context';
import { ApiReply, parseFields, type ApiRequest } from '@nestack/kernel/http';
import type { PolicyEnforcer } from '@nestack/kernel/policy';
import {
  NeutronError,
  isRecord,
  parseChange,
  parseCreation,
  type Attributes,
  type InputOf,
  type Resource,
  type ViewOf,
} from '@nestack/neutron/contract';
import type { ListQuery } from '@nestack/neutron/domain';
import { hidden, listQueryOf, pageLinks } from './list-query';
import { ruledAttributes } from './policy-rules';

type Entity = Readonly<Record<string, unknown>>;
type Read = (entity: Entity) => unknown;

/** Attributes that are shown under another name or have to be computed. */
export type Computed = Readonly<Record<string, Read>>;

interface Shown {
  readonly name: string;
  readonly read: Read;
  /** The rule of those that not everybody sees. */
  readonly rule: string | null;
}

/** One kind of resource between the wire and its use cases: bodies in, views out. */
export class Presenter<N extends string, P extends string, A extends Attributes> {
  private readonly shown: readonly Shown[];
  /** What a caller sees of a project's resources: the same for all items of a list. */
  private readonly seen = new WeakMap<RequestContext, Map<unknown, readonly Shown[]>>();

  constructor(
    readonly resource: Resource<N, P, A>,
    private readonly policy: PolicyEnforcer,
    computed: Computed = {},
  ) {
    this.shown = Object.entries(resource.attributes)
      .filter(([, one]) => one.hidden !== true)
      .map(([name, one]) => {
        const source = one.aliasOf ?? name;
        const rule = `get_${resource.name}:${name}`;
        return {
          name,
          read: computed[source] ?? ((entity) => entity[source]),
          rule: ruledAttributes.has(rule) ? rule : null,
        };
      });
  }

  query(request: ApiRequest): ListQuery {
    return listQueryOf(this.resource as unknown as Resource, request.rawQuery);
  }

  /** Whether the caller may look at all; without a role in the project there is nothing to see. */
  mayLook(ctx: RequestContext): boolean {
    return this.policy.allows(ctx, `get_${this.resource.name}`, { project_id: ctx.actor?.projectId ?? null });
  }

  mustLook(ctx: RequestContext): void {
    if (!this.mayLook(ctx)) throw hidden();
  }

  view(ctx: RequestContext, entity: object, fields: ReadonlySet<string> | null = null): ViewOf<A> {
    const from = entity as Entity;
    const shown: Record<string, unknown> = {};
    for (const { name, read } of this.seenBy(ctx, from['project_id'] ?? null)) {
      if (fields !== null && !fields.has(name)) continue;
      const value = read(from);
      if (value !== undefined) shown[name] = value instanceof Date ? isoSeconds(value) : value;
    }
    return shown as ViewOf<A>;
  }

  private seenBy(ctx: RequestContext, projectId: unknown): readonly Shown[] {
    let known = this.seen.get(ctx);
    if (known === undefined) {
      known = new Map();
      this.seen.set(ctx, known);
    }
    let seen = known.get(projectId);
    if (seen === undefined) {
      const target = { project_id: projectId };
      seen = this.shown.filter(({ rule }) => rule === null || this.policy.allows(ctx, rule, target));
      known.set(projectId, seen);
    }
    return seen;
  }

  one(request: ApiRequest, entity: object): Record<N, ViewOf<A>> {
    return { [this.resource.name]: this.view(request.ctx, entity, parseFields(request.rawQuery)) } as Record<
      N,
      ViewOf<A>
    >;
  }

  /** A page with its links. */
  page(request: ApiRequest, query: ListQuery, entities: readonly (object & { readonly id?: string })[]) {
    const fields = parseFields(request.rawQuery);
    const ids = entities.map((one) => one.id ?? '');
    const path = this.resource.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => request.params[name] ?? '');
    const links = pageLinks(request, path, query, ids);
    return {
      [this.resource.plural]: entities.map((one) => this.view(request.ctx, one, fields)),
      ...(links.length === 0 ? {} : { [`${this.resource.plural}_links`]: links }),
    } as Record<P, ViewOf<A>[]>;
  }

  /** What was created: one, or as many as were asked for. */
  created(request: ApiRequest, entities: readonly object[]) {
    const views = entities.map((one) => this.view(request.ctx, one));
    const bulk = this.isBulk(request.body);
    return new ApiReply(bulk ? { [this.resource.plural]: views } : { [this.resource.name]: views[0] }, { status: 201 });
  }

  private isBulk(body: unknown): boolean {
    return isRecord(body) && Object.hasOwn(body, this.resource.plural) && !Object.hasOwn(body, this.resource.name);
  }

  /** The attributes of a creation's body, for each that is to be made. */
  creations(request: ApiRequest): InputOf<A>[] {
    const { body } = request;
    if (!isRecord(body)) throw NeutronError.HTTPBadRequest({ reason: 'Resource body required' });
    if (!this.isBulk(body)) return [parseCreation(this.resource.attributes, this.member(body))];
    const many = body[this.resource.plural];
    if (!Array.isArray(many) || many.length === 0) throw NeutronError.HTTPBadRequest({ reason: 'Resources required' });
    return many.map((one: unknown) => parseCreation(this.resource.attributes, one));
  }

  change(request: ApiRequest): InputOf<A> {
    if (!isRecord(request.body)) throw NeutronError.HTTPBadRequest({ reason: 'Resource body required' });
    return parseChange(this.resource.attributes, this.member(request.body));
  }

  private member(body: Readonly<Record<string, unknown>>): unknown {
    const { name } = this.resource;
    if (!Object.hasOwn(body, name))
      throw NeutronError.HTTPBadRequest({ reason: `Unable to find '${name}' in request body` });
    return body[name];
  }

  /** The id in the path. */
  id(request: ApiRequest): string {
    return request.params[`${this.resource.name}_id`] ?? '';
  }
}
