import { createServer } from 'node:net';

/** The ports of a cloud: where they are with an offset of 0. */
const PORTS = [5000, 6080, 6100, 8774, 8775, 8776, 8778, 9292, 9696, 25_432, 25_672, 25_673, 24_369];
/** Ports of X11 and Amanda, which browsers and `fetch` do not speak HTTP to. spec: fetch.spec.whatwg.org, bad port */
const BARRED = new Set([6000, 10_080]);
/** Ports of clouds with offsets a multiple of this apart never meet those of clouds with other offsets. */
const SEATS = 11;
/** With these, all ports are below those that the system gives to outgoing connections, one of which might hold a port of ours. */
const LOW = 5;
const ALL = 21;
const LOW_TRIES = 50;

/**
 * An offset with which all ports of a cloud are free. Between this look and the cloud's start nobody holds them: clouds that may
 * start at the same time need different seats.
 * @param seat 0 to 10
 */
export async function freeOffset(seat: number): Promise<number> {
  for (let tries = 0; tries < 2 * LOW_TRIES; tries += 1) {
    const row = Math.floor(Math.random() * (tries < LOW_TRIES ? LOW : ALL));
    const offset = 100 * (10 + (seat % SEATS) + SEATS * row);
    const ports = PORTS.map((port) => port + offset);
    if (ports.some((port) => BARRED.has(port))) continue;
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return offset;
  }
  throw new Error('found no free ports');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
