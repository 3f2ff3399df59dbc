import { duplexPair, type Duplex } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { openRfb, RfbRefused } from './rfb-security';

const VERSION = 'RFB 003.008\n';

/** What both sides say, in one go each, and how it ends: what the viewer heard, what the screen heard, and why it failed. */
async function talk(
  viewerSays: string,
  screenSays: string,
): Promise<{ viewer: string; screen: string; refused: string | null }> {
  const [viewer, viewerInside] = duplexPair();
  const [screen, screenInside] = duplexPair();
  const heard = (side: Duplex): (() => string) => {
    let all = '';
    side.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
    return () => all;
  };
  const [toViewer, toScreen] = [heard(viewer), heard(screen)];
  viewer.end(Buffer.from(viewerSays, 'latin1'));
  screen.end(Buffer.from(screenSays, 'latin1'));
  const refused = await openRfb(viewerInside, screenInside).then(
    () => null,
    (error: unknown) => {
      if (!(error instanceof RfbRefused)) throw error;
      return error.message;
    },
  );
  const rest = screenInside.read() as Buffer | null;
  for (const side of [viewerInside, screenInside]) side.end();
  await new Promise((resolve) => setImmediate(resolve));
  return { viewer: toViewer() + (rest?.toString('latin1') ?? ''), screen: toScreen(), refused };
}

describe('the opening of RFB', () => {
  it('settles security with each side and leaves alone what comes after', async () => {
    expect(await talk(`${VERSION}\x01`, `${VERSION}\x02\x02\x01\x00\x00\x00\x00screen`)).toEqual({
      viewer: `${VERSION}\x01\x01\x00\x00\x00\x00screen`,
      screen: `${VERSION}\x01`,
      refused: null,
    });
  });

  it('tells the viewer why the screen refuses', async () => {
    const early = await talk(`${VERSION}\x01`, `${VERSION}\x00\x00\x00\x00\x04busy`);
    expect(early).toMatchObject({
      viewer: `${VERSION}\x00\x00\x00\x00\x04busy`,
      refused: 'the screen refused: "busy"',
    });
    const late = await talk(`${VERSION}\x01`, `${VERSION}\x01\x01\x00\x00\x00\x01\x00\x00\x00\x04full`);
    expect(late).toMatchObject({
      viewer: `${VERSION}\x01\x01\x00\x00\x00\x01\x00\x00\x00\x04full`,
      refused: 'the screen refused: "full"',
    });
  });

  it('refuses logins, other versions, and whoever leaves', async () => {
    expect((await talk(`${VERSION}\x01`, `${VERSION}\x01\x02`)).refused).toBe('the screen wants a login');
    expect((await talk(`${VERSION}\x02`, `${VERSION}\x01\x01`)).refused).toBe('the viewer chose the security type 2');
    expect((await talk('RFB 003.003\n', VERSION)).refused).toContain('the viewer speaks');
    expect((await talk(VERSION, 'RFB 003.003\n')).refused).toContain('the screen speaks');
    expect((await talk('', `${VERSION}\x01\x01`)).refused).toBe('the connection was closed');
    expect((await talk(VERSION, 'RFB')).refused).toBe('the connection was closed');
  });
});
