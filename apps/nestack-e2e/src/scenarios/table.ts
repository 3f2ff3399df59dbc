/**
 * The scenarios of the book that the project is to make runnable, and which of them run. `rows.tsv` has a line for each: its id,
 * a name in our own words and, where it does not run, the key of a reason. Tests are named by the ids that they show.
 */
export interface Scenario {
  readonly id: string;
  readonly name: string;
  /** Why it does not run; null when a test shows it. */
  readonly reason: string | null;
}

export interface Chapter {
  readonly title: string;
  readonly scenarios: readonly Scenario[];
}

/** Why a scenario does not run yet, or never will. */
export const REASONS: Readonly<Record<string, string>> = {
  idea: 'An idea with nothing to run; see architecture.md.',
  web: 'Needs the dashboard, which is not there yet.',
  libvirt: "Is about libvirt's own tools by hand; guests here are the cloud's.",
  vlan: 'Needs VLAN networks on hosts, which are not there yet.',
  ovs: 'Needs the Open vSwitch driver, which is not there yet.',
  lb: 'Needs load balancing, which is not there yet.',
  fw: 'Needs firewalls on routers, which are not there yet.',
  l2pop: 'Tunnel ends do not answer for addresses; broadcasts go to the hosts of the network.',
  lvm: 'Needs LVM and iSCSI; volumes here are files served over NBD.',
  nfs: 'Needs NFS storage, which is not there yet.',
  stores: 'Images are kept in files; other stores are not there yet.',
  noshare: 'Hosts share no storage: disks are always fetched from the host that has them (ADR 14).',
  evacuation: 'Needs evacuation, which is not there yet.',
  live: 'Needs live migration, which is not there yet.',
  netnode: 'Routers live on the controller; network nodes of their own are not there yet.',
  faults: 'faults.e2e.spec.ts kills each service under load, the conductor too.',
};

/** Reads `rows.tsv`. */
export function parseRows(text: string): Chapter[] {
  const chapters: { title: string; scenarios: Scenario[] }[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.startsWith('# ')) {
      chapters.push({ title: line.slice(2), scenarios: [] });
      continue;
    }
    const [id = '', name = '', reason = ''] = line.split('\t');
    const chapter = chapters.at(-1);
    if (chapter === undefined || id === '' || name === '') throw new Error(`rows.tsv: ${line}`);
    if (reason !== '' && REASONS[reason] === undefined)
      throw new Error(`rows.tsv: ${id} has no known reason: ${reason}`);
    chapter.scenarios.push({ id, name, reason: reason === '' ? null : reason });
  }
  return chapters;
}

/** The ids in the names of a file's tests (`it('S-1.2.3 …')`, several may stand at the beginning). */
export function idsOf(source: string): string[] {
  const names = [...source.matchAll(/\bit\(\s*(['"`])(S-[\w.]+(?:[ ,]+S-[\w.]+)*)/g)];
  return names.flatMap(([, , ids = '']) => ids.split(/[ ,]+/));
}

/** Which file shows each scenario. */
export function testsById(files: ReadonlyMap<string, string>): Map<string, string> {
  const found = new Map<string, string>();
  for (const [file, source] of files) for (const id of idsOf(source)) if (!found.has(id)) found.set(id, file);
  return found;
}

/** What is wrong between the rows and the tests: nothing when each row that runs has a test and each test a row. */
export function mistakes(chapters: readonly Chapter[], tests: ReadonlyMap<string, string>): string[] {
  const scenarios = chapters.flatMap((chapter) => chapter.scenarios);
  const known = new Map(scenarios.map((scenario) => [scenario.id, scenario]));
  return [
    ...scenarios.filter(({ id, reason }) => reason === null && !tests.has(id)).map(({ id }) => `${id} has no test`),
    ...[...tests.keys()].filter((id) => !known.has(id)).map((id) => `${id} is tested, but not in rows.tsv`),
    ...[...tests.keys()]
      .filter((id) => typeof known.get(id)?.reason === 'string')
      .map((id) => `${id} is tested, and yet rows.tsv says why it does not run`),
    ...scenarios
      .filter(({ id }, index) => scenarios.findIndex((other) => other.id === id) !== index)
      .map(({ id }) => `${id} twice`),
  ];
}

/** `docs/scenarios.md`. */
export function document(chapters: readonly Chapter[], tests: ReadonlyMap<string, string>): string {
  const all = chapters.flatMap((chapter) => chapter.scenarios);
  const running = all.filter(({ reason }) => reason === null).length;
  return [
    '# The book, scenario by scenario',
    '',
    `Whoever learns OpenStack with 《每天5分钟玩转OpenStack》 can do its scenarios here. Of ${all.length}, ${running} are shown by a test named after`,
    'the number of the chapter and the scenario in it (`./nestack test --only e2e,guests`); for the others stands why not.',
    'Files `*.e2e.spec.ts` need no rights, since guests, networks and volumes are simulated; all others have real ones.',
    'Written by `npm run scenarios` from `apps/nestack-e2e/src/scenarios/rows.tsv` and the tests.',
    ...chapters.flatMap(({ title, scenarios }) => [
      '',
      `## ${title}`,
      '',
      '| | Scenario | Shown by |',
      '|---|---|---|',
      ...scenarios.map(
        ({ id, name, reason }) => `| ${id} | ${name} | ${reason === null ? link(tests.get(id)) : REASONS[reason]} |`,
      ),
    ]),
    '',
  ].join('\n');
}

function link(file: string | undefined): string {
  return file === undefined ? '' : `[${file.split('/').at(-1) ?? ''}](../${file})`;
}
