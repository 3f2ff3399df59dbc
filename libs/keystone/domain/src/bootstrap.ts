import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import { newHexId } from '@nestack/kernel/ids';
import { SYSTEM, type Assignment, type Project, type Role, type User } from './model';
import type { PasswordHasher, Stores } from './ports';

/** What a new cloud begins with. */
export interface BootstrapSettings {
  readonly admin_password: string;
  readonly region: string;
  /** Users that services log in as; each gets the roles admin and service on the project `service`. */
  readonly service_users: readonly { readonly name: string; readonly password: string }[];
  readonly services: readonly {
    readonly type: string;
    readonly name: string;
    readonly public: string;
    readonly internal?: string | undefined;
    readonly admin?: string | undefined;
  }[];
  readonly demo?: { readonly project: string; readonly user: string; readonly password: string } | undefined;
}

const DEFAULT_DOMAIN = 'default';
/** Each role implies the next. upstream: keystone/cmd/bootstrap.py */
const LADDER = ['admin', 'manager', 'member', 'reader'] as const;

/**
 * Brings a cloud's first domain, roles, users and catalogue into being, or up to the settings: run again it changes only what
 * differs (passwords, URLs). Returns what it changed.
 */
export async function bootstrapKeystone(
  _ctx: RequestContext,
  parts: { readonly db: TransactionRunner; readonly stores: Stores; readonly hasher: PasswordHasher },
  settings: BootstrapSettings,
): Promise<string[]> {
  const { db, stores, hasher } = parts;
  const hashes = await passwordChanges(parts, settings);
  return db.run('bootstrap', async (tx) => {
    const changes: string[] = [];
    await stores.lockBootstrap(tx);
    const b = new Bootstrap(tx, stores, hashes, changes);
    await b.domain();
    const roles = await b.roles();
    const role = (name: string): string => roles.get(name)?.id ?? '';
    const adminProject = await b.project('admin', 'Bootstrap project for initializing the cloud.');
    const serviceProject = await b.project('service', 'Users of the services.');
    const admin = await b.user('admin');
    await b.assign(admin, 'project', adminProject.id, role('admin'));
    await b.assign(admin, 'system', SYSTEM, role('admin'));
    for (const one of settings.service_users) {
      const user = await b.user(one.name);
      await b.assign(user, 'project', serviceProject.id, role('admin'));
      await b.assign(user, 'project', serviceProject.id, role('service'));
    }
    if (settings.demo !== undefined) {
      const project = await b.project(settings.demo.project, 'First project for users.');
      await b.assign(await b.user(settings.demo.user), 'project', project.id, role('member'));
      await b.assign(admin, 'project', project.id, role('admin'));
    }
    await b.catalog(settings);
    return changes;
  });

  /** Hashes of the passwords that are new or differ; hashing is slow and does not belong into a transaction. */
  async function passwordChanges(
    _parts: { readonly hasher: PasswordHasher },
    wanted: BootstrapSettings,
  ): Promise<Map<string, string>> {
    const pairs = [
      { name: 'admin', password: wanted.admin_password },
      ...wanted.service_users,
      ...(wanted.demo === undefined ? [] : [{ name: wanted.demo.user, password: wanted.demo.password }]),
    ];
    const result = new Map<string, string>();
    await Promise.all(
      pairs.map(async ({ name, password }) => {
        const found = await db.read('bootstrap.user', (tx) => stores.users.byName(tx, name, { id: DEFAULT_DOMAIN }));
        const hash = found?.user.password_hash ?? null;
        if (hash !== null && (await hasher.verify(hash, password))) return;
        result.set(name, await hasher.hash(password));
      }),
    );
    return result;
  }
}

class Bootstrap {
  constructor(
    private readonly tx: Tx,
    private readonly stores: Stores,
    private readonly hashes: ReadonlyMap<string, string>,
    private readonly changes: string[],
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
    for (const role of await this.stores.roles.list(this.tx, [{ field: 'domain_id', op: 'eq', value: null }]))
      roles.set(role.name, role);
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
      if (prior !== undefined && implied !== undefined)
        await this.stores.assignments.addImplied(this.tx, prior.id, implied.id);
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

  async user(name: string): Promise<User> {
    const found = await this.stores.users.byName(this.tx, name, { id: DEFAULT_DOMAIN });
    const hash = this.hashes.get(name);
    if (found !== null) {
      if (hash === undefined) return found.user;
      this.changes.push(`password of ${name}`);
      return (await this.stores.users.update(this.tx, found.user.id, { password_hash: hash })) ?? found.user;
    }
    this.changes.push(`user ${name}`);
    return this.stores.users.insert(this.tx, {
      id: newHexId(),
      name,
      domain_id: DEFAULT_DOMAIN,
      enabled: true,
      default_project_id: null,
      description: null,
      password_hash: hash ?? null,
      password_expires_at: null,
      options: {},
      extra: {},
    });
  }

  async assign(user: User, type: Assignment['target_type'], target: string, role: string): Promise<void> {
    await this.stores.assignments.add(this.tx, {
      actor_type: 'user',
      actor_id: user.id,
      target_type: type,
      target_id: target,
      role_id: role,
      inherited: false,
    });
  }

  async catalog(settings: BootstrapSettings): Promise<void> {
    if ((await this.stores.regions.find(this.tx, settings.region)) === null) {
      await this.stores.regions.insert(this.tx, {
        id: settings.region,
        description: '',
        parent_region_id: null,
        extra: {},
      });
    }
    const services = await this.stores.services.list(this.tx);
    const endpoints = await this.stores.endpoints.list(this.tx);
    for (const wanted of settings.services) {
      let service = services.find((one) => one.type === wanted.type && one.name === wanted.name);
      if (service === undefined) {
        service = await this.stores.services.insert(this.tx, {
          id: newHexId(),
          type: wanted.type,
          name: wanted.name,
          description: null,
          enabled: true,
          extra: {},
        });
        this.changes.push(`service ${wanted.name} (${wanted.type})`);
      }
      const urls = {
        public: wanted.public,
        internal: wanted.internal ?? wanted.public,
        admin: wanted.admin ?? wanted.public,
      };
      for (const [side, url] of Object.entries(urls)) {
        const owner = service.id;
        const existing = endpoints.find(
          (one) => one.service_id === owner && one.interface === side && one.region_id === settings.region,
        );
        if (existing === undefined) {
          await this.stores.endpoints.insert(this.tx, {
            id: newHexId(),
            service_id: owner,
            interface: side,
            region_id: settings.region,
            url,
            enabled: true,
            extra: {},
          });
        } else if (existing.url !== url) {
          await this.stores.endpoints.update(this.tx, existing.id, { url });
          this.changes.push(`${side} endpoint of ${wanted.name}`);
        }
      }
    }
  }
}
