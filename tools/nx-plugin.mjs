import { existsSync } from 'node:fs';
import path from 'node:path';

const FOLDERS = '{libs/*/*,apps/*}/project.json';

/**
 * Gives every library and app its targets, so that a project.json holds only a name and tags: `lint`, `typecheck`, `test`
 * (unit tests), and `build` where there is something to start. What makes their caches valid stands in nx.json.
 */
export const createNodesV2 = [
  FOLDERS,
  (files, _options, context) =>
    files.map((file) => {
      const folder = path.dirname(file);
      return [file, { projects: { [folder]: { targets: targetsOf(folder, context.workspaceRoot) } } }];
    }),
];

function targetsOf(folder, workspaceRoot) {
  const run = (command) => ({ executor: 'nx:run-commands', options: { command, cwd: '{workspaceRoot}' } });
  const targets = {
    lint: run(`node tools/lint.mjs ${folder}`),
    typecheck: run(`node tools/typecheck.mjs ${folder}`),
    test: run(`node tools/jest.mjs --selectProjects unit --passWithNoTests ${folder}/`),
  };
  const entries = ['main.ts', 'cli.ts'].filter((name) => existsSync(path.join(workspaceRoot, folder, 'src', name)));
  if (folder.startsWith('apps/') && entries.length > 0)
    targets.build = run(`node tools/build.mjs ${path.basename(folder)}`);
  return targets;
}
