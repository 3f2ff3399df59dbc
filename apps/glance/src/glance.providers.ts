import type { Provider } from '@nestjs/common';
import { LOGGER } from '@nestack/kernel/app';
import { systemClock } from '@nestack/kernel/clock';
import { DATABASE, type Database } from '@nestack/kernel/db';
import type { Logger } from '@nestack/kernel/log';
import { POLICY, type PolicyEnforcer } from '@nestack/kernel/policy';
import { ImagesRepository, MembersRepository, MetadefsRepository, TasksRepository } from '@nestack/glance/data';
import {
  ImageData,
  Images,
  Imports,
  Members,
  MetadefContents,
  MetadefNamespaces,
  Sweeper,
  Transfers,
  type GlanceLimits,
} from '@nestack/glance/domain';
import { FileImageStore, Hasher, HttpWebSource } from '@nestack/glance/drivers';
import { BackgroundImports, SweepLoop } from '@nestack/glance/reconcilers';
import {
  ImageDataController,
  ImagesController,
  InfoController,
  MembersController,
  MetadefContentsController,
  MetadefNamespacesController,
  TASKS,
  TRANSACTIONS,
} from '@nestack/glance/rest';
import type { GlanceConfig } from './glance.config';

/** What the use cases share. */
const PARTS = Symbol('GlanceParts');

function limitsOf(config: GlanceConfig): GlanceLimits {
  return {
    image_size_cap: config.image_size_cap ?? 1_099_511_627_776,
    user_storage_quota: config.user_storage_quota ?? 0,
    image_property_quota: config.image_property_quota ?? 128,
    image_tag_quota: config.image_tag_quota ?? 128,
    image_member_quota: config.image_member_quota ?? 128,
    require_image_format_match: config.require_image_format_match ?? true,
  };
}

async function makeParts(config: GlanceConfig, db: Database, policy: PolicyEnforcer, log: Logger) {
  const hasher = new Hasher();
  const store = new FileImageStore(config.filesystem_store_datadir, hasher);
  await store.prepare();
  const base = {
    db,
    policy,
    store,
    clock: systemClock,
    limits: limitsOf(config),
    images: new ImagesRepository(),
    members: new MembersRepository(),
    tasks: new TasksRepository(),
    metadefs: new MetadefsRepository(),
  };
  const data = { ...base, transfers: new Transfers(base) };
  const background = new BackgroundImports(log);
  const web = new HttpWebSource({
    allowed_schemes: config.import_filtering?.allowed_schemes ?? ['http', 'https'],
    allowed_ports: config.import_filtering?.allowed_ports ?? [80, 443],
    allowed_hosts: config.import_filtering?.allowed_hosts ?? [],
    disallowed_hosts: config.import_filtering?.disallowed_hosts ?? [],
  });
  const imports = new Imports({ ...data, web, start: background.start });
  background.bind((imageId, token) => imports.run(imageId, token));
  return {
    ...data,
    log,
    background,
    imports,
    onApplicationShutdown: async () => {
      await background.drain();
      await Promise.all([hasher.close(), web.close()]);
    },
  };
}

type Parts = Awaited<ReturnType<typeof makeParts>>;

/** Glance's own providers; the database, the policy and the log come from the kernel's module. */
export function glanceProviders(config: GlanceConfig): Provider[] {
  const from = <T>(provide: symbol | (abstract new (...args: never[]) => T), make: (parts: Parts) => T): Provider => ({
    provide: provide as symbol,
    inject: [PARTS],
    useFactory: make,
  });
  return [
    {
      provide: PARTS,
      inject: [DATABASE, POLICY, LOGGER],
      useFactory: (db: Database, policy: PolicyEnforcer, log: Logger) => makeParts(config, db, policy, log),
    },
    from(Images, (parts) => new Images(parts)),
    from(ImageData, (parts) => new ImageData(parts)),
    from(Members, (parts) => new Members(parts)),
    from(MetadefNamespaces, (parts) => new MetadefNamespaces(parts)),
    from(MetadefContents, (parts) => new MetadefContents(parts)),
    from(Imports, (parts) => parts.imports),
    from(TASKS, (parts) => parts.tasks),
    from(TRANSACTIONS, (parts) => parts.db),
    from(
      SweepLoop,
      (parts) => new SweepLoop(new Sweeper(parts, parts.imports, parts.background.start), parts.clock, parts.log),
    ),
    ImagesController,
    ImageDataController,
    MembersController,
    MetadefNamespacesController,
    MetadefContentsController,
    InfoController,
  ];
}
