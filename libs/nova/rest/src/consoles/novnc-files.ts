import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { NOVNC_HTML, NOVNC_SCRIPT } from './novnc-page';

export interface NovncFile {
  readonly type: string;
  readonly body: string | Buffer;
}

const HTML = { type: 'text/html; charset=utf-8', body: NOVNC_HTML };

/** Under these names upstream's URLs know the page. */
const OWN: ReadonlyMap<string, NovncFile> = new Map([
  ['/vnc_lite.html', HTML],
  ['/vnc_auto.html', HTML],
  ['/vnc.html', HTML],
  ['/nestack.js', { type: 'text/javascript; charset=utf-8', body: NOVNC_SCRIPT }],
]);

/** noVNC's own modules, as its package has them. */
const MODULE = /^\/(core|vendor)(\/[a-z0-9_-]+){1,6}\.js$/i;

/** What the proxy serves over plain HTTP: the page and noVNC's modules. */
export class NovncFiles {
  private readonly root: string;

  constructor() {
    // The package names its main module alone: <root>/core/rfb.js.
    this.root = path.resolve(createRequire(import.meta.url).resolve('@novnc/novnc'), '../..');
  }

  /** The file of a path without its query; null when there is none. */
  async at(name: string): Promise<NovncFile | null> {
    const own = OWN.get(name);
    if (own !== undefined) return own;
    if (!MODULE.test(name)) return null;
    try {
      return { type: 'text/javascript; charset=utf-8', body: await readFile(path.join(this.root, name)) };
    } catch (error) {
      if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
      throw error;
    }
  }
}
