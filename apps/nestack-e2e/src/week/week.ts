import { expect } from '@jest/globals';
import type { Cloud } from '../cloud';
import { Client, type User } from '../client/client';

/** The highest microversions that a client knows, as a user names them who wants its newer options. */
const NEW = {
  distribution: { OS_COMPUTE_API_VERSION: '2.92', OS_VOLUME_API_VERSION: '3.70' },
  newest: { OS_COMPUTE_API_VERSION: '2.96', OS_VOLUME_API_VERSION: '3.70', OS_PLACEMENT_API_VERSION: '1.39' },
};

/** What each area of the week works with: one client, one cloud, and its users. */
export class Week {
  private client: Client | null = null;
  private of: Cloud | null = null;
  /** Commands that the client has, by their words. */
  private commands = new Set<string>();

  constructor(readonly label: 'distribution' | 'newest') {}

  /** Told where the newest would ask whether one is sure. */
  get approved(): string {
    return this.label === 'newest' ? '--auto-approve' : '';
  }

  /** How many commands were run. */
  get count(): number {
    return this.client?.ran.length ?? 0;
  }

  async start(cloud: Cloud, python: string): Promise<void> {
    this.of = cloud;
    this.client = Client.start(python, cloud);
    const groups = await this.demo.json<{ 'Command Group': string; Commands: string[] }[]>('command list');
    this.commands = new Set(groups.flatMap((group) => group.Commands));
  }

  async end(): Promise<void> {
    await this.client?.end();
  }

  get cloud(): Cloud {
    if (this.of === null) throw new Error('the week has not begun');
    return this.of;
  }

  /** Whether the client has such a command: the distribution's lacks some of the newest's, and the other way round. */
  has(command: string): boolean {
    return this.commands.has(command);
  }

  get demo(): User {
    return this.as({});
  }

  get admin(): User {
    return this.as({ OS_CLOUD: 'nestack-admin' });
  }

  /** The same with the highest microversions. */
  get newDemo(): User {
    return this.as(NEW[this.label]);
  }

  get newAdmin(): User {
    return this.as({ ...NEW[this.label], OS_CLOUD: 'nestack-admin' });
  }

  as(env: Readonly<Record<string, string>>): User {
    if (this.client === null) throw new Error('the week has not begun');
    return this.client.as(env);
  }

  /** Commands of the client that nobody has run yet. */
  notRun(): string[] {
    const ran = new Set<string>();
    for (const args of this.client?.ran ?? []) {
      for (let length = args.length; length > 0; length -= 1) {
        const command = args.slice(0, length).join(' ');
        if (!this.commands.has(command)) continue;
        ran.add(command);
        break;
      }
    }
    return [...this.commands].filter((command) => !ran.has(command)).sort();
  }
}

/** A list as `-f json` prints it. */
export type Rows = Record<string, unknown>[];

/** What is shown, by names in small letters: the newest titles some fields that it used to name. */
export function lower(shown: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(shown).map(([key, value]) => [key.toLowerCase(), value]));
}

/** Lists with each of some filters: all of these lists have such a name. */
export async function listed(user: User, list: string, filters: readonly string[], name: string): Promise<void> {
  const seen = await Promise.all(
    filters.map(async (filter) => ({ filter, names: await user.column(`${list} ${filter}`, 'Name') })),
  );
  expect(seen.filter(({ names }) => !names.includes(name))).toEqual([]);
}
