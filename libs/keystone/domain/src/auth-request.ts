interface DomainRequest {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}

/** A user or project by id, or by name within a domain. */
export interface NamedRequest {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly domain?: DomainRequest | undefined;
}

export interface Proofs {
  readonly methods: readonly string[];
  readonly password?: { readonly user: NamedRequest & { readonly password?: string | undefined } } | undefined;
  readonly token?: { readonly id: string } | undefined;
  /** The proof is the request's signature. */
  readonly oauth1?: object | undefined;
  readonly application_credential?:
    | {
        readonly id?: string | undefined;
        readonly name?: string | undefined;
        readonly secret: string;
        readonly user?: NamedRequest | undefined;
      }
    | undefined;
}

export interface ScopeRequest {
  readonly project?: NamedRequest | undefined;
  readonly domain?: DomainRequest | undefined;
  readonly system?: { readonly all?: boolean | undefined } | undefined;
  readonly unscoped?: object | undefined;
  readonly 'OS-TRUST:trust'?: { readonly id?: string | undefined } | undefined;
}

/** The body's `auth` object. */
export interface AuthRequest {
  readonly identity: Proofs;
  /** The word `unscoped` is a form of its own. */
  readonly scope?: string | ScopeRequest | undefined;
}

/** A domain reference without undefined keys, for lookups; null when neither id nor name is given. */
export function domainRef(domain: DomainRequest | undefined): { id?: string; name?: string } | null {
  if (domain?.id !== undefined) return { id: domain.id };
  return domain?.name === undefined ? null : { name: domain.name };
}
