import { Inject, Injectable } from '@nestjs/common';
import { Handles, parseFields, type ApiRequest } from '@nestack/kernel/http';
import { NeutronError, deleteAutoAllocatedTopology, getAutoAllocatedTopology } from '@nestack/neutron/contract';
import { AutoAllocatedTopologies } from '@nestack/neutron/domain';

@Injectable()
export class AutoAllocateController {
  constructor(@Inject(AutoAllocatedTopologies) private readonly topologies: AutoAllocatedTopologies) {}

  private project(request: ApiRequest): string {
    return request.params['project_id'] ?? '';
  }

  @Handles(getAutoAllocatedTopology)
  async get(request: ApiRequest) {
    const fields = parseFields(request.rawQuery);
    const dry = fields?.has('dry-run') === true;
    if (!dry && fields !== null && fields.size > 0)
      throw NeutronError.BadRequest({ resource: 'auto_allocate', msg: 'Unrecognized field' });
    const project = this.project(request);
    const found = await (dry ? this.topologies.check(request.ctx, project) : this.topologies.get(request.ctx, project));
    return { auto_allocated_topology: { ...found, tenant_id: found.project_id } };
  }

  @Handles(deleteAutoAllocatedTopology)
  async remove(request: ApiRequest): Promise<null> {
    await this.topologies.remove(request.ctx, this.project(request));
    return null;
  }
}
