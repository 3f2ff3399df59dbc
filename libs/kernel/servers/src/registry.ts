import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { processStat } from '@nestack/kernel/process';

/** A server that a test run has started, as `tools/jest.mjs` ends it when the run itself could not. */
export interface NotedServer {
  /** First of its process group; known by its start time too, since numbers are used again. */
  readonly pid: number;
  /** Its folder, removed with it. */
  readonly dir: string;
  /** A command that ends what it leaves behind. */
  readonly afterStop?: readonly string[] | undefined;
}

/**
 * Notes a server in the folder that NESTACK_TEST_REGISTRY names, if any: a run that is killed runs no teardown. Answers how
 * to strike it out, once it has been stopped.
 */
export function noteServer(server: NotedServer): () => void {
  const folder = process.env['NESTACK_TEST_REGISTRY'];
  if (folder === undefined || folder === '') return () => undefined;
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${String(server.pid)}.json`);
  writeFileSync(file, JSON.stringify({ ...server, began: processStat(server.pid)?.startTicks ?? '' }));
  return () => rmSync(file, { force: true });
}
