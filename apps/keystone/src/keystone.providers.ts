import { join } from 'node:path';
import type { Provider } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { AUTHENTICATOR, TokenSigner, TokenVerifier } from '@nestack/kernel/auth';
import { systemClock } from '@nestack/kernel/clock';
import { newContext } from '@nestack/kernel/context';
import { DATABASE, Outbox, type Database } from '@nestack/kernel/db';
import type { Logger } from '@nestack/kernel/log';
import { createPolicy, POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import { FANOUT, type FanoutBus } from '@nestack/kernel/rpc';
import { createStores } from '@nestack/keystone/data';
import {
  ApplicationCredentials,
  Assignments,
  bootstrapKeystone,
  Catalog,
  Credentials,
  DomainConfigs,
  Ec2Credentials,
  EndpointFilter,
  EndpointGroups,
  Endpoints,
  Groups,
  Limits,
  OAuth1,
  Policies,
  Projects,
  Regions,
  RegisteredLimits,
  Roles,
  Services,
  Tokens,
  Trusts,
  Users,
  type TokenCodec,
} from '@nestack/keystone/domain';
import {
  Argon2Hasher,
  FernetCodec,
  FernetKeys,
  JwsCodec,
  rotateIfOld,
  SealedVault,
  vaultKey,
} from '@nestack/keystone/drivers';
import { Housekeeping } from '@nestack/keystone/reconcilers';
import {
  ApplicationCredentialsController,
  AssignmentsController,
  AuthController,
  CatalogController,
  CredentialsController,
  DomainConfigController,
  DomainsController,
  Ec2Controller,
  EndpointFilterController,
  GrantsController,
  GroupsController,
  Guard,
  keystonePolicies,
  LimitsController,
  LocalAuthenticator,
  OAuth1Controller,
  PoliciesController,
  ProjectsController,
  ProjectTagsController,
  RolesController,
  TrustsController,
  UsersController,
} from '@nestack/keystone/rest';
import type { KeystoneConfig } from './keystone.config';

/** What the use cases share. */
const PARTS = Symbol('KeystoneParts');

async function makeParts(config: KeystoneConfig, db: Database, fanout: FanoutBus, log: Logger) {
  const outbox = new Outbox(db, ({ destination, message }) => fanout.publish(destination, message), log);
  const stores = createStores(outbox);
  const hasher = new Argon2Hasher({ concurrency: config.password_hash_concurrency ?? 2 });
  const { codec, rotate } = await tokenKeys(config);
  const vault = new SealedVault(
    await vaultKey(config.credential_key_file ?? join(config.jws_private_keys, 'credential.key')),
  );
  const users = new Users(db, stores, hasher, systemClock);
  const tokens = new Tokens(db, stores, hasher, vault, codec, systemClock, {
    lifetime: config.token_expiration ?? 3600,
  });
  const oauth1 = new OAuth1(db, stores, vault, systemClock);
  return {
    db,
    stores,
    hasher,
    log,
    rotate,
    vault,
    users,
    tokens,
    oauth1,
    onApplicationBootstrap: async (): Promise<void> => {
      outbox.start();
      const { bootstrap } = config;
      if (bootstrap === undefined) return;
      const changes = await bootstrapKeystone(newContext(), { db, stores, hasher }, bootstrapSettings(bootstrap));
      if (changes.length > 0) log.info(null, 'bootstrapped', { changes });
    },
    onApplicationShutdown: () => outbox.close(),
  };
}

/** What makes tokens, and what renews its keys when the newest is older than that (milliseconds). */
async function tokenKeys(
  config: KeystoneConfig,
): Promise<{ codec: TokenCodec; rotate: (maxAgeMs: number) => Promise<string | null> }> {
  if (config.token_provider === 'fernet') {
    const keys = new FernetKeys(config.fernet_keys ?? join(config.jws_private_keys, 'fernet'));
    await keys.ensure();
    return { codec: new FernetCodec(keys), rotate: (maxAgeMs) => keys.rotateIfOld(maxAgeMs, systemClock.now()) };
  }
  const signer = new TokenSigner(config.jws_private_keys, config.jws_public_keys);
  await signer.ensureKey();
  return {
    codec: new JwsCodec(signer, new TokenVerifier(config.jws_public_keys)),
    rotate: (maxAgeMs) => rotateIfOld(signer, maxAgeMs, systemClock.now()),
  };
}

function bootstrapSettings(bootstrap: NonNullable<KeystoneConfig['bootstrap']>) {
  const { public_url } = bootstrap;
  const internal = bootstrap.internal_url ?? public_url ?? '';
  return {
    username: bootstrap.username ?? 'admin',
    password: bootstrap.password,
    project_name: bootstrap.project_name ?? 'admin',
    region_id: bootstrap.region_id ?? 'RegionOne',
    urls: public_url === undefined ? null : { public: public_url, internal, admin: bootstrap.admin_url ?? internal },
  };
}

type Parts = Awaited<ReturnType<typeof makeParts>>;

/** Keystone's own providers; the database, the messages and the log come from the kernel's module. */
export function keystoneProviders(config: KeystoneConfig): Provider[] {
  const from = <T>(provide: symbol | (abstract new (...args: never[]) => T), make: (parts: Parts) => T): Provider => ({
    provide: provide as symbol,
    inject: [PARTS],
    useFactory: make,
  });
  const maxKeyAgeMs = (config.key_max_age ?? 604_800) * 1000;
  return [
    {
      provide: PARTS,
      inject: [DATABASE, FANOUT, LOGGER],
      useFactory: (db: Database, fanout: FanoutBus, log: Logger) => makeParts(config, db, fanout, log),
    },
    { provide: POLICY, useFactory: () => createPolicy(keystonePolicies, { file: config.policy_file }) },
    { provide: Guard, inject: [POLICY], useFactory: (policy: PolicyEnforcer) => new Guard(policy) },
    from(AUTHENTICATOR, (parts) => new LocalAuthenticator(parts.tokens)),
    from(Tokens, (parts) => parts.tokens),
    from(Users, (parts) => parts.users),
    from(
      ApplicationCredentials,
      (parts) => new ApplicationCredentials(parts.db, parts.stores, parts.hasher, systemClock),
    ),
    from(Catalog, (parts) => new Catalog(parts.db, parts.stores)),
    from(Projects, (parts) => new Projects(parts.db, parts.stores, systemClock)),
    from(Groups, (parts) => new Groups(parts.db, parts.stores, systemClock)),
    from(Roles, (parts) => new Roles(parts.db, parts.stores, systemClock)),
    from(Assignments, (parts) => new Assignments(parts.db, parts.stores)),
    from(Services, (parts) => new Services(parts.db, parts.stores)),
    from(Endpoints, (parts) => new Endpoints(parts.db, parts.stores)),
    from(Regions, (parts) => new Regions(parts.db, parts.stores)),
    from(Trusts, (parts) => new Trusts(parts.db, parts.stores, systemClock)),
    from(Ec2Credentials, (parts) => new Ec2Credentials(parts.db, parts.stores, parts.vault)),
    from(DomainConfigs, (parts) => new DomainConfigs(parts.db, parts.stores)),
    from(Policies, (parts) => new Policies(parts.db, parts.stores)),
    from(RegisteredLimits, (parts) => new RegisteredLimits(parts.db, parts.stores)),
    from(Limits, (parts) => new Limits(parts.db, parts.stores)),
    from(EndpointGroups, (parts) => new EndpointGroups(parts.db, parts.stores)),
    from(EndpointFilter, (parts) => new EndpointFilter(parts.db, parts.stores)),
    from(OAuth1, (parts) => parts.oauth1),
    from(Credentials, (parts) => new Credentials(parts.db, parts.stores, parts.vault)),
    from(Housekeeping, (parts) => {
      const chores = {
        prune: async () => {
          await parts.tokens.pruneRevocations();
          await parts.oauth1.pruneRequestTokens();
        },
        rotate: () => parts.rotate(maxKeyAgeMs),
      };
      return new Housekeeping(chores, systemClock, parts.log);
    }),
    AuthController,
    UsersController,
    ApplicationCredentialsController,
    ProjectsController,
    ProjectTagsController,
    DomainsController,
    GroupsController,
    RolesController,
    GrantsController,
    AssignmentsController,
    CatalogController,
    CredentialsController,
    TrustsController,
    DomainConfigController,
    Ec2Controller,
    LimitsController,
    PoliciesController,
    EndpointFilterController,
    OAuth1Controller,
  ];
}
