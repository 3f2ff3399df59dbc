import { describe, expect, it } from '@jest/globals';
import { drawHtml } from './html';
import { drawMermaid } from './mermaid';
import { parseTraceLine, selectTraces, type LoggedTrace } from './records';
import { sequenceOf } from './sequence';
import { drawTerminal } from './terminal';

const SERVER = '11111111-2222-3333-4444-555555555555';
const BEGIN = Date.parse('2026-01-02T03:04:05.000Z');

interface Line {
  service: string;
  host?: string;
  span: string;
  parent?: string;
  kind: string;
  from: string;
  to: string;
  name: string;
  at: number;
  ms: number;
  status?: string;
  resource?: string;
  trace?: string;
}

function line(one: Line): string {
  return JSON.stringify({
    ts: '2026-01-02T03:04:06.000Z',
    level: 'info',
    service: one.service,
    host: one.host ?? 'one',
    event: 'trace',
    request_id: 'req-1',
    global_request_id: 'req-1',
    trace_id: one.trace ?? 't1',
    span_id: one.span,
    parent_span_id: one.parent ?? null,
    trace: {
      kind: one.kind,
      from: one.from,
      to: one.to,
      name: one.name,
      start: new Date(BEGIN + one.at).toISOString(),
      duration_ms: one.ms,
      status: one.status ?? 'ok',
      ...(one.resource === undefined ? {} : { resource: one.resource }),
    },
  });
}

const BOOT = [
  line({
    service: 'nova-api',
    span: 'a',
    kind: 'rest.in',
    from: 'client',
    to: 'nova-api',
    name: 'POST /v2.1/servers',
    at: 0,
    ms: 40,
    status: '202',
    resource: `server:${SERVER}`,
  }),
  line({
    service: 'nova-api',
    span: 'b',
    parent: 'a',
    kind: 'rest.out',
    from: 'nova-api',
    to: 'glance',
    name: 'GET /v2/images/x',
    at: 5,
    ms: 12,
    status: '200',
  }),
  line({
    service: 'glance',
    span: 'c',
    parent: 'b',
    kind: 'rest.in',
    from: 'nova-api',
    to: 'glance',
    name: 'GET /v2/images/x',
    at: 7,
    ms: 8,
    status: '200',
  }),
  line({
    service: 'nova-conductor',
    span: 'd',
    parent: 'a',
    kind: 'saga.step',
    from: 'nova-conductor',
    to: 'nova-conductor',
    name: 'server.create/schedule',
    at: 50,
    ms: 30,
    resource: `server:${SERVER}`,
  }),
  line({
    service: 'nova-conductor',
    span: 'e',
    parent: 'd',
    kind: 'rpc.call',
    from: 'nova-conductor',
    to: 'nova-scheduler',
    name: 'select_destinations',
    at: 52,
    ms: 25,
  }),
  line({
    service: 'nova-scheduler',
    span: 'f',
    parent: 'e',
    kind: 'rpc.in',
    from: 'nova-conductor',
    to: 'nova-scheduler',
    name: 'select_destinations',
    at: 55,
    ms: 20,
  }),
  line({
    service: 'nova-scheduler',
    span: 'g',
    parent: 'f',
    kind: 'rest.out',
    from: 'nova-scheduler',
    to: 'placement',
    name: 'GET /allocation_candidates',
    at: 57,
    ms: 10,
    status: '503',
  }),
  line({
    service: 'nova-conductor',
    span: 'h',
    parent: 'd',
    kind: 'rpc.cast',
    from: 'nova-conductor',
    to: 'nova-compute@two',
    name: 'build_and_run_instance',
    at: 90,
    ms: 1,
  }),
  line({
    service: 'nova-compute',
    host: 'two',
    span: 'i',
    parent: 'h',
    kind: 'rpc.in',
    from: 'nova-conductor',
    to: 'nova-compute@two',
    name: 'build_and_run_instance',
    at: 93,
    ms: 500,
  }),
  line({
    service: 'nova-compute',
    host: 'two',
    span: 'j',
    parent: 'i',
    kind: 'driver',
    from: 'nova-compute',
    to: 'libvirt',
    name: 'virsh start <guest>',
    at: 100,
    ms: 300,
  }),
];

const POLL = line({
  service: 'nova-api',
  span: 'z',
  kind: 'rest.in',
  from: 'client',
  to: 'nova-api',
  name: `GET /v2.1/servers/${SERVER}`,
  at: 700,
  ms: 4,
  status: '200',
  trace: 't2',
});

function parsed(lines: readonly string[]): LoggedTrace[] {
  return lines.map(parseTraceLine).filter((record) => record !== null);
}

describe('trace records', () => {
  it('are found among other lines, cut ones included', () => {
    expect(parseTraceLine('{"event":"started"}')).toBeNull();
    expect(parseTraceLine(`${BOOT[0]?.slice(0, 200) ?? ''}`)).toBeNull();
    expect(parseTraceLine(BOOT[0] ?? '')).toMatchObject({
      kind: 'rest.in',
      requestId: 'req-1',
      resource: `server:${SERVER}`,
    });
  });

  it('are selected by request and by resource, without polling', () => {
    const records = parsed([POLL, ...BOOT]);
    expect(selectTraces(records, SERVER).map((list) => list.length)).toEqual([BOOT.length]);
    expect(selectTraces(records, 'req-1')).toHaveLength(1);
    expect(selectTraces(parsed([POLL]), SERVER)).toHaveLength(1);
    expect(selectTraces(records, 'req-2')).toEqual([]);
  });
});

describe('a sequence', () => {
  const sequence = sequenceOf(parsed(BOOT));

  it('joins both ends of a message and orders the participants', () => {
    expect(sequence.participants).toEqual([
      'client',
      'nova-api',
      'conductor',
      'scheduler',
      'placement',
      'compute',
      'glance',
    ]);
    expect(sequence.activities.map((one) => [one.from, one.to, one.name])).toEqual([
      ['client', 'nova-api', 'POST /v2.1/servers'],
      ['nova-api', 'glance', 'GET /v2/images/x'],
      ['conductor', 'conductor', 'server.create/schedule'],
      ['conductor', 'scheduler', 'select_destinations'],
      ['scheduler', 'placement', 'GET /allocation_candidates'],
      ['conductor', 'compute', 'build_and_run_instance'],
      ['compute', 'compute', 'virsh start <guest>'],
    ]);
    expect(sequence.durationMs).toBe(593);
    expect(sequence.activities.filter((one) => one.failed).map((one) => one.status)).toEqual(['503']);
  });

  it('puts the answer on the line of the call when nothing lies between', () => {
    const rows = sequence.rows.map((row) => `${row.type}${row.complete ? '!' : ''} ${row.activity.name}`);
    expect(rows.slice(0, 3)).toEqual([
      'call POST /v2.1/servers',
      'call! GET /v2/images/x',
      'return POST /v2.1/servers',
    ]);
  });

  it('names hosts when there are several', () => {
    const other = parsed([
      line({
        service: 'nova-compute',
        host: 'one',
        span: 'k',
        parent: 'x',
        kind: 'driver',
        from: 'nova-compute',
        to: 'libvirt',
        name: 'virsh',
        at: 1,
        ms: 1,
      }),
    ]);
    expect(sequenceOf([...parsed(BOOT), ...other]).participants).toContain('compute@two');
  });

  it('fits terminals of 100 to 140 columns', () => {
    for (const width of [100, 120, 140]) {
      const lines = drawTerminal(sequence, { width, color: false }).split('\n');
      expect(Math.max(...lines.map((one) => one.length))).toBeLessThanOrEqual(width);
    }
    const drawing = drawTerminal(sequence, { width: 120, color: false });
    expect(drawing).toContain('═');
    expect(drawing).toMatch(/0\.100 .*■.*virsh start <guest> \(300 ms\)/);
  });

  it('becomes Mermaid with nothing that Mermaid would read otherwise', () => {
    const text = drawMermaid(sequence);
    expect(text).toContain('p0->>p1: POST /v2.1/servers');
    expect(text).toContain('p2-)p5: build_and_run_instance (503 ms)');
    expect(text).toContain('Note over p5: virsh start #60;guest#62; (300 ms)');
  });

  it('becomes a web page with everything escaped and nothing fetched', () => {
    const page = drawHtml([sequence], '<script>alert(1)</script>');
    expect(page).not.toContain('<script');
    expect(page).not.toMatch(/https?:\/\//);
    expect(page).toContain('virsh start &lt;guest&gt;');
    expect(page.match(/class="row"/g)).toHaveLength(sequence.rows.length);
  });

  it('names sub-services that share an app by whom their messages are for', () => {
    const common = { service: 'cinder', from: 'cinder', name: 'create_volume', at: 1, ms: 2 };
    const lines = [
      line({
        service: 'cinder',
        span: 'a',
        kind: 'rest.in',
        from: 'client',
        to: 'cinder',
        name: 'POST /volumes',
        at: 0,
        ms: 9,
      }),
      line({ ...common, span: 'b', parent: 'a', kind: 'rpc.call', to: 'cinder-scheduler' }),
      line({ ...common, span: 'c', parent: 'b', kind: 'rpc.in', to: 'cinder-scheduler' }),
      line({ ...common, span: 'd', parent: 'a', kind: 'rpc.call', to: 'cinder-volume@one', at: 4 }),
      line({ ...common, span: 'e', parent: 'd', kind: 'rpc.in', to: 'cinder-volume@one', at: 4 }),
    ];
    const records = lines
      .map((text) => parseTraceLine(text))
      .filter((record): record is LoggedTrace => record !== null);
    expect(sequenceOf(records).activities.map((one) => `${one.from} ${one.to}`)).toEqual([
      'client cinder',
      'cinder cinder-scheduler',
      'cinder cinder-volume',
    ]);
  });
});
