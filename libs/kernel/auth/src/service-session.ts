import { Agent, request, type Dispatcher } from 'undici';
import { DomainError } from '@nestack/kernel/errors';

/** Who a service is at the other services: the `auth` section of its configuration. */
export interface ServiceCredentials {
  /** Keystone's base URL with its version, e.g. `http://127.0.0.1:5000/v3`. */
  readonly keystone_url: string;
  readonly username: string;
  readonly password: string;
  readonly project_name?: string | undefined;
  readonly user_domain_id?: string | undefined;
  readonly project_domain_id?: string | undefined;
  readonly region?: string | undefined;
}

interface CatalogEntry {
  readonly type: string;
  readonly endpoints: readonly {
    readonly interface: string;
    readonly url: string;
    readonly region_id?: string;
    readonly region?: string;
  }[];
}

interface Session {
  readonly token: string;
  readonly expiresAt: number;
  readonly catalog: readonly CatalogEntry[];
}

/** A token is renewed this long before it ends, so that no request leaves with one that ends on its way. */
const RENEW_BEFORE_MS = 120_000;

/** Official type and its older names, in the order in which a catalogue is searched. upstream: os-service-types. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  'block-storage': ['block-storage', 'volumev3', 'volume'],
  volumev3: ['volumev3', 'block-storage', 'volume'],
  volume: ['block-storage', 'volumev3', 'volume'],
};

/** A service's own login at keystone: token and catalogue, fetched once, shared by all its calls, renewed in time. */
export class ServiceSession {
  readonly #dispatcher: Dispatcher;
  #session: Session | null = null;
  #login: Promise<Session> | null = null;

  constructor(
    readonly credentials: ServiceCredentials,
    /** Sub-service name, told to keystone for its traces. */
    readonly service: string,
    dispatcher?: Dispatcher,
  ) {
    this.#dispatcher = dispatcher ?? new Agent({ connections: 4, keepAliveTimeout: 60_000 });
  }

  /** A valid token. Throws `unavailable` when keystone cannot be reached or refuses the service user. */
  async token(): Promise<string> {
    return (await this.#current()).token;
  }

  /** Forgets a token that was refused (keystone was reset, the password changed); the next call logs in again. */
  invalidate(token: string): void {
    if (this.#session?.token === token) this.#session = null;
  }

  /** A service's URL from the catalogue (internal interface, else public), without a trailing slash. */
  async endpoint(type: string): Promise<string> {
    let session = await this.#current();
    let url = this.#find(session.catalog, type);
    if (url === null) {
      // Endpoints may have been registered since this token was made.
      this.invalidate(session.token);
      session = await this.#current();
      url = this.#find(session.catalog, type);
    }
    if (url === null) {
      throw new DomainError({
        kind: 'unavailable',
        code: 'EndpointNotFound',
        message: `The catalogue has no ${type} endpoint.`,
      });
    }
    return url.replace(/\/+$/, '');
  }

  #find(catalog: readonly CatalogEntry[], type: string): string | null {
    for (const name of ALIASES[type] ?? [type]) {
      const endpoints = catalog.filter((entry) => entry.type === name).flatMap((entry) => entry.endpoints);
      const region = this.credentials.region;
      const near =
        region === undefined ? endpoints : endpoints.filter((one) => (one.region_id ?? one.region) === region);
      const found = near.find((one) => one.interface === 'internal') ?? near.find((one) => one.interface === 'public');
      if (found !== undefined) return found.url;
    }
    return null;
  }

  async #current(): Promise<Session> {
    if (this.#session !== null && this.#session.expiresAt - RENEW_BEFORE_MS > Date.now()) return this.#session;
    this.#login ??= this.#authenticate().finally(() => (this.#login = null));
    return this.#login;
  }

  async #authenticate(): Promise<Session> {
    const c = this.credentials;
    const body = {
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: c.username, password: c.password, domain: { id: c.user_domain_id ?? 'default' } } },
        },
        scope: { project: { name: c.project_name ?? 'service', domain: { id: c.project_domain_id ?? 'default' } } },
      },
    };
    let status: number;
    let token: string | undefined;
    let answer: unknown;
    try {
      const response = await request(`${c.keystone_url.replace(/\/+$/, '')}/auth/tokens`, {
        dispatcher: this.#dispatcher,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-nestack-service': this.service },
        body: JSON.stringify(body),
        headersTimeout: 15_000,
        bodyTimeout: 15_000,
      });
      status = response.statusCode;
      const header = response.headers['x-subject-token'];
      token = Array.isArray(header) ? header[0] : header;
      answer = await response.body.json().catch(() => null);
    } catch (error) {
      throw new DomainError({
        kind: 'unavailable',
        code: 'KeystoneUnavailable',
        message: 'The identity service cannot be reached.',
        cause: error,
      });
    }
    const claims = (answer as { token?: { expires_at?: string; catalog?: readonly CatalogEntry[] } } | null)?.token;
    if (status !== 201 || token === undefined || claims === undefined) {
      throw new DomainError({
        kind: 'unavailable',
        code: 'ServiceLoginRefused',
        message: 'The identity service refused this service.',
        detail: `user ${c.username}: status ${String(status)}`,
      });
    }
    const session = { token, expiresAt: Date.parse(claims.expires_at ?? ''), catalog: claims.catalog ?? [] };
    this.#session = session;
    return session;
  }
}
