import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  activatePortBinding,
  createPortBinding,
  deletePortBinding,
  listPortBindings,
  showPortBinding,
  updatePortBinding,
} from '@nestack/neutron/contract';
import { PortBindings, type BindingView } from '@nestack/neutron/domain';

@Injectable()
export class PortBindingsController {
  constructor(@Inject(PortBindings) private readonly bindings: PortBindings) {}

  @Handles(listPortBindings)
  async list(request: ApiRequest) {
    const found = await this.bindings.list(request.ctx, request.params['port_id'] ?? '');
    return { bindings: found.map(viewOf) };
  }

  @Handles(showPortBinding)
  async show(request: ApiRequest) {
    const { port_id: id = '', host = '' } = request.params;
    return { binding: viewOf(await this.bindings.show(request.ctx, id, host)) };
  }

  @Handles(createPortBinding)
  async create(request: RequestOf<typeof createPortBinding>) {
    const made = await this.bindings.create(request.ctx, request.params['port_id'] ?? '', request.body.binding);
    return { binding: viewOf(made) };
  }

  @Handles(updatePortBinding)
  async update(request: RequestOf<typeof updatePortBinding>) {
    const { port_id: id = '', host = '' } = request.params;
    return { binding: viewOf(await this.bindings.update(request.ctx, id, host, request.body.binding)) };
  }

  @Handles(activatePortBinding)
  async activate(request: ApiRequest) {
    const { port_id: id = '', host = '' } = request.params;
    return { binding: viewOf(await this.bindings.activate(request.ctx, id, host)) };
  }

  @Handles(deletePortBinding)
  async remove(request: ApiRequest): Promise<null> {
    const { port_id: id = '', host = '' } = request.params;
    await this.bindings.remove(request.ctx, id, host);
    return null;
  }
}

function viewOf(binding: BindingView) {
  const { port_id: _port, ...rest } = binding;
  return { ...rest, tenant_id: rest.project_id };
}
