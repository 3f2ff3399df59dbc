import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import { osTransfers, truthy, volumeTransfers } from '@nestack/cinder/contract';
import { Transfers, type Transfer } from '@nestack/cinder/domain';
import { listQueryOf } from './list-query';
import { TRANSFERS } from './list-kinds';
import { linksOf, timeOf } from './views';
import { trimmed } from './volumes.controller';

type Request = Pick<ApiRequest, 'params' | 'ctx' | 'version' | 'baseUrl'>;
type CreateRequest = RequestOf<typeof volumeTransfers.create>;
type AcceptRequest = RequestOf<typeof volumeTransfers.accept>;

const id = (request: Request): string => request.params['transfer_id'] ?? '';

/** `/os-volume-transfer`, and `/volume-transfers` since 3.55. */
@Injectable()
export class TransfersController {
  constructor(@Inject(Transfers) private readonly transfers: Transfers) {}

  @Handles(osTransfers.list)
  listOld(request: ApiRequest) {
    return this.page(request, '/os-volume-transfer', false);
  }

  @Handles(volumeTransfers.list)
  list(request: ApiRequest) {
    return this.page(request, '/volume-transfers', false);
  }

  @Handles(osTransfers.listDetail)
  listDetailOld(request: ApiRequest) {
    return this.page(request, '/os-volume-transfer/detail', true);
  }

  @Handles(volumeTransfers.listDetail)
  listDetail(request: ApiRequest) {
    return this.page(request, '/volume-transfers/detail', true);
  }

  @Handles(osTransfers.create)
  createOld(request: RequestOf<typeof osTransfers.create>) {
    return this.create(request);
  }

  @Handles(volumeTransfers.create)
  async create(request: CreateRequest) {
    const wanted = request.body.transfer;
    const { transfer, auth_key } = await this.transfers.create(request.ctx, {
      volume_id: wanted.volume_id,
      name: trimmed(wanted.name),
      no_snapshots: request.version.atLeast('3.55') && truthy(wanted.no_snapshots ?? false),
    });
    return { transfer: { ...detailView(transfer, request), auth_key } };
  }

  @Handles(osTransfers.show)
  showOld(request: ApiRequest) {
    return this.show(request);
  }

  @Handles(volumeTransfers.show)
  async show(request: ApiRequest) {
    return { transfer: detailView(await this.transfers.show(request.ctx, id(request)), request) };
  }

  @Handles(osTransfers.accept)
  acceptOld(request: RequestOf<typeof osTransfers.accept>) {
    return this.accept(request);
  }

  @Handles(volumeTransfers.accept)
  async accept(request: AcceptRequest) {
    const transfer = await this.transfers.accept(request.ctx, id(request), request.body.accept.auth_key);
    return { transfer: summaryView(transfer, request) };
  }

  @Handles(osTransfers.remove)
  removeOld(request: ApiRequest) {
    return this.remove(request);
  }

  @Handles(volumeTransfers.remove)
  async remove(request: ApiRequest): Promise<null> {
    await this.transfers.remove(request.ctx, id(request));
    return null;
  }

  private async page(request: ApiRequest, path: string, detail: boolean) {
    const { query, allProjects, empty } = listQueryOf(request, TRANSFERS);
    const transfers = empty ? [] : await this.transfers.list(request.ctx, query, allProjects);
    const links = nextLinks(request, path, {
      count: transfers.length,
      limit: query.limit,
      lastId: transfers.at(-1)?.id,
    });
    return {
      transfers: transfers.map((one) => (detail ? detailView(one, request) : summaryView(one, request))),
      ...(links.length === 0 ? {} : { transfers_links: links }),
    };
  }
}

function summaryView(transfer: Transfer, request: Request): Record<string, unknown> {
  return {
    id: transfer.id,
    volume_id: transfer.volume_id,
    name: transfer.name,
    links: linksOf(request, 'volume-transfers', transfer.id),
  };
}

function detailView(transfer: Transfer, request: Request): Record<string, unknown> {
  return {
    ...summaryView(transfer, request),
    created_at: timeOf(transfer.created_at),
    ...(request.version.atLeast('3.55') ? { no_snapshots: transfer.no_snapshots } : {}),
    ...(request.version.atLeast('3.57')
      ? { source_project_id: transfer.source_project_id, destination_project_id: null, accepted: false }
      : {}),
  };
}
