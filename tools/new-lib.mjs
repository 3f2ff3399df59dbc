/**
 * `node tools/new-lib.mjs SCOPE NAME [TYPE]` makes the library `libs/SCOPE/NAME`, imported as `@nestack/SCOPE/NAME`.
 * `node tools/new-lib.mjs --repair` writes the project.json of every library and app folder where it is
 * missing or says other than the folder demands.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { appProject, libraryProject, TYPES, typeOfLibrary } from './layout.mjs';
import { root } from './node.mjs';

const WORD = /^[a-z][a-z0-9-]*$/;

const [first, ...rest] = process.argv.slice(2);
if (first === '--repair') {
  repair();
} else if (first !== undefined && rest.length >= 1 && rest.length <= 2) {
  create(first, rest[0], rest[1]);
} else {
  fail('usage: new-lib SCOPE NAME [TYPE], or new-lib --repair');
}

function create(scope, name, givenType) {
  const type = givenType ?? typeOfLibrary(scope, name);
  if (!WORD.test(scope) || !WORD.test(name)) return fail('scope and name are lower-case words joined by dashes');
  if (type === null || !TYPES.includes(type)) return fail(`the type must be one of ${TYPES.join(', ')}`);
  const folder = path.join('libs', scope, name);
  const index = path.join(root, folder, 'src/index.ts');
  mkdirSync(path.dirname(index), { recursive: true });
  if (!existsSync(index)) writeFileSync(index, 'export {};\n');
  write(path.join(folder, 'project.json'), libraryProject(scope, name, type));
}

function repair() {
  for (const scope of folders('libs')) {
    for (const name of folders(`libs/${scope}`)) {
      const file = `libs/${scope}/${name}/project.json`;
      const type = typeOfLibrary(scope, name);
      if (!existsSync(path.join(root, path.dirname(file), 'src'))) continue;
      if (type !== null) write(file, libraryProject(scope, name, type));
      else if (!existsSync(path.join(root, file)))
        fail(`${file}: the type is unclear, use 'new-lib ${scope} ${name} TYPE'`);
    }
  }
  for (const name of folders('apps')) write(`apps/${name}/project.json`, appProject(name));
}

function folders(parent) {
  const full = path.join(root, parent);
  if (!existsSync(full)) return [];
  return readdirSync(full, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

function write(file, content) {
  const full = path.join(root, file);
  // Short arrays stay on one line, as the formatter wants them.
  const text = JSON.stringify(content, null, 2).replace(
    /\[\s+([^\]]*?)\s+\]/g,
    (_all, inner) => `[${inner.replace(/\s*\n\s*/g, ' ')}]`,
  );
  if (existsSync(full) && readFileSync(full, 'utf8') === `${text}\n`) return;
  writeFileSync(full, `${text}\n`);
  console.log(`wrote ${file}`);
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}
