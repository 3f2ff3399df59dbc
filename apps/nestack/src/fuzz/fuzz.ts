import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Rest } from '../bootstrap/rest';
import { writeAtomically } from '../cloud/files';
import { portOf, requireSettings, secretOf, type CloudSettings } from '../cloud/settings';
import { authUrlOf, localHost, placeOf, type CommonOptions } from '../commands/cloud';
import { UserError } from '../user-error';
import { fuzzPython } from './python';
import { isClean, reportOf, type Failure, type RunTotals } from './report';
import { knownIds, seed, type Ids } from './seeds';
import { FUZZED, type FuzzedService } from './services';

interface FuzzOptions extends CommonOptions {
  readonly only?: string;
  readonly requests: number;
  readonly seed: number;
  readonly json?: string;
}

/** One run of one service in one microversion. */
interface Job {
  readonly service: FuzzedService;
  readonly version: string | null;
  readonly requests: number;
  readonly seed: number;
}

/**
 * Sends random requests, valid and invalid, to what each service's own OpenAPI document declares and judges the answers by
 * that document. Works in projects of its own that it removes again. The exit code is 0 only when no answer was a server
 * error or outside of the document.
 */
export async function fuzz(options: FuzzOptions): Promise<void> {
  const { layout, home } = placeOf(options);
  const settings = requireSettings(layout);
  const jobs = jobsOf(options);
  const folder = path.join(layout.root, 'fuzz');
  const scripts = path.join(home, 'apps/nestack/fuzz');
  const python = await fuzzPython(folder, path.join(scripts, 'requirements.txt'));
  mkdirSync(folder, { recursive: true });
  const admin = new Rest({
    authUrl: authUrlOf(settings),
    username: 'admin',
    password: secretOf(settings, 'admin'),
    project: 'admin',
  });
  const runs: RunTotals[] = [];
  try {
    await admin.login();
    for (const job of jobs) {
      // One for each: what a run leaves behind must not count against the next one's quota.
      const tenant = await makeTenant(admin, settings);
      try {
        const known = await knownIds(tenant.rest);
        runs.push(await runJob(job, { settings, folder, python, scripts, rest: tenant.rest, known }));
      } finally {
        await tenant.remove();
      }
    }
  } finally {
    await admin.close();
  }
  process.stdout.write(reportOf(runs));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(runs, null, 2)}\n`);
  process.exitCode = isClean(runs) ? 0 : 1;
}

function jobsOf(options: FuzzOptions): Job[] {
  const names = options.only?.split(',') ?? FUZZED.map((one) => one.name);
  const unknown = names.filter((name) => !FUZZED.some((one) => one.name === name));
  if (unknown.length > 0) {
    throw new UserError(`No service ${unknown.join(', ')}.`, `There are ${FUZZED.map((one) => one.name).join(', ')}.`);
  }
  return FUZZED.filter((one) => names.includes(one.name)).flatMap((service) =>
    service.versions.map((version, index) => {
      const share = Math.floor(options.requests / service.versions.length);
      // The newest version takes the rest of the division.
      const rest = index === service.versions.length - 1 ? options.requests - share * service.versions.length : 0;
      return { service, version, requests: share + rest, seed: options.seed + index };
    }),
  );
}

interface Tenant {
  readonly rest: Rest;
  remove(): Promise<void>;
}

/** A project with an administrator of its own: tests that change everything they own must not own the cloud. */
async function makeTenant(admin: Rest, settings: CloudSettings): Promise<Tenant> {
  const url = authUrlOf(settings);
  const name = `fuzz-${randomBytes(4).toString('hex')}`;
  const password = randomBytes(16).toString('hex');
  const { project } = await admin.post<{ project: { id: string } }>(`${url}/projects`, { project: { name } });
  const { user } = await admin.post<{ user: { id: string } }>(`${url}/users`, { user: { name, password } });
  const { roles } = await admin.get<{ roles: { id: string }[] }>(`${url}/roles?name=admin`);
  await admin.call('PUT', `${url}/projects/${project.id}/users/${user.id}/roles/${roles[0]?.id ?? ''}`);
  const rest = new Rest({ authUrl: url, username: name, password, project: name });
  await rest.login();
  return {
    rest,
    remove: async () => {
      await rest.close();
      await admin.call('DELETE', `${url}/users/${user.id}`, { accept: [404] });
      // What the run has made below it goes first: a project that has others is not deleted.
      const below = await admin.get<{ project: { subtree: { project: { id: string } }[] } }>(
        `${url}/projects/${project.id}?subtree_as_list`,
      );
      const leavesFirst = below.project.subtree.map((one) => one.project.id).toReversed();
      for (const id of [...leavesFirst, project.id]) {
        await admin.call('DELETE', `${url}/projects/${id}`, { accept: [404] });
      }
    },
  };
}

interface Surroundings {
  readonly settings: CloudSettings;
  readonly folder: string;
  readonly python: string;
  readonly scripts: string;
  readonly rest: Rest;
  readonly known: Ids;
}

async function runJob(job: Job, around: Surroundings): Promise<RunTotals> {
  const { service } = job;
  const url = `http://${localHost(around.settings)}:${portOf(around.settings, service.name)}`;
  const name = [service.name, job.version].filter((part) => part !== null).join('-');
  process.stderr.write(`${name}: ${job.requests} requests, seed ${job.seed}\n`);
  const document = path.join(around.folder, `${name}.json`);
  const query = job.version === null ? '' : `?version=${job.version}`;
  const { text } = await around.rest.send('GET', `${url}/openapi.json${query}`);
  writeFileSync(document, text);
  await around.rest.login();
  const seeds = await seed(service.name, around.rest, around.known);
  const plan = path.join(around.folder, `${name}-plan.json`);
  const content = {
    service: service.name,
    // `latest` by its number.
    version: job.version === null ? null : (JSON.parse(text) as { info: { version: string } }).info.version,
    document,
    url,
    token: around.rest.token,
    headers: service.versioned === null ? {} : { 'OpenStack-API-Version': `${service.versioned} ${job.version}` },
    requests: job.requests,
    seed: job.seed,
    pools: around.known,
    own: seeds.own,
  };
  writeAtomically(plan, JSON.stringify(content), 0o600);
  const began = performance.now();
  try {
    const totals = await perform(
      around.python,
      path.join(around.scripts, 'fuzz.py'),
      plan,
      path.join(around.folder, `${name}.log`),
    );
    return { ...totals, service: service.name, version: job.version, seconds: (performance.now() - began) / 1000 };
  } finally {
    await seeds.remove();
  }
}

type Line =
  | { readonly kind: 'note' }
  | (Failure & {
      readonly kind: 'failure';
      readonly text: string;
      readonly request: unknown;
      readonly request_id: string | null;
    })
  | ({ readonly kind: 'done' } & Omit<RunTotals, 'service' | 'version' | 'seconds'>);

/** Runs the script; its lines are kept in a log, failures are told as they come. */
async function perform(
  python: string,
  script: string,
  plan: string,
  log: string,
): Promise<Omit<RunTotals, 'service' | 'version' | 'seconds'>> {
  const child = spawn(python, ['-B', script, plan], { stdio: ['ignore', 'pipe', 'inherit'] });
  const output = createWriteStream(log);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  let totals: Omit<RunTotals, 'service' | 'version' | 'seconds'> | null = null;
  for await (const text of createInterface({ input: child.stdout })) {
    output.write(`${text}\n`);
    const line = JSON.parse(text) as Line;
    if (line.kind === 'done') totals = line;
    if (line.kind === 'failure') {
      process.stderr.write(
        `  ${line.check} ${line.status ?? ''} ${line.operation}: ${line.text}\n    ${JSON.stringify(line.request)} ${line.request_id ?? ''}\n`,
      );
    }
  }
  output.end();
  const code = await ended;
  if (totals === null) throw new UserError(`The fuzz run ended with code ${code} and without totals.`, `See ${log}.`);
  return totals;
}
