import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  addTypeAccess,
  listDefaultTypes,
  listTypeAccess,
  removeTypeAccess,
  setDefaultType,
  showDefaultType,
  showTypeEncryption,
  unsetDefaultType,
} from '@nestack/cinder/contract';
import { VolumeTypes } from '@nestack/cinder/domain';

type WithParams = { readonly params: Readonly<Record<string, string>> };
const id = (request: WithParams): string => request.params['type_id'] ?? '';
const project = (request: WithParams): string => request.params['target_project_id'] ?? '';

/** Who may use a private type, and which type is whose default. */
@Injectable()
export class TypeDetailsController {
  constructor(@Inject(VolumeTypes) private readonly types: VolumeTypes) {}

  @Handles(listTypeAccess)
  async access(request: ApiRequest) {
    const projects = await this.types.access(id(request));
    return {
      volume_type_access: projects.map((project_id) => ({ volume_type_id: id(request), project_id })),
    };
  }

  @Handles(addTypeAccess)
  async addAccess(request: RequestOf<typeof addTypeAccess>): Promise<null> {
    await this.types.addAccess(id(request), request.body.addProjectAccess.project);
    return null;
  }

  @Handles(removeTypeAccess)
  async removeAccess(request: RequestOf<typeof removeTypeAccess>): Promise<null> {
    await this.types.removeAccess(id(request), request.body.removeProjectAccess.project);
    return null;
  }

  /** An unencrypted type has an empty encryption. */
  @Handles(showTypeEncryption)
  async encryption(request: ApiRequest) {
    await this.types.show(request.ctx, id(request));
    return {};
  }

  @Handles(listDefaultTypes)
  async defaults() {
    const defaults = await this.types.defaults();
    return { default_types: [...defaults].map(([project_id, volume_type_id]) => ({ project_id, volume_type_id })) };
  }

  @Handles(showDefaultType)
  async default(request: ApiRequest) {
    const type = await this.types.defaultOf(project(request));
    return { default_type: { project_id: project(request), volume_type_id: type.id } };
  }

  @Handles(setDefaultType)
  async setDefault(request: RequestOf<typeof setDefaultType>) {
    const volume_type_id = await this.types.setDefault(project(request), request.body.default_type.volume_type);
    return { default_type: { project_id: project(request), volume_type_id } };
  }

  @Handles(unsetDefaultType)
  async unsetDefault(request: ApiRequest): Promise<null> {
    await this.types.setDefault(project(request), null);
    return null;
  }
}
