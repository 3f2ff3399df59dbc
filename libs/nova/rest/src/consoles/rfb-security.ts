import type { Duplex } from 'node:stream';

/** RFB 3.8, the one version that is proxied. upstream: nova/console/securityproxy/rfb.py */
const VERSION = 'RFB 003.008\n';
/** RFB's security type of those that need no login. */
const NONE = 1;
const MAX_REASON = 4096;

/** A console that cannot be brought together with its viewer. */
export class RfbRefused extends Error {}

/**
 * Opens an RFB session between a viewer and a guest's screen up to its security, which is settled with each side for itself: the
 * viewer has shown his token and needs no login, the screen is behind the host's gate. What follows is passed on as it is.
 * Throws RfbRefused; the viewer has been told why, as RFB does it.
 */
export async function openRfb(viewer: Duplex, screen: Duplex): Promise<void> {
  const version = (await exactly(screen, VERSION.length)).toString('latin1');
  if (version !== VERSION) throw new RfbRefused(`the screen speaks ${printable(version)}`);
  viewer.write(VERSION);
  const answer = (await exactly(viewer, VERSION.length)).toString('latin1');
  if (answer !== VERSION) throw new RfbRefused(`the viewer speaks ${printable(answer)}`);
  screen.write(VERSION);
  await secureScreen(viewer, screen);
  viewer.write(Buffer.from([1, NONE]));
  const [chosen] = await exactly(viewer, 1);
  if (chosen !== NONE) {
    fail(viewer, 'Only the security type None is supported.');
    throw new RfbRefused(`the viewer chose the security type ${String(chosen)}`);
  }
  // The screen's SecurityResult.
  const result = await exactly(screen, 4);
  if (result.readUInt32BE() === 0) {
    viewer.write(result);
    return;
  }
  const reason = await reasonOf(screen);
  fail(viewer, reason);
  throw new RfbRefused(`the screen refused: ${printable(reason)}`);
}

/** Chooses None of what the screen offers. */
async function secureScreen(viewer: Duplex, screen: Duplex): Promise<void> {
  const [count = 0] = await exactly(screen, 1);
  if (count === 0) {
    const reason = await reasonOf(screen);
    viewer.write(Buffer.concat([Buffer.from([0]), counted(reason)]));
    throw new RfbRefused(`the screen refused: ${printable(reason)}`);
  }
  if (!(await exactly(screen, count)).includes(NONE)) {
    viewer.write(Buffer.concat([Buffer.from([0]), counted('Unable to negotiate security with the server.')]));
    throw new RfbRefused('the screen wants a login');
  }
  screen.write(Buffer.from([NONE]));
}

/** So many bytes; throws when the stream ends before. */
async function exactly(stream: Duplex, bytes: number): Promise<Buffer> {
  for (;;) {
    const chunk = stream.read(bytes) as Buffer | null;
    if (chunk?.length === bytes) return chunk;
    if (chunk !== null || stream.readableEnded || stream.destroyed) throw new RfbRefused('the connection was closed');
    await change(stream);
  }
}

/** Until there is more to read, or the stream has ended. */
function change(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'close'] as const;
    const done = (): void => {
      for (const event of events) stream.off(event, done);
      resolve();
    };
    for (const event of events) stream.on(event, done);
  });
}

async function reasonOf(screen: Duplex): Promise<string> {
  const length = (await exactly(screen, 4)).readUInt32BE();
  return (await exactly(screen, Math.min(length, MAX_REASON))).toString('latin1');
}

function fail(viewer: Duplex, reason: string): void {
  viewer.write(Buffer.concat([Buffer.from([0, 0, 0, 1]), counted(reason)]));
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function printable(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
