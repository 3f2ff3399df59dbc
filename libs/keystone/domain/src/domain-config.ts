import { KeystoneError } from '@nestack/keystone/contract';
import type { RequestContext, TransactionRunner, Tx } from '@nestack/kernel/context';
import type { Stores } from './ports';

type Options = Readonly<Record<string, unknown>>;
/** Options by group. */
export type DomainSettings = Readonly<Record<string, Options>>;

/** A group, or one of its options; without either the whole. */
export interface ConfigPart {
  readonly group?: string;
  readonly option?: string;
}

/**
 * The options that a domain may have for itself, with upstream's defaults. They are kept for tools that read them: users of
 * all domains live in keystone's own tables, as upstream without `domain_specific_drivers_enabled`.
 */
export const DOMAIN_OPTIONS: DomainSettings = {
  identity: { driver: 'sql', list_limit: null },
  ldap: {
    url: 'ldap://localhost',
    user: null,
    suffix: 'cn=example,cn=com',
    query_scope: 'one',
    page_size: 0,
    alias_dereferencing: 'default',
    debug_level: null,
    chase_referrals: null,
    user_tree_dn: null,
    user_filter: null,
    user_objectclass: 'inetOrgPerson',
    user_id_attribute: 'cn',
    user_name_attribute: 'sn',
    user_description_attribute: 'description',
    user_mail_attribute: 'mail',
    user_pass_attribute: 'userPassword',
    user_enabled_attribute: 'enabled',
    user_enabled_invert: false,
    user_enabled_mask: 0,
    user_enabled_default: 'True',
    user_attribute_ignore: ['default_project_id'],
    user_default_project_id_attribute: null,
    user_enabled_emulation: false,
    user_enabled_emulation_dn: null,
    user_enabled_emulation_use_group_config: false,
    user_additional_attribute_mapping: [],
    group_tree_dn: null,
    group_filter: null,
    group_objectclass: 'groupOfNames',
    group_id_attribute: 'cn',
    group_name_attribute: 'ou',
    group_member_attribute: 'member',
    group_members_are_ids: false,
    group_desc_attribute: 'description',
    group_attribute_ignore: [],
    group_additional_attribute_mapping: [],
    group_ad_nesting: false,
    tls_cacertfile: null,
    tls_cacertdir: null,
    use_tls: false,
    tls_req_cert: 'demand',
    use_pool: true,
    pool_size: 10,
    pool_retry_max: 3,
    pool_retry_delay: 0.1,
    pool_connection_timeout: -1,
    pool_connection_lifetime: 600,
    use_auth_pool: true,
    auth_pool_size: 100,
    auth_pool_connection_lifetime: 60,
  },
};

/** Options that are taken and never shown. */
const SECRET: Readonly<Record<string, readonly string[]>> = { ldap: ['password'] };

/** Configurations of domains. upstream: keystone/resource/core.py DomainConfigManager */
export class DomainConfigs {
  constructor(
    private readonly db: TransactionRunner,
    private readonly stores: Stores,
  ) {}

  /** The whole configuration anew; `created` when there was none. */
  async create(
    _ctx: RequestContext,
    domainId: string,
    config: unknown,
  ): Promise<{ readonly config: DomainSettings; readonly created: boolean }> {
    const settings = checked(config);
    return this.db.run('domain_config.create', async (tx) => {
      const before = await this.read(tx, domainId);
      await this.stores.domainConfig.write(tx, domainId, settings);
      return { config: visible(settings), created: before === null };
    });
  }

  async show(_ctx: RequestContext, domainId: string, part: ConfigPart): Promise<Options> {
    return this.db.read('domain_config.show', async (tx) => {
      return partOf(visible((await this.read(tx, domainId)) ?? {}), part, domainId);
    });
  }

  /** Changes what is given of the part, which must be there already; the whole configuration afterwards. */
  async update(_ctx: RequestContext, domainId: string, part: ConfigPart, given: Options): Promise<DomainSettings> {
    const change = checked(placed(given, part));
    return this.db.run('domain_config.update', async (tx) => {
      const before = (await this.read(tx, domainId)) ?? {};
      partOf(before, part, domainId);
      const groups = new Set([...Object.keys(before), ...Object.keys(change)]);
      const after = Object.fromEntries([...groups].map((group) => [group, { ...before[group], ...change[group] }]));
      await this.stores.domainConfig.write(tx, domainId, after);
      return visible(after);
    });
  }

  async remove(_ctx: RequestContext, domainId: string, part: ConfigPart): Promise<void> {
    await this.db.run('domain_config.remove', async (tx) => {
      const before = (await this.read(tx, domainId)) ?? {};
      partOf(before, part, domainId);
      await this.stores.domainConfig.write(tx, domainId, without(before, part));
    });
  }

  private async read(tx: Tx, domainId: string): Promise<DomainSettings | null> {
    const domain = await this.stores.projects.find(tx, domainId);
    if (domain?.is_domain !== true) throw KeystoneError.DomainNotFound({ domain_id: domainId });
    return this.stores.domainConfig.read(tx, domainId);
  }
}

/** What holds where a domain says nothing. Throws `InvalidDomainConfig` for unknown groups and options. */
export function defaultConfig(part: ConfigPart): Options {
  if (part.group === undefined) return DOMAIN_OPTIONS;
  requireKnown(part.group, part.option === undefined ? [] : [part.option]);
  const options = DOMAIN_OPTIONS[part.group] ?? {};
  return part.option === undefined ? { [part.group]: options } : { [part.option]: options[part.option] };
}

function invalid(reason: string) {
  return KeystoneError.Forbidden({ reason: `Invalid domain specific configuration: ${reason}.` });
}

function requireKnown(group: string, options: readonly string[]): void {
  const known = Object.hasOwn(DOMAIN_OPTIONS, group) ? DOMAIN_OPTIONS[group] : undefined;
  if (known === undefined) throw invalid(`Group ${group} is not supported for domain specific configurations`);
  for (const option of options) {
    if (Object.hasOwn(known, option) || SECRET[group]?.includes(option) === true) continue;
    throw invalid(`Option ${option} in group ${group} is not supported for domain specific configurations`);
  }
}

function checked(config: unknown): DomainSettings {
  const groups = Object.entries(isObject(config) ? config : {});
  if (groups.length === 0) throw invalid('No options specified');
  for (const [group, options] of groups) {
    if (!isObject(options))
      throw invalid(`The value of group ${group} specified in the config should be a dictionary of options`);
    requireKnown(group, Object.keys(options));
  }
  return config as DomainSettings;
}

/** The given options in their place: a request about a part must name that part and nothing else. */
function placed(given: Options, { group, option }: ConfigPart): Options {
  if (group === undefined) return given;
  const wanted = option ?? group;
  const keys = Object.keys(given);
  if (keys.length !== 1 || keys[0] !== wanted) {
    throw invalid(`The ${option === undefined ? 'group' : 'option'} in the body is not ${wanted} as in the URL`);
  }
  return option === undefined ? given : { [group]: given };
}

function partOf(config: DomainSettings, { group, option }: ConfigPart, domainId: string): Options {
  const missing = (what: string) => KeystoneError.DomainConfigNotFound({ what, domain_id: domainId });
  if (group === undefined) {
    if (Object.keys(config).length === 0) throw missing('any options');
    return config;
  }
  requireKnown(group, option === undefined ? [] : [option]);
  const options = config[group];
  if (options === undefined || Object.keys(options).length === 0) throw missing(`group ${group}`);
  if (option === undefined) return { [group]: options };
  if (!Object.hasOwn(options, option)) throw missing(`option ${option} in group ${group}`);
  return { [option]: options[option] };
}

function without(config: DomainSettings, { group, option }: ConfigPart): DomainSettings {
  if (group === undefined) return {};
  const { [group]: options = {}, ...others } = config;
  if (option === undefined) return others;
  const rest = Object.fromEntries(Object.entries(options).filter(([name]) => name !== option));
  return Object.keys(rest).length === 0 ? others : { ...others, [group]: rest };
}

function visible(config: DomainSettings): DomainSettings {
  return Object.fromEntries(
    Object.entries(config).map(([group, options]) => [
      group,
      Object.fromEntries(Object.entries(options).filter(([name]) => SECRET[group]?.includes(name) !== true)),
    ]),
  );
}

function isObject(value: unknown): value is Options {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
