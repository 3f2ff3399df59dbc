import { Inject, Injectable } from '@nestjs/common';
import { Handles, type ApiRequest, type RequestOf } from '@nestack/kernel/http';
import {
  CinderError,
  addTypeAccess,
  createTypeEncryption,
  deleteTypeEncryption,
  listDefaultTypes,
  listTypeAccess,
  removeTypeAccess,
  setDefaultType,
  showDefaultType,
  showTypeEncryption,
  showTypeEncryptionItem,
  unsetDefaultType,
  updateTypeEncryption,
} from '@nestack/cinder/contract';
import { VolumeTypes, type EncryptionFields } from '@nestack/cinder/domain';
import { timeOf } from './views';

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

  /** An unencrypted type has an empty encryption. upstream: cinder/api/contrib/volume_type_encryption.py */
  @Handles(showTypeEncryption)
  async encryption(request: ApiRequest): Promise<Record<string, unknown>> {
    const found = await this.types.encryption(id(request));
    if (found === null) return {};
    return {
      ...found,
      created_at: timeOf(found.created_at),
      updated_at: timeOf(found.updated_at),
      deleted: false,
      deleted_at: null,
    };
  }

  @Handles(showTypeEncryptionItem)
  async encryptionItem(request: ApiRequest) {
    const found = await this.encryption(request);
    const key = request.params['key'] ?? '';
    if (!Object.hasOwn(found, key)) throw CinderError.VolumeTypeEncryptionNotFound({ type_id: id(request) });
    return { [key]: found[key] };
  }

  @Handles(createTypeEncryption)
  async createEncryption(request: RequestOf<typeof createTypeEncryption>) {
    const { encryption } = request.body;
    await this.types.setEncryption(id(request), encryptionOf(encryption), 'create');
    // Upstream answers with what it has kept: the type's id and the encryption's own beside what was sent.
    const { volume_type_id, encryption_id } = await this.encryption(request);
    return { encryption: { ...encryption, ...keySize(encryption.key_size), volume_type_id, encryption_id } };
  }

  @Handles(updateTypeEncryption)
  async updateEncryption(request: RequestOf<typeof updateTypeEncryption>) {
    const { encryption } = request.body;
    await this.types.setEncryption(id(request), encryptionOf(encryption), 'update');
    return { encryption: { ...encryption, ...keySize(encryption.key_size) } };
  }

  @Handles(deleteTypeEncryption)
  async removeEncryption(request: ApiRequest): Promise<null> {
    await this.types.removeEncryption(id(request));
    return null;
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

type EncryptionBody = {
  readonly provider?: string;
  readonly control_location?: string;
  readonly cipher?: string | null;
  readonly key_size?: string | number | null;
};

function encryptionOf(body: EncryptionBody): Partial<EncryptionFields> {
  const { provider, control_location, cipher } = body;
  return {
    ...(provider === undefined ? {} : { provider }),
    ...(control_location === undefined ? {} : { control_location }),
    ...(cipher === undefined ? {} : { cipher }),
    ...keySize(body.key_size),
  };
}

/** Bits, as a number whichever way they were sent. */
function keySize(size: string | number | null | undefined): { key_size?: number | null } {
  if (size === undefined) return {};
  const bits = size === null ? null : Number(size);
  if (bits !== null && bits > 0x7fff_ffff)
    throw CinderError.InvalidInput({ reason: 'key_size must be an integer of at most 2147483647.' });
  return { key_size: bits };
}
