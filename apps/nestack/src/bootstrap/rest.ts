import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request, type Dispatcher } from 'undici';

export class RestError extends Error {
  constructor(
    readonly status: number,
    method: string,
    url: string,
    body: string,
  ) {
    super(`${method} ${url}: ${status} ${body.slice(0, 500)}`);
    this.name = 'RestError';
  }
}

export interface Login {
  readonly authUrl: string;
  readonly username: string;
  readonly password: string;
  readonly project: string;
  /** Which of the catalogue's URLs are used (default: public). */
  readonly face?: 'public' | 'internal';
}

interface CatalogEntry {
  readonly type: string;
  readonly endpoints: readonly { readonly interface: string; readonly url: string }[];
}

export type Body = Readonly<Record<string, unknown>>;

export interface RestAnswer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly text: string;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly stream?: AsyncIterable<Uint8Array>;
  /** Statuses that are no error besides 2xx. */
  readonly accept?: readonly number[];
}

/** A plain client of the cloud's public APIs, as a project's user; renews its token when it is refused. */
export class Rest {
  readonly agent: Agent;
  #token = '';
  #catalog: readonly CatalogEntry[] = [];
  projectId = '';
  userId = '';

  constructor(
    private readonly who: Login,
    connections = 16,
  ) {
    this.agent = new Agent({ connections, keepAliveTimeout: 30_000, headersTimeout: 120_000, bodyTimeout: 0 });
  }

  get token(): string {
    return this.#token;
  }

  /** Gets a token and the catalogue. */
  async login(): Promise<void> {
    const domain = { id: 'default' };
    const answer = await this.send('POST', `${this.who.authUrl}/auth/tokens`, {
      body: {
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: this.who.username, password: this.who.password, domain } },
          },
          scope: { project: { name: this.who.project, domain } },
        },
      },
    });
    this.#token = String(answer.headers['x-subject-token']);
    const { token } = JSON.parse(answer.text) as {
      token: { catalog?: readonly CatalogEntry[]; project: { id: string }; user: { id: string } };
    };
    this.#catalog = token.catalog ?? [];
    this.projectId = token.project.id;
    this.userId = token.user.id;
  }

  /** A service's URL without a slash at its end. */
  endpoint(type: string): string {
    const endpoints = this.#catalog.find((entry) => entry.type === type)?.endpoints ?? [];
    const url = endpoints.find((endpoint) => endpoint.interface === (this.who.face ?? 'public'))?.url;
    if (url === undefined) throw new Error(`the catalogue has no ${type} service`);
    return url.replace(/\/+$/, '');
  }

  async get<T = Body>(url: string): Promise<T> {
    return JSON.parse((await this.call('GET', url)).text) as T;
  }

  async post<T = Body>(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<T> {
    const answer = await this.call('POST', url, { body, headers });
    return (answer.text === '' ? {} : JSON.parse(answer.text)) as T;
  }

  /** One request as the logged-in user. */
  async call(method: Dispatcher.HttpMethod, url: string, options: CallOptions = {}): Promise<RestAnswer> {
    const signed = (): CallOptions => ({ ...options, headers: { 'x-auth-token': this.#token, ...options.headers } });
    try {
      return await this.send(method, url, signed());
    } catch (error) {
      if (!(error instanceof RestError) || error.status !== 401 || options.stream !== undefined) throw error;
      await this.login();
      return this.send(method, url, signed());
    }
  }

  async send(method: Dispatcher.HttpMethod, url: string, options: CallOptions = {}): Promise<RestAnswer> {
    const json = options.body === undefined ? null : JSON.stringify(options.body);
    const response = await request(url, {
      dispatcher: this.agent,
      method,
      headers: {
        accept: 'application/json',
        ...(json === null ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      body: (options.stream as Dispatcher.DispatchOptions['body']) ?? json,
    });
    const text = await response.body.text();
    const good = response.statusCode < 300 || options.accept?.includes(response.statusCode) === true;
    if (!good) throw new RestError(response.statusCode, method, url, text);
    return { status: response.statusCode, headers: response.headers, text };
  }

  /** The bytes behind a URL, whole: for small ones. */
  async download(url: string): Promise<Buffer> {
    const headers = { 'x-auth-token': this.#token };
    const response = await request(url, { dispatcher: this.agent, headers });
    const bytes = Buffer.from(await response.body.arrayBuffer());
    if (response.statusCode >= 300) throw new RestError(response.statusCode, 'GET', url, bytes.toString());
    return bytes;
  }

  close(): Promise<void> {
    return this.agent.close();
  }
}

/** Tries again while a service refuses connections or answers that it is not ready. */
export async function patiently<T>(fn: () => Promise<T>, timeoutMs: number): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await fn();
    } catch (error) {
      const notReady = !(error instanceof RestError) || error.status >= 500;
      if (!notReady || Date.now() > end) throw error;
      await delay(100);
    }
  }
}
