import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphOf } from './fake-font';

/** Characters on the screen. */
export const COLUMNS = 80;
export const ROWS = 25;
/** Pixels; each glyph has a blank column and some blank rows around it. */
const CELL_WIDTH = GLYPH_WIDTH + 2;
const CELL_HEIGHT = GLYPH_HEIGHT + 5;
export const WIDTH = COLUMNS * CELL_WIDTH;
export const HEIGHT = ROWS * CELL_HEIGHT;

const PRINTABLE = /^[ -~]$/;
const MAX_INPUT = 60;

/**
 * The text screen of a simulated guest: the last lines of its console, a login prompt, and what is typed there. Every name is asked
 * for a password, which shows nothing; nobody gets in.
 */
export class FakeScreen {
  private readonly typed: string[] = [];
  private input = '';
  private asking: 'login' | 'password' = 'login';
  private readonly watchers = new Set<() => void>();

  constructor(
    private readonly name: string,
    /** The lines of the guest's console without its prompt, as they are now. */
    private readonly boot: () => readonly string[],
  ) {}

  /** A key that was pressed, as X11's keysym. */
  press(keysym: number): void {
    const character = keysym < 0x80 ? String.fromCharCode(keysym) : '';
    if (PRINTABLE.test(character)) this.input = `${this.input}${character}`.slice(0, MAX_INPUT);
    else if (keysym === 0xff08) this.input = this.input.slice(0, -1);
    else if (keysym === 0xff0d || keysym === 0xff8d) this.enter();
    else return;
    this.changed();
  }

  /** Tells of every change from now on, until the answered function is called. */
  watch(listener: () => void): () => void {
    this.watchers.add(listener);
    return () => this.watchers.delete(listener);
  }

  /** The console has said something. */
  changed(): void {
    for (const listener of this.watchers) listener();
  }

  /** What stands on the screen, from its top. */
  lines(): readonly string[] {
    return [...this.boot(), ...this.typed, this.line()]
      .flatMap((line) => line.match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [''])
      .slice(-ROWS);
  }

  /** The picture, a byte for each pixel: 1 is ink. */
  pixels(): Uint8Array {
    const picture = new Uint8Array(WIDTH * HEIGHT);
    const lines = this.lines();
    lines.forEach((line, row) => {
      for (let column = 0; column < line.length; column += 1) draw(picture, row, column, glyphOf(line[column] ?? ' '));
    });
    const cursor = (lines.at(-1) ?? '').length;
    if (cursor < COLUMNS) draw(picture, lines.length - 1, cursor, CURSOR);
    return picture;
  }

  private line(): string {
    return this.asking === 'login' ? `${this.name} login: ${this.input}` : 'Password: ';
  }

  private enter(): void {
    if (this.asking === 'login' && this.input === '') return;
    this.typed.push(this.line());
    if (this.asking === 'password') this.typed.push('', 'Login incorrect');
    this.typed.splice(0, this.typed.length - ROWS);
    this.asking = this.asking === 'login' ? 'password' : 'login';
    this.input = '';
  }
}

/** A bar below the place of the next character. */
const CURSOR: readonly number[] = [0, 0, 0, 0, 0, 0, 0b11111];

function draw(picture: Uint8Array, row: number, column: number, glyph: readonly number[]): void {
  const left = column * CELL_WIDTH + 1;
  const top = row * CELL_HEIGHT + 2;
  glyph.forEach((bits, y) => {
    for (let x = 0; x < GLYPH_WIDTH; x += 1) {
      if ((bits & (1 << (GLYPH_WIDTH - 1 - x))) !== 0) picture[(top + y) * WIDTH + left + x] = 1;
    }
  });
}
