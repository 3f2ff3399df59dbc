import type { LoggedTrace } from './records';

/** A request, RPC or step with its place in the drawing. */
export interface Activity {
  readonly type: 'rest' | 'rpc' | 'step';
  /** Nobody waits for an answer (cast, fanout). */
  readonly oneWay: boolean;
  readonly kind: string;
  readonly from: string;
  readonly to: string;
  readonly name: string;
  /** Milliseconds since the beginning of the sequence. */
  readonly start: number;
  readonly end: number;
  readonly status: string;
  readonly failed: boolean;
  /** How many activities it lies within. */
  readonly depth: number;
  readonly resource: string | null;
}

/** One line of the drawing. */
export interface Row {
  readonly type: 'call' | 'return' | 'step';
  readonly at: number;
  readonly activity: Activity;
  /** A call whose answer is on the same line, since nothing happens in between. */
  readonly complete: boolean;
}

export interface Sequence {
  readonly traceId: string;
  readonly requestId: string;
  readonly title: string;
  readonly startedAt: string;
  readonly durationMs: number;
  readonly participants: readonly string[];
  readonly activities: readonly Activity[];
  readonly rows: readonly Row[];
}

/** From left to right; others come after, in the order of their first appearance. */
const ORDER = [
  'client',
  'nova-api',
  'conductor',
  'scheduler',
  'placement',
  'compute',
  'glance',
  'neutron',
  'neutron-agent',
  'cinder',
  'cinder-scheduler',
  'cinder-volume',
  'keystone',
];

const SHORT: Readonly<Record<string, string>> = {
  'nova-conductor': 'conductor',
  'nova-scheduler': 'scheduler',
  'nova-compute': 'compute',
};

/** Services of which there is one per host. */
const PER_HOST = new Set(['compute', 'neutron-agent', 'cinder-volume']);

interface Pair {
  readonly out: LoggedTrace | null;
  readonly in: LoggedTrace | null;
}

/** Makes a sequence out of one trace's records: both ends of a message become one, names become participants. */
export function sequenceOf(records: readonly LoggedTrace[]): Sequence {
  const origin = Math.min(...records.map((record) => record.start));
  const name = namer(records);
  const flat = pairUp(records).map((pair) => toActivity(pair, name, origin));
  flat.sort((a, b) => a.start - b.start || b.end - a.end);
  const activities = withDepths(flat);
  const first = records.find((record) => record.kind === 'rest.in' && record.from === 'client') ?? records[0];
  return {
    traceId: first?.traceId ?? '',
    requestId: first?.globalRequestId ?? '',
    title: first?.name ?? '',
    startedAt: new Date(origin).toISOString(),
    durationMs: Math.max(0, ...activities.map((one) => one.end)),
    participants: participantsOf(activities),
    activities,
    rows: rowsOf(activities),
  };
}

const OUTGOING = new Set(['rest.out', 'rpc.call', 'rpc.cast', 'rpc.fanout']);

/** The sender's and the receiver's record of the same message; the receiver's span is a child of the sender's. */
function pairUp(records: readonly LoggedTrace[]): Pair[] {
  const incoming = records.filter((record) => record.kind.endsWith('.in'));
  const taken = new Set<LoggedTrace>();
  const pairs: Pair[] = [];
  for (const out of records.filter((record) => OUTGOING.has(record.kind))) {
    const candidates = incoming.filter((one) => one.parentSpanId === out.spanId || one.spanId === out.spanId);
    const family = out.kind.slice(0, 4);
    // A retried request and a fanout are received more than once.
    const received = candidates.filter((one) => one.kind.startsWith(family) && !taken.has(one));
    for (const one of received) taken.add(one);
    if (received.length === 0) pairs.push({ out, in: null });
    else for (const one of received) pairs.push({ out, in: one });
  }
  for (const one of incoming) if (!taken.has(one)) pairs.push({ out: null, in: one });
  for (const one of records)
    if (!OUTGOING.has(one.kind) && !one.kind.endsWith('.in')) pairs.push({ out: one, in: null });
  return pairs;
}

type Namer = (service: string, host: string | null) => string;

function namer(records: readonly LoggedTrace[]): Namer {
  const hosts = new Map<string, Set<string>>();
  for (const record of records) {
    const base = shortOf(record.service);
    if (PER_HOST.has(base)) hosts.set(base, (hosts.get(base) ?? new Set()).add(record.host));
  }
  return (service, host) => {
    const [plain = '', named] = service.split('@');
    const base = shortOf(plain);
    const where = named ?? host;
    return (hosts.get(base)?.size ?? 0) > 1 && where !== null ? `${base}@${where}` : base;
  };
}

function shortOf(service: string): string {
  return SHORT[service] ?? service;
}

/** Sub-services that share an app write under its name; the message says which of them it was for. */
function receiver(record: LoggedTrace, received: LoggedTrace): string {
  const [addressee = ''] = record.to.split('@');
  return addressee.startsWith(`${received.service}-`) && ORDER.includes(addressee) ? addressee : received.service;
}

function toActivity(pair: Pair, name: Namer, origin: number): Activity {
  const record = pair.out ?? pair.in;
  if (record === null) throw new Error('a pair of nothing');
  const { kind } = record;
  const type = kind.startsWith('rest') ? 'rest' : kind.startsWith('rpc') ? 'rpc' : 'step';
  const oneWay = kind === 'rpc.cast' || kind === 'rpc.fanout';
  // The receiver knows its own name; the sender of a cast does not know how long the work took.
  const to =
    pair.in === null
      ? name(record.to, type === 'step' ? record.host : null)
      : name(receiver(record, pair.in), pair.in.host);
  const from = pair.out === null ? name(record.from, null) : name(pair.out.service || pair.out.from, pair.out.host);
  const timed = oneWay && pair.in !== null ? pair.in : record;
  const status = timed.status;
  return {
    type,
    oneWay,
    kind,
    from: type === 'step' ? name(record.service || record.from, record.host) : from,
    to: type === 'step' ? name(record.service || record.from, record.host) : to,
    name: record.name,
    start: record.start - origin,
    end: timed.start - origin + timed.durationMs,
    status,
    failed: status.startsWith('error') || /^[45]\d\d$/.test(status),
    depth: 0,
    resource: record.resource ?? pair.in?.resource ?? null,
  };
}

/** Depth by containment in time of what is still open at the same participant's other end. */
function withDepths(activities: readonly Activity[]): Activity[] {
  const open: Activity[] = [];
  return activities.map((activity) => {
    const parents = open.filter((one) => one.end >= activity.end && one.to === activity.from);
    const depth = Math.max(-1, ...parents.map((one) => one.depth)) + 1;
    const placed = { ...activity, depth };
    open.push(placed);
    return placed;
  });
}

function participantsOf(activities: readonly Activity[]): string[] {
  const found: string[] = [];
  for (const activity of activities) {
    for (const name of [activity.from, activity.to]) if (!found.includes(name)) found.push(name);
  }
  const rank = (name: string): number => {
    const at = ORDER.indexOf(name.split('@')[0] ?? name);
    return at < 0 ? ORDER.length + found.indexOf(name) : at;
  };
  return found.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

function rowsOf(activities: readonly Activity[]): Row[] {
  const points: { at: number; order: number; activity: Activity; returns: boolean }[] = [];
  activities.forEach((activity, index) => {
    points.push({ at: activity.start, order: index, activity, returns: false });
    if (activity.type !== 'step' && !activity.oneWay) {
      points.push({ at: activity.end, order: -index, activity, returns: true });
    }
  });
  // At the same moment, answers come before new calls, and inner answers before outer ones.
  points.sort((a, b) => a.at - b.at || Number(b.returns) - Number(a.returns) || a.order - b.order);
  const rows: Row[] = [];
  for (const point of points) {
    const { activity, at } = point;
    const last = rows.at(-1);
    if (point.returns && last !== undefined && last.type === 'call' && last.activity === activity) {
      rows[rows.length - 1] = { ...last, complete: true };
    } else if (point.returns) {
      rows.push({ type: 'return', at, activity, complete: false });
    } else {
      const type = activity.type === 'step' ? 'step' : 'call';
      rows.push({ type, at, activity, complete: type === 'step' || activity.oneWay });
    }
  }
  return rows;
}

/** A duration for people: `0.42 ms`, `35 ms`, `1.24 s`. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return milliseconds >= 10 ? `${milliseconds.toFixed(0)} ms` : `${milliseconds.toFixed(1)} ms`;
}

/** Ids in paths say little to a reader of a drawing: their beginning is enough. */
export function shorten(text: string): string {
  return text
    .replace(/\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '$1…')
    .replace(/\b([0-9a-f]{8})[0-9a-f]{24}\b/g, '$1…');
}

/** What a row says: name, outcome and time. */
export function labelOf(row: Row): string {
  const { activity } = row;
  const took = duration(activity.end - activity.start);
  if (row.type === 'return') return `${activity.status} (${took})`;
  const name = shorten(activity.name);
  if (!row.complete) return name;
  return activity.status === 'ok' ? `${name} (${took})` : `${name}: ${activity.status} (${took})`;
}
