/** A name and an id, as in a token's body. */
export interface NamedRef {
  readonly id: string;
  readonly name: string;
}

/**
 * On whose behalf something runs: what a verified token says, without the token itself. It is what sagas store, since
 * a token expires before a long operation ends.
 */
export interface Actor {
  readonly userId: string;
  readonly userName: string;
  readonly userDomain: NamedRef;
  readonly projectId: string | null;
  readonly projectName: string | null;
  readonly projectDomain: NamedRef | null;
  /** Set on domain-scoped tokens. */
  readonly domainId: string | null;
  /** True on system-scoped tokens (`system: all`). */
  readonly systemScope: boolean;
  /** Role names, implied roles included. */
  readonly roles: readonly string[];
  readonly isServiceUser?: boolean;
}

/** The actor of work that no request asked for (sweepers, reconcilers). */
export const SYSTEM_ACTOR: Actor = {
  userId: 'system',
  userName: 'system',
  userDomain: { id: 'default', name: 'Default' },
  projectId: null,
  projectName: null,
  projectDomain: null,
  domainId: null,
  systemScope: true,
  roles: ['admin'],
};
