/**
 * `node tools/contracts.mjs [--check]` writes what services promise into files that a change shows up in: `docs/api/<service>.txt`
 * (routes, RPC interfaces, errors, policy rules) and `docs/config.md` (settings of every app), all from their declarations.
 * With `--check` it writes nothing and fails where a file differs.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { root } from './node.mjs';

const check = process.argv[2] === '--check';
const { apps, libraries, configReference } = await load();
const files = new Map([['docs/config.md', configText()]]);
for (const [service, { api, exported }] of Object.entries(services())) {
  files.set(`docs/api/${service}.txt`, serviceText(service, api, exported));
}
const different = [...files].filter(([file, text]) => !existsSync(file) || readFileSync(file, 'utf8') !== text);
for (const [file, text] of different) {
  if (check) {
    console.error(`${file} differs from the declarations: run 'npm run contracts' and look at what changes`);
    showFirstDifference(existsSync(file) ? readFileSync(file, 'utf8') : '', text);
  } else {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote ${file}`);
  }
}
process.exitCode = check && different.length > 0 ? 1 : 0;

/** All apps and the libraries that declare something, bundled on the fly. */
async function load() {
  process.chdir(root);
  const names = readdirSync('apps').filter((name) => existsSync(`apps/${name}/src/app.module.ts`));
  const parts = readdirSync('libs')
    .filter((scope) => scope !== 'kernel')
    .flatMap((scope) => ['contract', 'rest', 'domain'].map((part) => [scope, part]))
    .filter(([scope, part]) => existsSync(`libs/${scope}/${part}/src/index.ts`));
  const contents = [
    "export { configReference } from '@nestack/kernel/config';",
    ...names.map((name, at) => `import { app as app${at} } from '@nestack/app/${name}';`),
    ...parts.map(([scope, part], at) => `import * as part${at} from '@nestack/${scope}/${part}';`),
    `export const apps = [${names.map((_, at) => `app${at}`).join(', ')}];`,
    `export const libraries = [${parts.map(([scope], at) => `['${scope}', part${at}]`).join(', ')}];`,
  ].join('\n');
  const outfile = path.join(root, `tmp/contracts-${process.pid}.mjs`);
  await build({
    stdin: { contents, resolveDir: root, loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    packages: 'external',
    tsconfig: 'tsconfig.base.json',
    logLevel: 'error',
  });
  try {
    await import('reflect-metadata');
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(outfile);
  }
}

function services() {
  const found = {};
  for (const app of apps) if (app.api !== undefined) found[app.api.service] = { api: app.api, exported: [] };
  for (const [scope, exports] of libraries) found[scope]?.exported.push(...Object.values(exports));
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function serviceText(service, api, exported) {
  const objects = [...new Set(exported)].filter((one) => typeof one === 'object' && one !== null);
  const interfaces = objects.filter((one) => one.exchange !== undefined && one.topic !== undefined);
  const errors = Object.assign({}, ...objects.map((one) => one.declarations ?? {}));
  const policies = objects
    .filter(
      (one) => Array.isArray(one) && one.length > 0 && one.every((rule) => rule?.name && rule.check !== undefined),
    )
    .flat();
  return [
    `# ${api.title}: what ${service} promises. Written by tools/contracts.mjs from the declarations.`,
    '',
    `## Operations below ${api.prefixes.join(' and ') || '/'}${api.microversions ? `, microversions ${api.microversions.min} to ${api.microversions.max}` : ''}`,
    '',
    ...table(api.operations.map(operationRow)),
    ...interfaces.sort(by((one) => `${one.exchange}.${one.topic}`)).flatMap(interfaceText),
    ...section(
      'Errors',
      Object.entries(errors).map(([code, { kind, status, template }]) => [code, kind, status ?? '', template]),
    ),
    ...section(
      'Policy rules',
      policies.map(({ name, check: text }) => [name, text === '' ? '@' : text]),
    ),
  ].join('\n');
}

function operationRow(one) {
  const versions = one.minVersion || one.maxVersion ? `${one.minVersion ?? ''}-${one.maxVersion ?? ''}` : '';
  return [
    one.path || '/',
    one.method,
    one.action ?? '',
    versions,
    one.id,
    [one.status].flat().join(' '),
    one.public ? 'public' : (one.policy ?? ''),
  ];
}

function interfaceText(rpc) {
  const rows = Object.entries(rpc.methods).map(([name, method]) => [
    method.kind,
    name,
    method.since,
    method.idempotent ? 'idempotent' : '',
    method.timeoutMs ? `${method.timeoutMs / 1000} s` : '',
    `(${fields(method.args)})${method.reply ? `: ${fields(method.reply)}` : ''}`,
  ]);
  return section(`RPC ${rpc.exchange}.${rpc.topic} ${rpc.version}`, rows);
}

function fields(schema) {
  if (schema.properties === undefined)
    return schema.type ?? (schema.anyOf ? schema.anyOf.map(fields).join(' | ') : '…');
  const required = new Set(schema.required ?? []);
  return Object.keys(schema.properties)
    .map((name) => `${name}${required.has(name) ? '' : '?'}`)
    .join(', ');
}

function section(title, rows) {
  return rows.length === 0 ? [''] : ['', `## ${title}`, '', ...table(rows)];
}

/** Sorted rows with aligned columns. */
function table(rows) {
  const texts = rows.map((row) => row.map(String)).sort(by((row) => row.join('\u0000')));
  const widths = texts[0]?.map((_, at) => Math.max(...texts.map((row) => row[at].length))) ?? [];
  return texts.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]))
      .join('  ')
      .trimEnd(),
  );
}

function by(key) {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
}

function configText() {
  return [
    '# Settings',
    '',
    'Each app reads its section of the JSON file that `--config` names (`--section` when it is called differently), and on top of it',
    'the environment: `NESTACK__DATABASE__URL` is `database.url`. Unknown settings are refused. `./nestack up` writes these files itself.',
    "This page is written by `npm run contracts` from the apps' schemas.",
    '',
    ...[...apps].sort(by((app) => app.name)).map((app) => configReference(app.name, app.config)),
  ].join('\n');
}

function showFirstDifference(before, after) {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const at = now.findIndex((line, index) => line !== old[index]);
  const line = at < 0 ? now.length : at;
  console.error(`  line ${line + 1}\n  - ${old[line] ?? '(nothing)'}\n  + ${now[line] ?? '(nothing)'}`);
}
