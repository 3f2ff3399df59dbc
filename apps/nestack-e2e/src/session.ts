interface Login {
  readonly authUrl: string;
  readonly user: string;
  readonly password: string;
  readonly project: string;
}

export interface Reply<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
  readonly text: string;
}

export interface Send {
  readonly body?: unknown;
  readonly raw?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Null sends none. */
  readonly token?: string | null;
}

interface TokenBody {
  readonly token: {
    readonly project: { readonly id: string };
    readonly user: { readonly id: string };
    readonly catalog: readonly {
      readonly type: string;
      readonly endpoints: readonly { readonly interface: string; readonly url: string }[];
    }[];
  };
}

/** A user's token and catalogue: requests as no client would send them, and looks without a client in between. */
export class Session {
  constructor(
    readonly token: string,
    private readonly of: TokenBody['token'],
  ) {}

  get projectId(): string {
    return this.of.project.id;
  }

  get userId(): string {
    return this.of.user.id;
  }

  /** The public URL of a service type, without a slash at its end. */
  endpoint(type: string): string {
    const found = this.of.catalog.find((entry) => entry.type === type)?.endpoints;
    const url = found?.find((endpoint) => endpoint.interface === 'public')?.url;
    if (url === undefined) throw new Error(`no ${type} in the catalogue`);
    return url.replace(/\/+$/, '');
  }

  /** One request; any status is an answer. */
  async send<T = Record<string, unknown>>(method: string, url: string, send: Send = {}): Promise<Reply<T>> {
    const token = send.token === undefined ? this.token : send.token;
    const response = await fetch(url, {
      method,
      headers: {
        accept: 'application/json',
        ...(token === null ? {} : { 'x-auth-token': token }),
        ...(send.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...send.headers,
      },
      body: send.body === undefined ? ((send.raw ?? null) as string | null) : JSON.stringify(send.body),
    });
    const text = await response.text();
    let body: unknown = {};
    try {
      body = text === '' ? {} : JSON.parse(text);
    } catch {
      // No JSON: the text tells.
      body = {};
    }
    return { status: response.status, headers: response.headers, body: body as T, text };
  }

  /** A request that must succeed. */
  async ask<T = Record<string, unknown>>(method: string, url: string, body?: unknown): Promise<T> {
    const reply = await this.send<T>(method, url, body === undefined ? {} : { body });
    if (reply.status >= 300) throw new Error(`${method} ${url}: ${reply.status} ${reply.text.slice(0, 500)}`);
    return reply.body;
  }

  get<T = Record<string, unknown>>(url: string): Promise<T> {
    return this.ask<T>('GET', url);
  }
}

/** Logs in with a password. */
export async function connectSession(login: Login): Promise<Session> {
  const domain = { id: 'default' };
  const response = await fetch(`${login.authUrl}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: login.user, password: login.password, domain } },
        },
        scope: { project: { name: login.project, domain } },
      },
    }),
  });
  if (response.status !== 201) throw new Error(`login failed: ${response.status} ${await response.text()}`);
  const { token } = (await response.json()) as TokenBody;
  return new Session(response.headers.get('x-subject-token') ?? '', token);
}
