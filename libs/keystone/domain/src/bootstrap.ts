import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import { SYSTEM, type Assignment, type Project, type Role, type User } from './model';
import type { PasswordHasher, Stores } from './ports';

/** What a new cloud begins with. upstream: keystone-manage bootstrap */
export interface BootstrapSettings {
  readonly username: string;
  readonly password: string;
  readonly project_name: string;
  readonly region_id: string;
  /** Where clients, other services and administrators reach keystone; without them nothing is registered. */
  readonly urls: { readonly public: string; readonly internal: string; readonly admin: string } | null;
}

const DEFAULT_DOMAIN = 'default';
/** Each role implies the next. upstream: keystone/cmd/bootstrap.py */
const LADDER = ['admin', 'manager', 'member', 'reader'] as const;

/**
 * Brings a cloud's first domain, roles, administrator and endpoints into being, or up to the settings: run again it
 * changes only what differs. Returns what it changed.
 */
export async function bootstrapKeystone(
  _ctx: RequestContext,
  parts: { readonly db: TransactionRunner; readonly stores: Stores; readonly hasher: PasswordHasher },
  settings: BootstrapSettings,
): Promise<string[]> {
  const { db, stores, hasher } = parts;
  // Hashing is slow and does not belong into a transaction.
  const known = await db.read('bootstrap.user', (tx) =>
    stores.users.byName(tx, settings.username, { id: DEFAULT_DOMAIN }),
  );
  const same = known !== null && (await hasher.verify(known.user.password_hash, settings.password));
  const hash = same ? null : await hasher.hash(settings.password);
  return db.run('bootstrap', async (tx) => {
    await stores.lockBootstrap(tx);
    const b = new Bootstrap(tx, stores);
    await b.domain();
    const roles = await b.roles();
    const admin = roles.get('admin')?.id ?? '';
    const project = await b.project(settings.project_name, 'Bootstrap project for initializing the cloud.');
    const user = await b.user(settings.username, hash);
    await b.assign(user, 'project', project.id, admin);
    await b.assign(user, 'system', SYSTEM, admin);
    if (settings.urls !== null) await b.endpoints(settings.region_id, settings.urls);
    return b.changes;
  });
}

class Bootstrap {
  readonly changes: string[] = [];

  constructor(
    private readonly tx: Tx,
    private readonly stores: Stores,
  ) {}

  async domain(): Promise<void> {
    if ((await this.stores.projects.find(this.tx, DEFAULT_DOMAIN)) !== null) return;
    await this.stores.projects.insert(this.tx, {
      id: DEFAULT_DOMAIN,
      name: 'Default',
      domain_id: null,
      parent_id: null,
      is_domain: true,
      enabled: true,
      description: 'The default domain',
      tags: [],
      options: {},
      extra: {},
    });
    this.changes.push('domain Default');
  }

  async roles(): Promise<Map<string, Role>> {
    const roles = new Map<string, Role>();
    const found = await this.stores.roles.list(this.tx, [{ field: 'domain_id', op: 'eq', value: null }]);
    for (const role of found) roles.set(role.name, role);
    for (const name of [...LADDER, 'service']) {
      if (roles.has(name)) continue;
      const role = await this.stores.roles.insert(this.tx, {
        id: newHexId(),
        name,
        domain_id: null,
        description: null,
        options: { immutable: true },
        extra: {},
      });
      roles.set(name, role);
      this.changes.push(`role ${name}`);
    }
    for (const [index, name] of LADDER.entries()) {
      const prior = roles.get(name);
      const implied = roles.get(LADDER[index + 1] ?? '');
      if (prior !== undefined && implied !== undefined) {
        await this.stores.assignments.addImplied(this.tx, prior.id, implied.id);
      }
    }
    return roles;
  }

  async project(name: string, description: string): Promise<Project> {
    const found = await this.stores.projects.byName(this.tx, name, { id: DEFAULT_DOMAIN });
    if (found !== null) return found.project;
    this.changes.push(`project ${name}`);
    return this.stores.projects.insert(this.tx, {
      id: newHexId(),
      name,
      domain_id: DEFAULT_DOMAIN,
      parent_id: DEFAULT_DOMAIN,
      is_domain: false,
      enabled: true,
      description,
      tags: [],
      options: {},
      extra: {},
    });
  }

  /** A hash is given when the password is new. */
  async user(name: string, hash: string | null): Promise<User> {
    const found = await this.stores.users.byName(this.tx, name, { id: DEFAULT_DOMAIN });
    if (found !== null) {
      if (hash === null) return found.user;
      this.changes.push(`password of ${name}`);
      const fields = { password_hash: hash, enabled: true };
      return (await this.stores.users.update(this.tx, found.user.id, fields)) ?? found.user;
    }
    this.changes.push(`user ${name}`);
    return this.stores.users.insert(this.tx, {
      id: newHexId(),
      name,
      domain_id: DEFAULT_DOMAIN,
      enabled: true,
      default_project_id: null,
      description: null,
      password_hash: hash,
      password_expires_at: null,
      options: {},
      extra: {},
    });
  }

  async assign(user: User, type: Assignment['target_type'], target: string, role: string): Promise<void> {
    const added = await this.stores.assignments.add(this.tx, {
      actor_type: 'user',
      actor_id: user.id,
      target_type: type,
      target_id: target,
      role_id: role,
      inherited: false,
    });
    if (added) this.changes.push(`role of ${user.name} on the ${type}`);
  }

  async endpoints(region: string, urls: Readonly<Record<string, string>>): Promise<void> {
    if ((await this.stores.regions.find(this.tx, region)) === null) {
      await this.stores.regions.insert(this.tx, { id: region, description: '', parent_region_id: null, extra: {} });
    }
    const [known] = await this.stores.services.list(this.tx, [{ field: 'type', op: 'eq', value: 'identity' }]);
    const service =
      known ??
      (await this.stores.services.insert(this.tx, {
        id: newHexId(),
        type: 'identity',
        name: 'keystone',
        description: 'Identity',
        enabled: true,
        extra: {},
      }));
    const existing = await this.stores.endpoints.list(this.tx, [
      { field: 'service_id', op: 'eq', value: service.id },
      { field: 'region_id', op: 'eq', value: region },
    ]);
    for (const [face, url] of Object.entries(urls)) {
      const before = existing.find((one) => one.interface === face);
      if (before?.url === url) continue;
      this.changes.push(`${face} endpoint ${url}`);
      if (before !== undefined) {
        await this.stores.endpoints.update(this.tx, before.id, { url });
        continue;
      }
      await this.stores.endpoints.insert(this.tx, {
        id: newHexId(),
        service_id: service.id,
        interface: face,
        region_id: region,
        url,
        enabled: true,
        extra: {},
      });
    }
  }
}
