import { KeystoneError } from '@nestack/keystone/contract';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import { accessOf, idOfAccess } from './ec2';
import type { Credential, Endpoint, Region, Service } from './model';
import type { Stores, Vault } from './ports';
import { Shelf } from './shelf';

/** Services of the catalogue; deleting one takes its endpoints along. */
export class Services extends Shelf<Service> {
  constructor(db: TransactionRunner, stores: Stores) {
    super(db, stores.services, 'services', (id) => KeystoneError.ServiceNotFound({ service_id: id }));
  }

  create(_ctx: RequestContext, fields: Omit<Service, 'id'>): Promise<Service> {
    return this.db.run('services.create', (tx) => this.store.insert(tx, { ...fields, id: newHexId() }));
  }

  update(_ctx: RequestContext, id: string, fields: Partial<Omit<Service, 'id'>>): Promise<Service> {
    return this.db.run('services.update', (tx) => this.change(tx, id, fields));
  }
}

/** Endpoints of services; a region that is not there yet is made. upstream: keystone/api/endpoints.py */
export class Endpoints extends Shelf<Endpoint> {
  constructor(
    db: TransactionRunner,
    private readonly stores: Stores,
  ) {
    super(db, stores.endpoints, 'endpoints', (id) => KeystoneError.EndpointNotFound({ endpoint_id: id }));
  }

  create(_ctx: RequestContext, fields: Omit<Endpoint, 'id'>, makeRegion: boolean): Promise<Endpoint> {
    return this.db.run('endpoints.create', async (tx) => {
      await this.check(tx, fields, makeRegion);
      return this.store.insert(tx, { ...fields, id: newHexId() });
    });
  }

  update(
    _ctx: RequestContext,
    id: string,
    fields: Partial<Omit<Endpoint, 'id'>>,
    makeRegion: boolean,
  ): Promise<Endpoint> {
    return this.db.run('endpoints.update', async (tx) => {
      await this.check(tx, fields, makeRegion);
      return this.change(tx, id, fields);
    });
  }

  private async check(tx: Tx, fields: Partial<Omit<Endpoint, 'id'>>, makeRegion: boolean): Promise<void> {
    if (fields.service_id !== undefined && (await this.stores.services.find(tx, fields.service_id)) === null) {
      throw KeystoneError.InvalidInput({ reason: `Could not find service: ${fields.service_id}.` });
    }
    const region = fields.region_id ?? null;
    if (region === null || (await this.stores.regions.find(tx, region)) !== null) return;
    if (!makeRegion) throw KeystoneError.InvalidInput({ reason: `Could not find region: ${region}.` });
    await this.stores.regions.insert(tx, { id: region, description: '', parent_region_id: null, extra: {} });
  }
}

export class Regions extends Shelf<Region> {
  constructor(
    db: TransactionRunner,
    private readonly stores: Stores,
  ) {
    super(db, stores.regions, 'regions', (id) => KeystoneError.RegionNotFound({ region_id: id }));
  }

  create(_ctx: RequestContext, fields: Omit<Region, 'id'> & { readonly id: string | null }): Promise<Region> {
    return this.db.run('regions.create', async (tx) => {
      if (fields.parent_region_id !== null) await this.require(tx, fields.parent_region_id);
      return this.store.insert(tx, { ...fields, id: fields.id ?? newHexId() });
    });
  }

  update(_ctx: RequestContext, id: string, fields: Partial<Omit<Region, 'id'>>): Promise<Region> {
    return this.db.run('regions.update', async (tx) => {
      if (fields.parent_region_id !== undefined && fields.parent_region_id !== null)
        await this.require(tx, fields.parent_region_id);
      return this.change(tx, id, fields);
    });
  }

  /** A region with endpoints or regions in it stays. */
  override async remove(_ctx: RequestContext, id: string): Promise<void> {
    await this.db.run('regions.remove', async (tx) => {
      await this.require(tx, id, { lock: true });
      const endpoints = await this.stores.endpoints.list(tx, [{ field: 'region_id', op: 'eq', value: id }]);
      const regions = await this.store.list(tx, [{ field: 'parent_region_id', op: 'eq', value: id }]);
      if (endpoints.length + regions.length > 0) {
        throw KeystoneError.Forbidden({
          reason: `Unable to delete region ${id} because it or its child regions have associated endpoints.`,
        });
      }
      await this.store.remove(tx, id);
    });
  }
}

/** Credentials of users for other systems (EC2, TOTP seeds): sealed at rest. */
export class Credentials extends Shelf<Credential> {
  constructor(
    db: TransactionRunner,
    private readonly stores: Stores,
    private readonly vault: Vault,
  ) {
    super(db, stores.credentials, 'credentials', (id) => KeystoneError.CredentialNotFound({ credential_id: id }));
  }

  create(_ctx: RequestContext, fields: Omit<Credential, 'id'>): Promise<Credential> {
    return this.db.run('credentials.create', async (tx) => {
      await this.requireUser(tx, fields.user_id);
      const ec2 = fields.type === 'ec2';
      if (ec2 && fields.project_id === null) {
        throw KeystoneError.ValidationError({ attribute: 'project_id', target: 'credential' });
      }
      const id = ec2 ? idOfAccess(accessOf(fields.blob)) : newHexId();
      return this.store.insert(tx, { ...fields, blob: this.vault.seal(fields.blob), id });
    });
  }

  update(_ctx: RequestContext, id: string, fields: Partial<Omit<Credential, 'id'>>): Promise<Credential> {
    const sealed = fields.blob === undefined ? fields : { ...fields, blob: this.vault.seal(fields.blob) };
    return this.db.run('credentials.update', async (tx) => {
      if (fields.user_id !== undefined) await this.requireUser(tx, fields.user_id);
      return this.change(tx, id, sealed);
    });
  }

  private async requireUser(tx: Tx, id: string): Promise<void> {
    if ((await this.stores.users.find(tx, id)) === null) throw KeystoneError.UserNotFound({ user_id: id });
  }

  /** The secret in clear, for its owner. */
  reveal(credential: Credential): Credential {
    return { ...credential, blob: this.vault.open(credential.blob) };
  }
}
