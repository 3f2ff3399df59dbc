/** What stages of `./nestack test` need that bring up a cloud of their own. */
import { createServer } from 'node:net';

export const SIMULATED = ['--virt', 'fake', '--net', 'fake', '--volume', 'fake'];
/** The ports of a cloud: where they are with an offset of 0. */
const PORTS = [5000, 8774, 8775, 8776, 8778, 9292, 9696, 25_432, 25_672, 25_673, 24_369];

/** An offset with which all ports of a cloud are free. */
export async function freeOffset() {
  for (let tries = 0; tries < 50; tries += 1) {
    const offset = 1000 + 100 * Math.floor(Math.random() * 250);
    const free = await Promise.all(PORTS.map((port) => isFree(port + offset)));
    if (free.every(Boolean)) return offset;
  }
  throw new Error('found no free ports');
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
