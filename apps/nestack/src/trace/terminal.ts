import { duration, labelOf, type Row, type Sequence } from './sequence';

const TIME_WIDTH = 9;
const LEAST_LABEL = 40;
const COLORS = {
  failed: '\u001b[31m',
  rpc: '\u001b[36m',
  step: '\u001b[33m',
  dim: '\u001b[2m',
  off: '\u001b[0m',
} as const;

export interface TerminalOptions {
  /** Columns of the terminal. */
  readonly width: number;
  readonly color: boolean;
}

/** Draws a sequence with a lifeline per participant, times on the left and what happens on the right. */
export function drawTerminal(sequence: Sequence, options: TerminalOptions): string {
  const count = sequence.participants.length;
  const room = Math.floor((options.width - TIME_WIDTH - LEAST_LABEL) / Math.max(1, count));
  const column = Math.max(5, Math.min(12, room));
  const labelWidth = Math.max(20, options.width - TIME_WIDTH - column * count - 1);
  const lines = [
    `${sequence.title}`,
    `${sequence.requestId}  ${sequence.startedAt}  ${duration(sequence.durationMs)}`,
    '',
    ...header(sequence.participants, column),
    ...sequence.rows.flatMap((row) => drawRow(row, sequence.participants, column, labelWidth, options.color)),
  ];
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

/** Names above their lifelines, on two lines in turn when they are wider than a column. */
function header(participants: readonly string[], column: number): string[] {
  const tight = participants.some((name) => name.length >= column);
  const rows = tight ? [0, 1] : [0];
  return rows.map((row) => {
    let line = ' '.repeat(TIME_WIDTH);
    participants.forEach((name, index) => {
      const center = TIME_WIDTH + index * column + Math.floor(column / 2);
      if (tight && index % 2 !== row) {
        line = line.padEnd(center);
        if (row === 1) line = `${line.slice(0, center)}│`;
        return;
      }
      const shown = name.slice(0, tight ? column * 2 - 1 : column - 1);
      const at = Math.max(
        center - Math.floor(shown.length / 2),
        line.trimEnd().length === 0 ? 0 : line.trimEnd().length + 1,
      );
      line = `${line.padEnd(at).slice(0, at)}${shown}`;
    });
    return line;
  });
}

function drawRow(
  row: Row,
  participants: readonly string[],
  column: number,
  labelWidth: number,
  color: boolean,
): string[] {
  const { activity } = row;
  const [from, to] = row.type === 'return' ? [activity.to, activity.from] : [activity.from, activity.to];
  const cells = [...lifelines(participants.length, column)];
  const center = (name: string): number => participants.indexOf(name) * column + Math.floor(column / 2);
  if (row.type === 'step' || from === to) {
    cells[center(from)] = row.type === 'step' ? '■' : '◆';
  } else {
    const line = row.type === 'return' ? '╌' : activity.type === 'rpc' ? '═' : '─';
    const [a, b] = [center(from), center(to)];
    for (let at = Math.min(a, b) + 1; at < Math.max(a, b); at++) cells[at] = line;
    if (a < b) cells[b - 1] = '▶';
    else cells[b + 1] = '◀';
  }
  const indent = '  '.repeat(Math.min(activity.depth, 4));
  const parts = wrap(`${indent}${row.type === 'return' ? '↩ ' : ''}${labelOf(row)}`, labelWidth, indent);
  return parts.map((text, index) => {
    const time = index === 0 ? `${(row.at / 1000).toFixed(3)}`.padStart(TIME_WIDTH - 2) : ''.padStart(TIME_WIDTH - 2);
    const drawing = index === 0 ? cells.join('') : lifelines(participants.length, column).join('');
    return `${time}  ${drawing} ${paint(text, row, color)}`;
  });
}

function lifelines(count: number, column: number): string[] {
  return Array.from({ length: count * column }, (_, at) => (at % column === Math.floor(column / 2) ? '│' : ' '));
}

function paint(text: string, row: Row, color: boolean): string {
  if (!color) return text;
  const { activity } = row;
  const chosen = activity.failed
    ? COLORS.failed
    : row.type === 'return'
      ? COLORS.dim
      : activity.type === 'rpc'
        ? COLORS.rpc
        : activity.type === 'step'
          ? COLORS.step
          : '';
  return chosen === '' ? text : `${chosen}${text}${COLORS.off}`;
}

function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const cut = space > width / 2 ? space : width;
    lines.push(rest.slice(0, cut));
    rest = `${indent}  ${rest.slice(cut).trimStart()}`;
  }
  return [...lines, rest];
}
