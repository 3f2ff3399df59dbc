import { readdirSync, readFileSync } from 'node:fs';

/** Memory and processor time of processes, from /proc. */
export interface Memory {
  /** Proportional set size, bytes: shared pages are counted once over all. */
  readonly pss: number;
  readonly rss: number;
}

interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

/** Clock ticks per second of /proc; 100 on every Linux that Node.js runs on. */
const TICKS = 100;

/** Bytes of a page. */
const PAGE = 4096;

function statOf(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return null;
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    // It ended meanwhile.
    return null;
  }
}

/** The processes given and all below them. */
export function processTree(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>();
  for (const name of readProc()) {
    const pid = Number(name);
    const stat = statOf(pid);
    if (stat !== null) children.set(stat.parent, [...(children.get(stat.parent) ?? []), pid]);
  }
  const found = new Set<number>();
  const queue = [...roots];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    if (found.has(pid)) continue;
    found.add(pid);
    queue.push(...(children.get(pid) ?? []));
  }
  return [...found];
}

function readProc(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    // No /proc: not Linux.
    return [];
  }
}

/** The memory of processes together; those that ended meanwhile count nothing. */
export function memoryOf(pids: readonly number[]): Memory {
  let pss = 0;
  let rss = 0;
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      pss += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
      rss += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
    } catch {
      // It ended, or belongs to another user.
    }
  }
  return { pss, rss };
}

/** Resident memory of processes in bytes, read so cheaply that it may be watched while something else is timed. */
export function residentOf(pids: readonly number[]): number {
  let pages = 0;
  for (const pid of pids) {
    try {
      pages += Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1] ?? 0);
    } catch {
      // It ended meanwhile.
    }
  }
  return pages * PAGE;
}

/** Processor time of processes so far, milliseconds. */
export function cpuMsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ((statOf(pid)?.ticks ?? 0) * 1000) / TICKS, 0);
}

/** A process' program and arguments. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    // It ended meanwhile.
    return '';
  }
}
