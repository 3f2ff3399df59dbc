import { Inject, Injectable } from '@nestjs/common';
import { ApiReply, Handles, nextLinks, parsePage, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import { RPC_CLIENTS, type RpcClient, type RpcClients } from '@nestack/kernel/rpc';
import {
  ComputeRpc,
  NovaError,
  addServerTag,
  checkServerTag,
  createServerMetadata,
  deleteServerMetadataItem,
  deleteServerTag,
  deleteServerTags,
  listInstanceActions,
  listServerIps,
  listServerMetadata,
  listServerTags,
  replaceServerMetadata,
  replaceServerTags,
  showDiagnostics,
  showInstanceAction,
  showServerIps,
  showServerMetadataItem,
  showServerPassword,
  showServerTopology,
  updateServerMetadataItem,
  clearServerPassword,
} from '@nestack/nova/contract';
import { Quotas, ServerPasswords, Servers } from '@nestack/nova/domain';
import { diagnosticsView } from './diagnostics.views';
import { MAX_LIMIT, changesOf } from './list-query';
import { actionView } from './instance-actions.views';
import { addressesOf } from './servers.views';

const id = (request: ApiRequest): string => request.params['server_id'] ?? '';

/** What hangs below a server: metadata, addresses, tags, actions, diagnostics. */
@Injectable()
export class ServerPartsController {
  private readonly compute: RpcClient<typeof ComputeRpc>;

  constructor(
    @Inject(Servers) private readonly servers: Servers,
    @Inject(Quotas) private readonly quotas: Quotas,
    @Inject(ServerPasswords) private readonly passwords: ServerPasswords,
    @Inject(RPC_CLIENTS) clients: RpcClients,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {
    this.compute = clients.client(ComputeRpc);
  }

  @Handles(listServerMetadata)
  async metadata(request: ApiRequest) {
    return { metadata: (await this.servers.get(request.ctx, id(request))).metadata };
  }

  @Handles(createServerMetadata)
  async addMetadata(request: ApiRequest) {
    return {
      metadata: await this.setMetadata(request, (request.body as { metadata: Record<string, string> }).metadata, false),
    };
  }

  @Handles(replaceServerMetadata)
  async replaceMetadata(request: ApiRequest) {
    return {
      metadata: await this.setMetadata(request, (request.body as { metadata: Record<string, string> }).metadata, true),
    };
  }

  @Handles(showServerMetadataItem)
  async metadataItem(request: ApiRequest) {
    const key = request.params['key'] ?? '';
    const { metadata } = await this.servers.get(request.ctx, id(request));
    const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
    if (value === undefined) throw NovaError.MetadataItemNotFound();
    return { meta: { [key]: value } };
  }

  @Handles(updateServerMetadataItem)
  async setMetadataItem(request: ApiRequest) {
    const { meta } = request.body as { meta: Record<string, string> };
    const key = request.params['key'] ?? '';
    if (Object.keys(meta).length !== 1) throw NovaError.BadRequest({ reason: 'Request body contains too many items' });
    if (!Object.hasOwn(meta, key)) throw NovaError.BadRequest({ reason: 'Request body and URI mismatch' });
    await this.setMetadata(request, meta, false);
    return { meta };
  }

  @Handles(deleteServerMetadataItem)
  async deleteMetadataItem(request: ApiRequest) {
    await this.servers.deleteMetadataItem(request.ctx, id(request), request.params['key'] ?? '');
    return new ApiReply(null, { status: 204 });
  }

  @Handles(listServerIps)
  async ips(request: ApiRequest) {
    return { addresses: plain(addressesOf((await this.servers.get(request.ctx, id(request))).nics)) };
  }

  @Handles(showServerIps)
  async networkIps(request: ApiRequest) {
    const label = request.params['network_label'] ?? '';
    const addresses = plain(addressesOf((await this.servers.get(request.ctx, id(request))).nics));
    if (!Object.hasOwn(addresses, label))
      throw NovaError.NotFound({ reason: 'Instance is not a member of specified network' });
    return { [label]: addresses[label] ?? [] };
  }

  @Handles(listServerTags)
  async tags(request: ApiRequest) {
    return { tags: (await this.servers.get(request.ctx, id(request))).tags };
  }

  @Handles(replaceServerTags)
  async replaceTags(request: ApiRequest) {
    const { tags } = request.body as { tags: string[] };
    await this.servers.setTags(request.ctx, id(request), 'update tags', () => tags);
    return { tags };
  }

  @Handles(deleteServerTags)
  async deleteTags(request: ApiRequest) {
    await this.servers.setTags(request.ctx, id(request), 'delete tags', () => []);
    return new ApiReply(null, { status: 204 });
  }

  @Handles(checkServerTag)
  async checkTag(request: ApiRequest) {
    await this.assertTag(request);
    return new ApiReply(null, { status: 204 });
  }

  @Handles(addServerTag)
  async addTag(request: ApiRequest) {
    const tag = request.params['tag'] ?? '';
    if (tag.length === 0 || tag.length > 60 || /[,/]/.test(tag))
      throw NovaError.BadRequest({
        reason: `Tag '${tag}' is invalid. It must be a non empty string without characters '/' and ','. Maximum length is 60`,
      });
    const known = (await this.servers.get(request.ctx, id(request))).tags.includes(tag);
    await this.servers.setTags(request.ctx, id(request), 'update tag', (tags) => [...tags, tag]);
    if (known) return new ApiReply(null, { status: 204 });
    return new ApiReply(null, {
      status: 201,
      headers: { location: `${request.baseUrl}/servers/${id(request)}/tags/${tag}` },
    });
  }

  @Handles(deleteServerTag)
  async deleteTag(request: ApiRequest) {
    const tag = await this.assertTag(request);
    await this.servers.setTags(request.ctx, id(request), 'delete tag', (tags) => tags.filter((one) => one !== tag));
    return new ApiReply(null, { status: 204 });
  }

  @Handles(listInstanceActions)
  async actions(request: ApiRequest) {
    const { rawQuery, version } = request;
    const { instance, actions: all } = await this.history(request);
    if (!version.atLeast('2.58'))
      return { instanceActions: all.map((action) => actionView(instance, action, version)) };
    const before = version.atLeast('2.66') ? rawQuery.get('changes-before') : null;
    const { changes_since: since, changes_before: until } = changesOf(rawQuery.get('changes-since'), before);
    const actions = all.filter(
      ({ updatedAt }) => (since === undefined || updatedAt >= since) && (until === undefined || updatedAt <= until),
    );
    const page = parsePage(rawQuery, { max: MAX_LIMIT });
    const start = page.marker === null ? 0 : actions.findIndex((action) => action.requestId === page.marker) + 1;
    if (page.marker !== null && start === 0) throw NovaError.MarkerNotFound({ marker: page.marker });
    const shown = actions.slice(start, start + page.limit);
    const links = nextLinks(request, `/servers/${instance.uuid}/os-instance-actions`, {
      count: shown.length,
      limit: page.limit,
      lastId: shown.at(-1)?.requestId,
    });
    return {
      instanceActions: shown.map((action) => actionView(instance, action, version)),
      ...(links.length > 0 ? { links } : {}),
    };
  }

  @Handles(showInstanceAction)
  async action(request: ApiRequest) {
    const { instance, actions } = await this.history(request);
    const requestId = request.params['request_id'] ?? '';
    const action = actions.find((one) => one.requestId === requestId);
    if (action === undefined) throw NovaError.ActionNotFound({ request_id: requestId });
    const admin = this.policy.allows(request.ctx, 'os_compute_api:os-instance-actions:events');
    const details = this.policy.allows(request.ctx, 'os_compute_api:os-instance-actions:events:details');
    return {
      instanceAction: actionView(instance, action, request.version, {
        events: admin || request.version.atLeast('2.51'),
        admin,
        details,
      }),
    };
  }

  @Handles(showDiagnostics)
  async diagnostics(request: ApiRequest) {
    const { instance, host } = await this.servers.onHost(request.ctx, id(request));
    const asked = { instance_uuid: instance.uuid };
    const { diagnostics } = await this.compute.get_diagnostics(request.ctx, asked, { host });
    return request.version.atLeast('2.48') ? diagnosticsView(instance, diagnostics, new Date()) : diagnostics;
  }

  /** Guests have no NUMA nodes of their own. */
  @Handles(showServerTopology)
  async topology(request: ApiRequest) {
    await this.servers.get(request.ctx, id(request));
    return { nodes: [], pagesize_kb: null };
  }

  @Handles(showServerPassword)
  async password(request: ApiRequest) {
    return { password: await this.passwords.show(request.ctx, id(request)) };
  }

  @Handles(clearServerPassword)
  async clearPassword(request: ApiRequest) {
    await this.passwords.clear(request.ctx, id(request));
    return new ApiReply(null, { status: 204 });
  }

  /** Those of a deleted server are shown from 2.21 on. */
  private history(request: ApiRequest) {
    return this.servers.history(request.ctx, id(request), { deleted: request.version.atLeast('2.21') });
  }

  private async setMetadata(
    request: ApiRequest,
    metadata: Record<string, string>,
    replace: boolean,
  ): Promise<Readonly<Record<string, string>>> {
    const limit = (await this.quotas.show(request.ctx.actor?.projectId ?? '')).limits['metadata_items'] ?? -1;
    return (await this.servers.setMetadata(request.ctx, id(request), metadata, replace, limit)).metadata;
  }

  private async assertTag(request: ApiRequest): Promise<string> {
    const tag = request.params['tag'] ?? '';
    const { tags, uuid } = await this.servers.get(request.ctx, id(request));
    if (!tags.includes(tag)) throw NovaError.TagNotFound({ server_id: uuid, tag });
    return tag;
  }
}

/** Addresses without the extended keys, as `/ips` shows them. */
function plain(addresses: ReturnType<typeof addressesOf>): Record<string, { version: number; addr: string }[]> {
  return Object.fromEntries(
    Object.entries(addresses).map(([label, list]) => [label, list.map(({ version, addr }) => ({ version, addr }))]),
  );
}
