import { Inject, Injectable } from '@nestjs/common';
import { Handles, nextLinks, parsePage, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  associateQos,
  createQosSpecs,
  deleteQosKeys,
  deleteQosSpecs,
  disassociateAllQos,
  disassociateQos,
  listQosAssociations,
  listQosSpecs,
  showQosSpecs,
  updateQosSpecs,
} from '@nestack/cinder/contract';
import { QosSpecs, type Metadata, type QosSpec } from '@nestack/cinder/domain';
import { flagOf, MAX_LIMIT, offsetOf } from './list-query';
import { linksOf } from './views';

const id = (request: { readonly params: Readonly<Record<string, string>> }): string => request.params['qos_id'] ?? '';

/** `/qos-specs` */
@Injectable()
export class QosController {
  constructor(@Inject(QosSpecs) private readonly qos: QosSpecs) {}

  @Handles(listQosSpecs)
  async list(request: ApiRequest) {
    const page = parsePage(request.rawQuery, { max: MAX_LIMIT });
    const specs = await this.qos.list({ ...page, offset: offsetOf(request.rawQuery) });
    const links = nextLinks(request, '/qos-specs', {
      count: specs.length,
      limit: page.limit,
      lastId: specs.at(-1)?.id,
    });
    return { qos_specs: specs.map(view), ...(links.length === 0 ? {} : { qos_specs_links: links }) };
  }

  @Handles(createQosSpecs)
  async create(request: RequestOf<typeof createQosSpecs>) {
    const { name, ...specs } = request.body.qos_specs;
    const made = await this.qos.create(name.trim(), textOf(specs));
    return { qos_specs: view(made), links: linksOf(request, 'qos-specs', made.id) };
  }

  @Handles(showQosSpecs)
  async show(request: ApiRequest) {
    const found = await this.qos.show(id(request));
    return { qos_specs: view(found), links: linksOf(request, 'qos-specs', found.id) };
  }

  @Handles(updateQosSpecs)
  async update(request: RequestOf<typeof updateQosSpecs>) {
    const specs = textOf(request.body.qos_specs);
    await this.qos.update(id(request), specs);
    return { qos_specs: specs };
  }

  @Handles(deleteQosSpecs)
  async remove(request: ApiRequest): Promise<null> {
    await this.qos.remove(id(request), flagOf(request.rawQuery, 'force'));
    return null;
  }

  @Handles(deleteQosKeys)
  async removeKeys(request: RequestOf<typeof deleteQosKeys>): Promise<null> {
    await this.qos.deleteKeys(id(request), request.body.keys);
    return null;
  }

  @Handles(listQosAssociations)
  async associations(request: ApiRequest) {
    const types = await this.qos.associations(id(request));
    return {
      qos_associations: types.map((type) => ({ association_type: 'volume_type', name: type.name, id: type.id })),
    };
  }

  @Handles(associateQos)
  async associate(request: ApiRequest): Promise<null> {
    await this.qos.associate(id(request), typeIn(request));
    return null;
  }

  @Handles(disassociateQos)
  async disassociate(request: ApiRequest): Promise<null> {
    await this.qos.disassociate(id(request), typeIn(request));
    return null;
  }

  @Handles(disassociateAllQos)
  async disassociateAll(request: ApiRequest): Promise<null> {
    await this.qos.disassociateAll(id(request));
    return null;
  }
}

function typeIn(request: ApiRequest): string {
  const type = request.rawQuery.get('vol_type_id');
  if (type === null || type === '') throw CinderError.InvalidInput({ reason: 'Volume Type id must not be None.' });
  return type;
}

function view(qos: QosSpec): Record<string, unknown> {
  return { id: qos.id, name: qos.name, consumer: qos.consumer, specs: qos.specs };
}

/** Numbers are kept as text. */
function textOf(specs: Readonly<Record<string, unknown>>): Metadata {
  return Object.fromEntries(Object.entries(specs).map(([key, value]) => [key, String(value)]));
}
