import fc from 'fast-check';
import type { StreamRecord } from '@tulle/telemetry';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CelEngine, CelIssue } from './contract.ts';
import { type AttributeTable, Json, Lookup, Moment, Span, Unsigned } from './attributes/table.ts';
import { hasCel, loadCelEngine, RECORD_ATTRIBUTES } from './index.ts';

let engine: CelEngine;
beforeAll(async () => {
  engine = await loadCelEngine();
});

/** What expressions read here. */
interface Subject {
  readonly asked: string[];
  readonly fields: Readonly<Record<string, string>>;
}

const TABLE: AttributeTable<Subject> = {
  request: {
    method: ({ asked }) => (asked.push('method'), 'GET'),
    size: ({ asked }) => (asked.push('size'), 3n),
    time: () => new Moment(Date.UTC(2026, 0, 2, 3, 4, 5, 250)),
    duration: () => new Span(1_500.5),
    headers: ({ fields }) => new Lookup((name) => fields[name]),
    absent: () => undefined,
  },
  connection: { id: () => new Unsigned(7), mtls: () => false },
  metadata: {
    filter_metadata: () =>
      new Lookup((name) =>
        name === 'jwt' ? new Json({ sub: 'ann', level: 3, groups: ['a'], none: null }) : undefined,
      ),
  },
};

function issuesOf(text: string): CelIssue[] {
  const issues: CelIssue[] = [];
  engine.compile(text, TABLE, issues);
  return issues;
}

function compiled(text: string): ReturnType<typeof engine.compile<Subject>> {
  const issues: CelIssue[] = [];
  const expression = engine.compile(text, TABLE, issues);
  expect(issues).toEqual([]);
  return expression;
}

const subject = (fields: Readonly<Record<string, string>> = {}): Subject => ({ asked: [], fields });

describe('an expression', () => {
  it.each<[string, boolean | 'absent' | undefined]>([
    ['request.method == "GET" && request.size < 4', true],
    ['request.method == "POST"', false],
    ['request.headers["x-a"] == "1"', true],
    ['request.headers.b == "1"', 'absent'],
    ['request.absent == "1"', 'absent'],
    ['has(request.headers.b)', false],
    ['"x-a" in request.headers', true],
    ['request.headers.b == "1" || request.method == "GET"', true],
    ['request.headers.b == "1" || request.absent == 1', 'absent'],
    ['metadata.filter_metadata.jwt.level == 3', true],
    ['metadata.filter_metadata.jwt.groups[0] == "a"', true],
    ['metadata.filter_metadata.jwt.groups[1] == "a"', 'absent'],
    ['metadata.filter_metadata.other.sub == "ann"', 'absent'],
    ['connection.id == 7u', true],
    ['request.time.getFullYear() == 2026', true],
    ['request.duration > duration("1s")', true],
    ['request.method.matches("^G.T$")', true],
    // What cannot be told, as nothing is missing.
    ['request.method < 1', undefined],
    ['request.size / 0 == 1', undefined],
    ['request.size', undefined],
    ['size(request.headers) == 1', undefined],
    ['request.headers.b == "1" || 1 / 0 == 1', undefined],
    ['1 / 0 == 1 || request.headers.b == "1"', undefined],
  ])('%s is judged %s', (text, expected) => {
    expect(compiled(text).holds(subject({ 'x-a': '1' }))).toBe(expected);
  });

  it.each<[string, number, RegExp]>([
    ['', 0, /empty/],
    ['request.method == ', 15, /is no CEL/],
    ['request.methd', 7, /did you mean request\.method/],
    ['request["methd"]', 7, /did you mean request\.method/],
    ['reqest.method', 0, /did you mean request/],
    ['response.code == 1', 0, /nothing is known here of "response"; there is request, connection, metadata/],
    ['true && shout("a")', 8, /no function shout/],
    ['[1].exists(x, x == 1)', 3, /are refused, as Envoy does/],
    ['request.method.matches("(")', 23, /is no pattern/],
    ['request.method.matches(request.method)', 14, /must stand in quotes/],
    [`request.method.matches("${'a'.repeat(1_025)}")`, 23, /1024 characters, this one has 1025/],
    [`${'1 + '.repeat(300)}1`, 0, /512 parts/],
    [`"${'a'.repeat(5_000)}"`, 0, /4096 characters, this one has 5002/],
    ['('.repeat(4_000), 0, /nested too deep|is no CEL/],
    ['google.protobuf.Duration{seconds: 1}', 0, /makes a message/],
  ])('%s is refused at %i', (text, at, message) => {
    const [first] = issuesOf(text);
    expect([first?.at, first?.message]).toEqual([at, expect.stringMatching(message)]);
  });

  it('names all that is wrong with it', () => {
    expect(
      issuesOf('request.a == 1 && request.b == 2')
        .map(({ at }) => at)
        .toSorted((a, b) => a - b),
    ).toEqual([7, 25]);
  });

  it('reads what it needs and no more, and keeps nothing of it', () => {
    const expression = compiled('request.method == "POST" && request.size == 3');
    const one = subject();
    expression.holds(one);
    expect(one.asked).toEqual(['method']);
    const other = subject({ b: 'x' });
    expect(compiled('request.headers.b').text(other)).toBe('x');
    expect(compiled('request.headers').json(other)).toBeUndefined();
  });

  it.each<[string, string | undefined, unknown]>([
    ['request.method', 'GET', 'GET'],
    ['request.size', '3', 3],
    ['request.time', '2026-01-02T03:04:05.25+00:00', '2026-01-02T03:04:05.25+00:00'],
    ['request.duration', '1.5005s', '1.5005s'],
    ['connection.id', '7', 7],
    ['connection.mtls', 'false', false],
    ['9007199254740993', '9007199254740993', '9007199254740993'],
    ['1.0 / 3.0', '0.333333', 1 / 3],
    ['0.00001', '1e-05', 0.00001],
    ['1e20', '1e+20', 1e20],
    ['100000.0', '100000', 100_000],
    ['null', 'NULL', null],
    ['metadata.filter_metadata.jwt', 'CelMap value', { sub: 'ann', level: 3, groups: ['a'], none: null }],
    ['[1, "a"]', 'CelList value', [1, 'a']],
    ['request.headers.b', undefined, undefined],
    ['1 / 0', undefined, undefined],
  ])('%s is %s as a text', (text, asText, asJson) => {
    const expression = compiled(text);
    expect([expression.text(subject()), expression.json(subject())]).toEqual([asText, asJson]);
  });

  it('of any characters is taken or refused, never thrown at', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 60 })), (text) => {
        const issues: CelIssue[] = [];
        const expression = engine.compile(text, TABLE, issues);
        for (const { at } of issues) expect(at).toBeLessThanOrEqual(text.length);
        expression.holds(subject());
        expression.text(subject());
      }),
    );
  });

  const { expression: anyExpression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(
        ...[
          'request.method',
          'request.size',
          'request.headers.a',
          'metadata.filter_metadata.jwt',
          'request.time',
        ],
        ...[
          'connection.id',
          '1',
          '-2',
          '0.5',
          '3u',
          '"a"',
          'true',
          'null',
          'b"x"',
          'duration("1s")',
          '[1, 2]',
          '{"a": 1}',
        ],
      ),
      fc
        .tuple(
          fc.constantFrom('==', '<', '+', '-', '*', '/', '%', '&&', '||', 'in'),
          tie('expression'),
          tie('expression'),
        )
        .map(([operator, a, b]) => `(${a} ${operator} ${b})`),
      fc
        .tuple(tie('expression'), tie('expression'), tie('expression'))
        .map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
      fc
        .tuple(
          fc.constantFrom('size', 'string', 'int', 'double', 'type', 'bytes', '!', '-'),
          tie('expression'),
        )
        .map(([name, a]) => `${name}(${a})`),
      fc
        .tuple(
          tie('expression'),
          fc.constantFrom('.startsWith("a")', '.matches("a+")', '["a"]', '[0]', '.getHours()'),
        )
        .map(([a, call]) => `(${a})${call}`),
    ),
  }));
  it('that is taken comes to a result or none, the same each time', () => {
    fc.assert(
      fc.property(anyExpression, fc.dictionary(fc.string(), fc.string()), (text, fields) => {
        const expression = engine.compile(text, TABLE, []);
        const first = [expression.holds(subject(fields)), expression.text(subject(fields))];
        expect([expression.holds(subject(fields)), expression.text(subject(fields))]).toEqual(first);
      }),
      { numRuns: 300 },
    );
  });
});

describe('attributes of a record', () => {
  const record = {
    kind: 'http',
    path: '/a',
    query: 'b=c',
    upstreamPath: '/z',
    status: 503,
    grpcStatus: -1,
    flags: ['UF', 'URX', 'ours'],
    code: 'TULLE_X',
    details: '',
    bytesReceived: 3,
    upstreamAddress: '[::1]:80',
    upstreamLabels: { version: '2' },
    durationMs: 12.345_678_9,
    startEpochMs: 1_764_200_000_123 + 0.456_7,
    remoteAddress: 'envoy://internal_client_address/',
    remotePort: 0,
    localAddress: '10.0.0.1',
    localPort: 80,
    requestHeader: (name: string) => (name === 'content-length' ? 'many' : undefined),
  } as unknown as StreamRecord;

  it.each<[string, string | undefined]>([
    ['request.path', '/z?b=c'],
    ['response.flags', String(0x20 | 0x8000)],
    ['response.grpc_status', '14'],
    ['response.code_details', undefined],
    ['request.size', undefined],
    ['upstream.port', '80'],
    ['xds.upstream_host_metadata.filter_metadata["envoy.lb"].version', '2'],
    // A clock's milliseconds have a fraction.
    ['request.duration', '12.346ms'],
    ['request.time', '2025-11-26T23:33:20.123457+00:00'],
    ['string(request.duration)', '0.012346s'],
    ['request.duration > duration("12ms")', 'true'],
    // Within the process there are no addresses.
    ['source.address', 'envoy://internal_client_address/'],
    ['source.port', undefined],
    ['destination.address', '10.0.0.1:80'],
    ['destination.port', '80'],
  ])('have %s', (text, expected) => {
    expect(engine.compile(text, RECORD_ATTRIBUTES, []).text(record)).toBe(expected);
  });
});

it('is found in conditions and in texts, wherever they stand', () => {
  expect(hasCel([{ a: { expression: { allOf: [{ cel: 'true' }] } } }])).toBe(true);
  expect(hasCel({ kind: 'cel', cel: 'true' })).toBe(true);
  expect(hasCel({ value: 'x-%TYPED_CEL(1)%' })).toBe(true);
  expect(hasCel({ cel: 1, value: '%REQ(CEL)%' })).toBe(false);
});
