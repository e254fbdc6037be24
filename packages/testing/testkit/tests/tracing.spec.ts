import { CONTINUE, DELIVER, RETRY } from '@tulle/filter';
import { createProxy, httpListener, route } from '@tulle/proxy';
import type { TelemetryPlugin, TracingSettings } from '@tulle/telemetry';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { filter, simple } from './support.ts';

const T = '0af7651916cd43dd8448eb211c80319c';
const S = 'b7ad6b7169203331';

const tracing = (settings: Partial<TracingSettings> = {}): TelemetryPlugin => ({
  name: 'tracing',
  tracing: { sampleRatio: 0, respectParent: true, extract: ['w3c', 'b3'], inject: ['w3c'], ...settings },
});

const headersAtEndpoint = (test: TestProxy): Record<string, string> =>
  Object.fromEntries(
    (test.upstream('10.0.0.1:80').requests.at(-1)?.headers ?? []).map(([name, value]) => [
      name.toLowerCase(),
      value,
    ]),
  );

const parsed = (traceparent: string | undefined): { trace: string; span: string; flags: string } => {
  const [, trace = '', span = '', flags = ''] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? '') ?? [];
  expect(flags, `traceparent ${traceparent}`).not.toBe('');
  return { trace, span, flags };
};

/** Sends one request through a proxy with these settings; gives what the endpoint got, and the record. */
async function through(
  settings: Partial<TracingSettings> | undefined,
  headers: Record<string, string> | [string, string][] = {},
): Promise<{ at: Record<string, string>; record: TestProxy['records'][number]; test: TestProxy }> {
  const test = await simple(settings === undefined ? {} : { telemetry: [tracing(settings)] });
  await test.client().request({ headers });
  return { at: headersAtEndpoint(test), record: test.records[0] as TestProxy['records'][number], test };
}

describe('without tracing', () => {
  it('trace context passes as it came and is in the record, but makes no spans', async () => {
    const { at, record } = await through(undefined, {
      traceparent: `00-${T}-${S}-01`,
      tracestate: 'a=1, ,b=2',
      b3: '0',
      baggage: 'k=v',
    });
    expect(at).toMatchObject({
      traceparent: `00-${T}-${S}-01`,
      tracestate: 'a=1, ,b=2',
      b3: '0',
      baggage: 'k=v',
    });
    expect(record).toMatchObject({ traceId: T, spanId: S, sampled: false, parentSpanId: '', traceState: '' });
    expect(record.attempts[0]?.spanId).toBe('');
  });
});

describe('baggage', () => {
  // W3C Baggage §3.3.2: what must pass at the least.
  const member = (i: number): string => `member-${String(i).padStart(2, '0')}=`;
  const baggage = Array.from({ length: 64 }, (_, i) => member(i) + 'v'.repeat(127 - member(i).length)).join(
    ',',
  );

  it.each([0, 1])(
    'of 64 members and 8,191 bytes passes as it is, with %i spans of a trace',
    async (sampleRatio) => {
      expect(baggage).toHaveLength(8_191);
      const { at } = await through(
        { sampleRatio, respectParent: false, inject: ['w3c', 'b3', 'b3multi'] },
        { baggage },
      );
      expect(at['baggage']).toBe(baggage);
    },
  );

  it('in several lines stays in several lines', async () => {
    const { test } = await through({ sampleRatio: 1 }, [
      ['baggage', 'a=1'],
      ['Baggage', 'b=2;ttl=3'],
    ]);
    const lines = test
      .upstream('10.0.0.1:80')
      .requests.at(-1)
      ?.headers.map(([name, value]) => [name.toLowerCase(), value])
      .filter(([name]) => name === 'baggage');
    expect(lines).toEqual([
      ['baggage', 'a=1'],
      ['baggage', 'b=2;ttl=3'],
    ]);
  });
});

describe('a sampled trace', () => {
  it('begins here when the dice say so: the endpoint gets the span of its attempt as parent', async () => {
    const { at, record } = await through({ sampleRatio: 1 }, { baggage: 'k=v', tracestate: 'stale=1' });
    const { trace, span, flags } = parsed(at['traceparent']);
    expect(flags).toBe('03');
    expect(record).toMatchObject({
      traceId: trace,
      sampled: true,
      parentSpanId: '',
      traceFlags: 3,
      traceState: '',
    });
    expect(record.attempts).toMatchObject([{ spanId: span, startMs: 0 }]);
    expect(record.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(record.spanId).not.toBe(span);
    expect(at['baggage']).toBe('k=v');
    expect(at).not.toHaveProperty('tracestate');
  });

  it('goes on when the caller made spans, with what belongs to it', async () => {
    const { at, record } = await through({}, [
      ['traceparent', `00-${T}-${S}-01`],
      ['tracestate', 'a=1, b=2'],
      ['tracestate', 'c=3'],
      ['b3', `${T}-${S}-1`],
    ]);
    const { trace, span, flags } = parsed(at['traceparent']);
    expect([trace, flags]).toEqual([T, '01']);
    expect(record).toMatchObject({ traceId: T, sampled: true, parentSpanId: S, traceState: 'a=1,b=2,c=3' });
    expect(record.attempts[0]?.spanId).toBe(span);
    expect(at['tracestate']).toBe('a=1,b=2,c=3');
    // Not ours to write, so not ours to change.
    expect(at['b3']).toBe(`${T}-${S}-1`);
  });

  it('loses a tracestate that is malformed, or belongs to a traceparent that is', async () => {
    const malformed = await through({}, { traceparent: `00-${T}-${S}-01`, tracestate: 'a=1,nonsense' });
    expect(malformed.at).not.toHaveProperty('tracestate');
    const alone = await through(
      { sampleRatio: 1 },
      { traceparent: `00-${T}-${S}`, tracestate: 'a=1', b3: `${T}-${S}-1` },
    );
    expect(alone.at).not.toHaveProperty('tracestate');
    expect(alone.record).toMatchObject({ traceId: T, parentSpanId: S, sampled: true });
  });

  it('is written in every format that is configured', async () => {
    const { at, record } = await through({ inject: ['w3c', 'b3', 'b3multi'] }, { b3: `${T}-${S}-d` });
    const span = record.attempts[0]?.spanId;
    expect(at).toMatchObject({
      traceparent: `00-${T}-${span}-01`,
      b3: `${T}-${span}-1`,
      'x-b3-traceid': T,
      'x-b3-spanid': span,
      'x-b3-sampled': '1',
    });
  });

  it('begins here for a caller that asks for spans and names no trace', async () => {
    const { at, record } = await through({}, { b3: '1' });
    expect(parsed(at['traceparent'])).toMatchObject({ trace: record.traceId, flags: '03' });
    expect(record).toMatchObject({ sampled: true, parentSpanId: '' });
  });

  it('shows each attempt as a span of its own, also past filters that change fields', async () => {
    let answers = 0;
    const seen: (string | undefined)[] = [];
    const retry = filter(
      'retry',
      {
        requestHeaders(stream) {
          seen.push(stream.request.headers.get('traceparent'));
          stream.request.headers.set('x-attempt', String(stream.attempt.number));
          return CONTINUE;
        },
        attemptEnd: (stream) => (stream.attempt.status >= 500 ? RETRY : DELIVER),
      },
      { scope: 'attempt' },
    )({});
    const test = await simple({
      telemetry: [tracing({ sampleRatio: 1 })],
      handler: { filters: [retry] },
      answer: () => ({ status: ++answers < 3 ? 503 : 200 }),
    });
    const answered = test.client().request();
    await test.clock.advance(1_000);
    expect((await answered).status).toBe(200);
    const [record] = test.records;
    const at = test.upstream('10.0.0.1:80').requests.map((request) => request.header('traceparent'));
    expect(at).toEqual(record?.attempts.map(({ spanId }) => `00-${record.traceId}-${spanId}-03`));
    expect(seen).toEqual(at);
    expect(new Set([record?.spanId, ...(record?.attempts ?? []).map(({ spanId }) => spanId)]).size).toBe(4);
    const starts = record?.attempts.map(({ startMs }) => startMs) ?? [];
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(starts[2]).toBeGreaterThan(0);
  });

  it('has a record too where nothing was asked of any endpoint', async () => {
    const test = await simple({
      telemetry: [tracing({ sampleRatio: 1 })],
      handler: { routes: [route('/known', 'api')] },
    });
    expect((await test.client().request({ path: '/unknown' })).status).toBe(404);
    expect(test.records[0]).toMatchObject({ sampled: true, attempts: [] });
  });
});

describe('a trace without spans', () => {
  it('passes as it came', async () => {
    const given = { traceparent: `00-${T}-${S}-02`, tracestate: 'a=1, ,b=2', baggage: 'k=v' };
    const { at, record } = await through({ sampleRatio: 1 }, given);
    expect(at).toMatchObject(given);
    expect(record).toMatchObject({ traceId: T, spanId: S, sampled: false, parentSpanId: '' });
  });

  it('begun here is passed on as one, so that no hop behind throws its dice again', async () => {
    const { at, record } = await through({ sampleRatio: 0 });
    const { trace, span, flags } = parsed(at['traceparent']);
    expect(flags).toBe('02');
    expect(record).toMatchObject({ traceId: trace, spanId: span, sampled: false });
    const next = await through({ sampleRatio: 1 }, { traceparent: at['traceparent'] as string });
    expect(next.record).toMatchObject({ traceId: trace, sampled: false });
  });

  it('is told in the formats that the caller did not use', async () => {
    const { at } = await through({ sampleRatio: 1 }, { b3: `${T}-${S}-0` });
    expect(at).toMatchObject({ traceparent: `00-${T}-${S}-00`, b3: `${T}-${S}-0` });
  });

  it('needs no name: a bare "b3: 0" stays that', async () => {
    const { at, record } = await through({ sampleRatio: 1 }, { b3: '0' });
    expect(at['b3']).toBe('0');
    expect(at).not.toHaveProperty('traceparent');
    expect(record).toMatchObject({ sampled: false, traceId: '' });
  });
});

describe('a decision that is open', () => {
  it('is made by the trace id, for the trace that the caller named', async () => {
    const yes = await through({ sampleRatio: 1 }, { b3: `${T}-${S}` });
    expect(yes.record).toMatchObject({ traceId: T, parentSpanId: S, sampled: true });
    const no = await through({ sampleRatio: 0 }, { b3: `${T}-${S}` });
    expect(no.record).toMatchObject({ traceId: T, spanId: S, sampled: false });
    expect(no.at).toMatchObject({ traceparent: `00-${T}-${S}-00` });
  });

  it('is right as often as the ratio says', async () => {
    const test = await simple({ telemetry: [tracing({ sampleRatio: 0.25 })] });
    const client = test.client();
    for (let i = 0; i < 400; i++) await client.request();
    const sampled = test.records.filter((record) => record.sampled).length;
    expect(sampled).toBeGreaterThan(70);
    expect(sampled).toBeLessThan(130);
    // Streams are pooled: nothing of a sampled one may stay for the next.
    for (const record of test.records)
      expect(record.attempts[0]?.spanId !== '', 'a span exactly where sampled').toBe(record.sampled);
  });
});

it('does not believe callers at the edge', async () => {
  const { at, record } = await through(
    { sampleRatio: 0, respectParent: false },
    { traceparent: `00-${T}-${S}-01`, tracestate: 'a=1', b3: '1', 'x-b3-sampled': '1' },
  );
  expect(parsed(at['traceparent'])).toMatchObject({ flags: '02' });
  expect(at['traceparent']).not.toContain(T);
  for (const name of ['tracestate', 'b3', 'x-b3-sampled']) expect(at).not.toHaveProperty(name);
  expect(record.sampled).toBe(false);
});

it('refuses two plugins that bring tracing', () => {
  expect(() =>
    createProxy({
      listeners: [httpListener({ port: 1, routes: [] })],
      telemetry: [tracing(), { ...tracing(), name: 'other' }],
    }),
  ).toThrow('tracing and other both bring tracing; at most one telemetry plugin may');
});
