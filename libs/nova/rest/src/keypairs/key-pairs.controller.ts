import { Inject, Injectable } from '@nestjs/common';
import { isoMicros } from '@nestack/kernel/clock';
import { ApiReply, Handles, nextLinks, parsePage, type ApiRequest } from '@nestack/kernel/http';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import { createKeyPair, deleteKeyPair, listKeyPairs, showKeyPair } from '@nestack/nova/contract';
import { KeyPairs, type KeyPair } from '@nestack/nova/domain';

function brief(pair: KeyPair, request: ApiRequest) {
  return {
    name: pair.name,
    public_key: pair.public_key,
    fingerprint: pair.fingerprint,
    ...(request.version.atLeast('2.2') ? { type: pair.type } : {}),
  };
}

/** `/os-keypairs` */
@Injectable()
export class KeyPairsController {
  constructor(
    @Inject(KeyPairs) private readonly keyPairs: KeyPairs,
    @Inject(POLICY) private readonly policy: PolicyEnforcer,
  ) {}

  @Handles(listKeyPairs)
  async list(request: ApiRequest) {
    const paged = request.version.atLeast('2.35');
    const page = paged ? parsePage(request.rawQuery, { max: 1000 }) : { limit: 1000, marker: null };
    const pairs = await this.keyPairs.list(this.owner(request, 'index'), {
      limit: page.limit,
      ...(page.marker === null ? {} : { marker: page.marker }),
    });
    const links = paged
      ? nextLinks(request, '/os-keypairs', { count: pairs.length, limit: page.limit, lastId: pairs.at(-1)?.name })
      : [];
    return {
      keypairs: pairs.map((pair) => ({ keypair: brief(pair, request) })),
      ...(links.length === 0 ? {} : { keypairs_links: links }),
    };
  }

  @Handles(createKeyPair)
  async create(request: ApiRequest) {
    const { keypair } = request.body as {
      keypair: { name: string; public_key?: string; type?: 'ssh' | 'x509'; user_id?: string };
    };
    const userId = this.owner(request, 'create', keypair.user_id);
    const { keyPair, privateKey } = await this.keyPairs.create(request.ctx, userId, {
      name: keypair.name.trim(),
      type: keypair.type ?? 'ssh',
      publicKey: keypair.public_key ?? null,
    });
    return new ApiReply(
      {
        keypair: {
          ...brief(keyPair, request),
          user_id: keyPair.user_id,
          ...(privateKey === null ? {} : { private_key: privateKey }),
        },
      },
      { status: request.version.atLeast('2.2') ? 201 : 200 },
    );
  }

  @Handles(showKeyPair)
  async show(request: ApiRequest) {
    const pair = await this.keyPairs.show(this.owner(request, 'show'), request.params['keypair_name'] ?? '');
    return {
      keypair: {
        ...brief(pair, request),
        user_id: pair.user_id,
        id: pair.id,
        created_at: isoMicros(pair.created_at),
        deleted: false,
        deleted_at: null,
        updated_at: null,
      },
    };
  }

  @Handles(deleteKeyPair)
  async delete(request: ApiRequest) {
    await this.keyPairs.delete(this.owner(request, 'delete'), request.params['keypair_name'] ?? '');
    return new ApiReply(null, { status: request.version.atLeast('2.2') ? 204 : 202 });
  }

  /** Administrators may name another user from 2.10 on. */
  private owner(request: ApiRequest, action: string, named = request.rawQuery.get('user_id') ?? undefined): string {
    const self = request.ctx.actor?.userId ?? '';
    if (named === undefined || named === '' || !request.version.atLeast('2.10')) return self;
    this.policy.enforce(request.ctx, `os_compute_api:os-keypairs:${action}`, { user_id: named });
    return named;
  }
}
