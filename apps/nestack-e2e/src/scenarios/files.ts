import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { document, mistakes, parseRows, testsById } from './table';

/** The repository's root, seen from the working directory of every test and tool. */
const FOLDER = 'apps/nestack-e2e/src';
export const DOCUMENT = 'docs/scenarios.md';

/** What `docs/scenarios.md` has to say, and what is wrong between `rows.tsv` and the tests below a root folder. */
export function readScenarios(root: string): { readonly text: string; readonly wrong: readonly string[] } {
  const folder = path.join(root, FOLDER);
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  // What shares a cloud stands in folders of its own.
  const shared = /^(guests|scenarios\/(real|simulated))\/[^.]+\.ts$/;
  const specs = names.filter((name) => /\.(e2e|guest)\.spec\.ts$/.test(name) || shared.test(name));
  const files = new Map(specs.map((name) => [`${FOLDER}/${name}`, readFileSync(path.join(folder, name), 'utf8')]));
  const chapters = parseRows(readFileSync(path.join(folder, 'scenarios/rows.tsv'), 'utf8'));
  const tests = testsById(files);
  return { text: document(chapters, tests), wrong: mistakes(chapters, tests) };
}

/** Writes `docs/scenarios.md`. */
export function writeScenarios(root: string): void {
  writeFileSync(path.join(root, DOCUMENT), readScenarios(root).text);
}
