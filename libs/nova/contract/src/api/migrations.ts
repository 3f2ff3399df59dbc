import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Any, Links } from './common';
import { AnyText, OnePage, OneTime, closed, open } from './queries';

const Item = Type.Record(Type.String(), Any);
const Filters = {
  hidden: AnyText,
  host: AnyText,
  instance_uuid: AnyText,
  source_compute: AnyText,
  status: AnyText,
  migration_type: AnyText,
};
const Paged = { ...Filters, ...OnePage, 'changes-since': OneTime };
const Bounded = { ...Paged, 'changes-before': OneTime };

/** `limit`, `marker` and `changes-since` count from 2.59 on, `changes-before` from 2.66, user and project from 2.80. */
export const listMigrations = operation({
  id: 'listMigrations',
  summary: 'List migrations',
  method: 'GET',
  path: '/os-migrations',
  status: 200,
  query: [
    open('2.1', Filters),
    closed('2.59', Paged),
    closed('2.66', Bounded),
    closed('2.80', { ...Bounded, user_id: AnyText, project_id: AnyText }),
  ],
  response: Type.Object({ migrations: Type.Array(Item), migrations_links: Type.Optional(Links) }),
  policy: 'os_compute_api:os-migrations:index',
  errors: ['MarkerNotFound'],
});

/** Only live migrations are shown here, of which there are none. */
export const listServerMigrations = operation({
  id: 'listServerMigrations',
  summary: "List a server's live migrations",
  method: 'GET',
  path: '/servers/{server_id}/migrations',
  minVersion: '2.23',
  status: 200,
  response: Type.Object({ migrations: Type.Array(Item) }),
  policy: 'os_compute_api:servers:migrations:index',
  errors: ['InstanceNotFound'],
});
export const showServerMigration = operation({
  id: 'showServerMigration',
  summary: "Show a server's live migration",
  method: 'GET',
  path: '/servers/{server_id}/migrations/{migration_id}',
  minVersion: '2.23',
  status: 200,
  response: Type.Object({ migration: Item }),
  policy: 'os_compute_api:servers:migrations:show',
  errors: ['InstanceNotFound', 'MigrationNotFoundForInstance'],
});

export const migrationOperations = [listMigrations, listServerMigrations, showServerMigration];
