import { duration, labelOf, type Sequence } from './sequence';

/** A sequence as Mermaid's text form. */
export function drawMermaid(sequence: Sequence): string {
  const idOf = (name: string): string => `p${sequence.participants.indexOf(name)}`;
  const lines = ['sequenceDiagram', `  title ${escaped(`${sequence.title} (${duration(sequence.durationMs)})`)}`];
  for (const name of sequence.participants) lines.push(`  participant ${idOf(name)} as ${escaped(name)}`);
  for (const row of sequence.rows) {
    const { activity } = row;
    const [from, to] = [idOf(activity.from), idOf(activity.to)];
    if (row.type === 'step') lines.push(`  Note over ${from}: ${escaped(labelOf(row))}`);
    else if (row.type === 'return') lines.push(`  ${to}-->>${from}: ${escaped(labelOf(row))}`);
    else lines.push(`  ${from}${activity.oneWay ? '-)' : '->>'}${to}: ${escaped(labelOf(row))}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Characters that mean something to Mermaid or to HTML become its numeric entities. */
function escaped(text: string): string {
  return text
    .replace(/[#;<>"&{}\\`]/g, (char) => `#${char.charCodeAt(0)};`)
    .replaceAll(/\s+/g, ' ')
    .trim();
}
