import { duration, labelOf, type Activity, type Row, type Sequence } from './sequence';

const ROW = 36;
const TOP = 56;
const LEFT = 84;
const STYLE = `
:root { color-scheme: light dark; --ink: #1d2733; --soft: #6b7785; --line: #c9d1da; --paper: #fbfcfd; --card: #fff;
  --rest: #1f6feb; --rpc: #8250df; --step: #9a6700; --bad: #cf222e; --bar: #dce9fb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #8d98a5; --line: #39424d; --paper: #0f141a; --card: #161c24;
  --rest: #6cb0ff; --rpc: #c297ff; --step: #e3b341; --bad: #ff7b72; --bar: #1d3350; } }
body { margin: 0; padding: 28px 32px; background: var(--paper); color: var(--ink); font: 14px/1.45 system-ui, sans-serif; }
h1 { font-size: 20px; margin: 0 0 4px; overflow-wrap: anywhere; } .about { color: var(--soft); margin: 0 0 18px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px; margin-bottom: 28px; overflow-x: auto; }
svg { display: block; font: 12px system-ui, sans-serif; } svg text { fill: var(--ink); } .time { fill: var(--soft) !important; font-size: 11px; }
.name { font-weight: 600; } .head { fill: var(--paper); stroke: var(--line); } .life { stroke: var(--line); stroke-dasharray: 3 3; }
.bar { fill: var(--bar); } .rest { stroke: var(--rest); } .rpc { stroke: var(--rpc); } .bad { stroke: var(--bad); } path.back { stroke-dasharray: 5 4; }
path { fill: none; stroke-width: 1.4; } .step { fill: var(--step); stroke: none; } .failed { fill: var(--bad) !important; }
.label { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
rect.hit { fill: transparent; } g.row:hover rect.hit { fill: color-mix(in srgb, var(--rest) 10%, transparent); }
.legend { color: var(--soft); font-size: 13px; } .legend b { font-weight: 600; }
`;

/** Draws sequences as one web page that needs nothing else: no scripts, no fonts, no images. */
export function drawHtml(sequences: readonly Sequence[], subject: string): string {
  const sections = sequences.map(
    (sequence) =>
      `<h1>${escaped(sequence.title)}</h1>\n<p class="about">${escaped(sequence.requestId)} · ${escaped(sequence.startedAt)} · ${escaped(duration(sequence.durationMs))}</p>\n<section>\n${svg(sequence)}\n</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(`Trace of ${subject}`)}</title>
<style>${STYLE}</style>
</head>
<body>
${sections.join('\n')}
<p class="legend"><b style="color:var(--rest)">REST</b>, <b style="color:var(--rpc)">RPC over RabbitMQ</b>, <b style="color:var(--step)">saga steps and driver commands</b>, <b style="color:var(--bad)">failures</b>. Dashed: answers. Times in seconds since the first request.</p>
</body>
</html>
`;
}

function svg(sequence: Sequence): string {
  const { participants, rows } = sequence;
  const longest = Math.max(...participants.map((name) => name.length), 8);
  const column = Math.max(118, longest * 8 + 24);
  const x = (name: string): number => LEFT + participants.indexOf(name) * column + column / 2;
  const y = (index: number): number => TOP + 30 + index * ROW;
  const edge = LEFT + participants.length * column;
  // Labels begin at the left end of their arrow and may reach beyond the last lifeline.
  const width = Math.max(edge, ...rows.map((row) => labelAt(row, x) + textWidth(labelOf(row)))) + 8;
  const height = y(rows.length) + 8;
  const parts = [
    `<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(sequence.title)}">`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M1 1 L7 4 L1 7" stroke="context-stroke"/></marker></defs>',
    ...participants.flatMap((name) => [
      `<line class="life" x1="${x(name)}" y1="${TOP - 14}" x2="${x(name)}" y2="${height - 8}"/>`,
      `<rect class="head" x="${x(name) - column / 2 + 5}" y="12" width="${column - 10}" height="28" rx="5"/>`,
      `<text class="name" x="${x(name)}" y="30" text-anchor="middle">${escaped(name)}</text>`,
    ]),
    ...bars(rows, x, y),
    ...rows.map((row, index) => drawRow(row, index, { x, y, width })),
    '</svg>',
  ];
  return parts.join('\n');
}

/** Where somebody works on a request: from its call to its answer. */
function bars(rows: readonly Row[], x: (name: string) => number, y: (index: number) => number): string[] {
  const starts = new Map<Activity, number>();
  const drawn: string[] = [];
  rows.forEach((row, index) => {
    if (row.type === 'call' && !row.complete) starts.set(row.activity, index);
    const start = row.type === 'return' ? starts.get(row.activity) : undefined;
    if (start === undefined) return;
    const height = y(index) - y(start);
    drawn.push(`<rect class="bar" x="${x(row.activity.to) - 4}" y="${y(start)}" width="8" height="${height}" rx="2"/>`);
  });
  return drawn;
}

interface Geometry {
  readonly x: (name: string) => number;
  readonly y: (index: number) => number;
  readonly width: number;
}

function drawRow(row: Row, index: number, geometry: Geometry): string {
  const { activity } = row;
  const at = geometry.y(index);
  const label = labelOf(row);
  const failed = activity.failed ? ' failed' : '';
  const [from, to] = row.type === 'return' ? [activity.to, activity.from] : [activity.from, activity.to];
  const line = activity.failed ? 'bad' : activity.type === 'rpc' ? 'rpc' : 'rest';
  const shape =
    row.type === 'step' || from === to
      ? `<rect class="step${failed}" x="${geometry.x(from) - 5}" y="${at - 5}" width="10" height="10" rx="2"/>`
      : `<path class="${line}${row.type === 'return' ? ' back' : ''}" d="M${geometry.x(from)} ${at} L${geometry.x(to)} ${at}" marker-end="url(#tip)"/>`;
  const about = [
    activity.kind,
    `${activity.from} → ${activity.to}`,
    activity.name,
    activity.status,
    activity.resource ?? '',
  ]
    .filter((text) => text !== '')
    .join('\n');
  return [
    `<g class="row"><title>${escaped(about)}</title>`,
    `<rect class="hit" x="0" y="${at - 22}" width="${geometry.width}" height="${ROW}"/>`,
    `<text class="time" x="${LEFT - 12}" y="${at + 4}" text-anchor="end">${(row.at / 1000).toFixed(3)}</text>`,
    shape,
    `<text class="label${failed}" x="${labelAt(row, geometry.x)}" y="${row.type === 'step' ? at + 4 : at - 6}">${escaped(label)}</text></g>`,
  ].join('');
}

/** Above the arrow, from its left end; beside the mark of a step. */
function labelAt(row: Row, x: (name: string) => number): number {
  const { from, to } = row.activity;
  return Math.min(x(from), x(to)) + (row.type === 'step' ? 12 : 9);
}

/** About what a text of this size takes. */
function textWidth(text: string): number {
  return text.length * 6.8;
}

function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (char) => entities[char] ?? char);
}
