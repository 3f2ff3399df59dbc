/**
 * `node tools/lint.mjs [--fix] [PATH...]` runs ESLint with the module boundaries over the tree or a part of it, and checks
 * that every project carries the tags which its folder demands, since the boundaries hang on them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { appProject, libraryProject, typeOfLibrary } from './layout.mjs';
import { maintainedNode, root } from './node.mjs';

process.chdir(root);
if (process.execPath !== maintainedNode()) {
  const again = spawnSync(maintainedNode(), process.argv.slice(1), { stdio: 'inherit' });
  process.exit(again.status ?? 1);
}

const problems = misplacedTags();
for (const problem of problems) console.error(problem);
await refreshProjectGraph();
const failed = await lint(process.argv.slice(2));
process.exitCode = failed || problems.length > 0 ? 1 : 0;

/** The boundary rule reads the project graph from Nx's cache only; this brings it up to date. */
async function refreshProjectGraph() {
  process.env.NX_DAEMON = 'false';
  const require = createRequire(import.meta.url);
  const { createProjectGraphAsync } = require('@nx/devkit');
  await createProjectGraphAsync({ exitOnError: true });
}

async function lint(args) {
  const { ESLint } = await import('eslint');
  const fix = args.includes('--fix');
  const paths = args.filter((argument) => argument !== '--fix');
  const eslint = new ESLint({ fix, cwd: root, errorOnUnmatchedPattern: false });
  const results = await eslint.lintFiles(paths.length > 0 ? paths : ['.']);
  if (fix) await ESLint.outputFixes(results);
  const formatter = await eslint.loadFormatter('stylish');
  const report = await formatter.format(results);
  if (report !== '') console.log(report);
  const errors = results.reduce((sum, result) => sum + result.errorCount + result.warningCount, 0);
  console.log(`lint: ${results.length} files, ${errors} problems`);
  return errors > 0;
}

function misplacedTags() {
  const found = [];
  for (const file of projectFiles()) {
    const [top, scope, name] = path.dirname(file).split('/');
    const type = top === 'libs' ? typeOfLibrary(scope, name) : 'app';
    const actual = JSON.parse(readFileSync(file, 'utf8'));
    if (type === null) continue;
    const expected = top === 'libs' ? libraryProject(scope, name, type) : appProject(scope);
    for (const key of ['name', 'projectType', 'tags']) {
      if (JSON.stringify(actual[key]) !== JSON.stringify(expected[key])) {
        found.push(`${file}: ${key} must be ${JSON.stringify(expected[key])} (node tools/new-lib.mjs --repair)`);
      }
    }
  }
  return found;
}

/** All project.json files; a library without one is outside the boundaries and therefore an error. */
function projectFiles() {
  const files = [];
  for (const folder of [...subfolders('libs').flatMap(subfolders), ...subfolders('apps')]) {
    const entries = readdirSync(folder);
    if (entries.includes('project.json')) files.push(`${folder}/project.json`);
    else if (entries.includes('src'))
      throw new Error(`${folder} has no project.json: run 'node tools/new-lib.mjs --repair'`);
  }
  return files;
}

function subfolders(parent) {
  try {
    return readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${parent}/${entry.name}`);
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
