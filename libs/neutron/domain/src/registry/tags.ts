import type { RequestContext, Tx } from '@nestack/kernel/context';
import { NeutronError, isRecord, type TaggedCollection } from '@nestack/neutron/contract';
import { mustAllow, viewerOf } from '../access';
import type { NeutronParts } from '../parts';
import type { ResourceRepository } from '../ports';

type Tagged = {
  readonly id: string;
  readonly project_id: string;
  readonly tags: readonly string[];
  readonly network_id?: string;
};

const MOST = 50;

/** Tags of resources. upstream: neutron/extensions/tagging.py */
export class Tags {
  constructor(private readonly parts: NeutronParts) {}

  async list(ctx: RequestContext, collection: TaggedCollection, id: string): Promise<readonly string[]> {
    return this.parts.db.read('tag.list', async (tx) => (await this.find(ctx, tx, collection, id, false)).tags);
  }

  /** Throws 404 when the resource has not this tag. */
  async check(ctx: RequestContext, collection: TaggedCollection, id: string, tag: string): Promise<void> {
    if (!(await this.list(ctx, collection, id)).includes(tag)) throw NeutronError.TagNotFound({ tag });
  }

  /** Sets the tags that `change` makes of those that there are. They are kept in their order, as upstream's key has them. */
  async change(
    ctx: RequestContext,
    collection: TaggedCollection,
    id: string,
    change: (tags: readonly string[]) => readonly string[],
  ): Promise<void> {
    await this.parts.db.run('tag.change', async (tx) => {
      const found = await this.find(ctx, tx, collection, id, true);
      const tags = sortedTags(change(found.tags));
      if (tags.length > MOST)
        throw NeutronError.BadRequest({
          resource: collection,
          msg: `The number of tags exceed the per-resource limit of ${String(MOST)}`,
        });
      await this.repository(collection).update(tx, id, { tags }, this.parts.clock.now());
    });
  }

  private async find(
    ctx: RequestContext,
    tx: Tx,
    collection: TaggedCollection,
    id: string,
    change: boolean,
  ): Promise<Tagged> {
    const viewer = viewerOf(ctx, this.parts.policy);
    const found = await this.repository(collection).find(tx, id, viewer, change ? { lock: 'change' } : {});
    if (found === null) throw NeutronError.TagResourceNotFound({ resource: collection, resource_id: id });
    if (change) {
      const network =
        found.network_id === undefined
          ? null
          : await this.parts.networks.find(tx, found.network_id, { projectId: null, all: true });
      mustAllow(ctx, this.parts.policy, `update_${SINGULAR[collection]}:tags`, {
        ...found,
        ...(network === null ? {} : { 'network:project_id': network.project_id }),
      });
    }
    return found;
  }

  private repository(collection: TaggedCollection): ResourceRepository<Tagged> {
    const { networks, subnets, ports, pools, routers, floatingIps, groups } = this.parts;
    const all = {
      networks,
      subnets,
      ports,
      subnetpools: pools,
      routers,
      floatingips: floatingIps,
      'security-groups': groups,
    };
    return all[collection] as unknown as ResourceRepository<Tagged>;
  }
}

const SINGULAR: Readonly<Record<TaggedCollection, string>> = {
  networks: 'network',
  subnets: 'subnet',
  ports: 'port',
  subnetpools: 'subnetpool',
  routers: 'router',
  floatingips: 'floatingip',
  'security-groups': 'security_group',
};

/** Each tag once, in the order in which a resource shows them. */
export const sortedTags = (tags: readonly string[]): string[] => [...new Set(tags)].sort();

/** The tags of a body, each a text that fits. */
export function tagsOf(body: unknown): string[] {
  const tags = isRecord(body) ? body['tags'] : undefined;
  if (!Array.isArray(tags)) throw NeutronError.InvalidInput({ error_message: 'Invalid tags body' });
  const checked = tags.map((tag: unknown) => checkedTag(tag));
  if (new Set(checked).size < checked.length)
    throw NeutronError.InvalidInput({ error_message: `Duplicate items in the list: '${JSON.stringify(tags)}'` });
  return checked;
}

export function checkedTag(tag: unknown): string {
  if (typeof tag !== 'string' || tag.includes('\0'))
    throw NeutronError.InvalidInput({ error_message: `'${JSON.stringify(tag)}' is not a valid string` });
  if ([...tag].length > 255)
    throw NeutronError.InvalidInput({ error_message: `'${tag}' exceeds maximum length of 255` });
  return tag;
}
