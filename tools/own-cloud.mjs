/** What stages of `./nestack test` need that bring up a cloud of their own. */
import { importSource } from './import-library.mjs';

export const SIMULATED = ['--virt', 'fake', '--net', 'fake', '--volume', 'fake'];
/** Where ports are looked for, so that stages beside each other never pick the same; those of jest's workers are the first. */
const SEATS = { conformance: 8, fuzz: 9 };

/** An offset with which all ports of a cloud are free. */
export async function freeOffset(stage) {
  const source = await importSource('apps/nestack-e2e/src/free-offset.ts');
  return source.freeOffset(SEATS[stage]);
}
