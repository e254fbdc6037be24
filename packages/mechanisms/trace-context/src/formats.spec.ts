import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatB3,
  formatTraceparent,
  joinTracestate,
  parseB3,
  parseB3Multi,
  parseTraceparent,
  SAMPLED,
  TraceContext,
  UNDECIDED,
  UNSAMPLED,
} from './index.ts';

const T = '0af7651916cd43dd8448eb211c80319c';
const S = 'b7ad6b7169203331';

const hex = (length: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: length, maxLength: length })
    .filter((id) => /[^0]/.test(id));

/** What a parser made of a value; undefined: refused. */
const read = (parse: (into: TraceContext) => boolean): TraceContext | undefined => {
  const into = new TraceContext();
  return parse(into) ? into : undefined;
};
const w3c = (value: string): TraceContext | undefined => read((into) => parseTraceparent(value, into));
const b3 = (value: string): TraceContext | undefined => read((into) => parseB3(value, into));

describe('traceparent', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 3 }), (traceId, parentId, flags) => {
        expect(w3c(formatTraceparent(traceId, parentId, flags))).toEqual({
          traceId,
          parentId,
          flags,
          decision: (flags & 1) === 1 ? SAMPLED : UNSAMPLED,
          w3c: true,
          found: 0,
        });
      }),
    );
  });

  it.each([
    ['flags that are not defined are not kept', `00-${T}-${S}-ff`, 3],
    ['a later version is read as version 00', `cc-${T}-${S}-01`, 1],
    ['a later version may say more', `cc-${T}-${S}-01-what-the-future-will-be-like`, 1],
  ])('%s', (_, value, flags) => {
    expect(w3c(value)).toMatchObject({ traceId: T, parentId: S, flags });
  });

  it.each([
    ['version ff', `ff-${T}-${S}-01`],
    ['a version that is no number', `.0-${T}-${S}-01`],
    ['version 00 with more behind it', `00-${T}-${S}-01-what`],
    ['version 00 with a dash behind it', `00-${T}-${S}-01-`],
    ['a later version with something else behind it', `cc-${T}-${S}-01.what`],
    ['upper case', `00-${T.toUpperCase()}-${S}-01`],
    ['a zero trace id', `00-${'0'.repeat(32)}-${S}-01`],
    ['a zero parent', `00-${T}-${'0'.repeat(16)}-01`],
    ['a short trace id', `00-${T.slice(1)}-${S}-01`],
    ['a long trace id', `00-${T}a-${S}-01`],
    ['other separators', `00_${T}_${S}_01`],
    ['flags that are no number', `00-${T}-${S}-.1`],
    ['short flags', `00-${T}-${S}-1`],
    ['nothing', ''],
  ])('refuses %s', (_, value) => {
    expect(w3c(value)).toBeUndefined();
  });

  it('reads exactly what the grammar allows, and leaves the context alone otherwise', () => {
    const grammar = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/s;
    const valid = fc.tuple(hex(32), hex(16)).map(([t, s]) => `00-${t}-${s}-01`);
    const damaged = fc
      .tuple(valid, fc.nat(60), fc.constantFrom('', '-', '0', 'f', 'F', 'g', ' ', ',', '\u00e9'), fc.nat(2))
      .map(([text, at, put, cut]) => text.slice(0, at) + put + text.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(valid, damaged, fc.string({ unit: 'binary', maxLength: 80 })), (value) => {
        const expected = grammar.test(value) && (value.length === 55 || !value.startsWith('00'));
        const into = new TraceContext();
        expect(parseTraceparent(value, into)).toBe(expected);
        if (!expected) expect(into).toEqual(new TraceContext());
      }),
      { numRuns: 2000 },
    );
  });
});

describe('b3', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 1 }), (traceId, parentId, flags) => {
        const decision = flags === 1 ? SAMPLED : UNSAMPLED;
        expect(b3(formatB3(traceId, parentId, flags))).toEqual({
          traceId,
          parentId,
          flags,
          decision,
          w3c: false,
          found: 0,
        });
        expect(read((into) => parseB3Multi(traceId, parentId, String(flags), undefined, into))).toEqual({
          traceId,
          parentId,
          flags,
          decision,
          w3c: false,
          found: 0,
        });
      }),
    );
  });

  it.each([
    ['no sampling state leaves the decision open', `${T}-${S}`, { traceId: T, decision: UNDECIDED }],
    ['debug is sampled', `${T}-${S}-d`, { flags: 1, decision: SAMPLED }],
    ['a parent is read over', `${T}-${S}-1-${S}`, { parentId: S, decision: SAMPLED }],
    ['a short trace id is the right half', `${S}-${S}-1`, { traceId: `0000000000000000${S}` }],
    ['a bare 0 forbids', '0', { traceId: '', decision: UNSAMPLED }],
    ['a bare d asks', 'd', { traceId: '', decision: SAMPLED }],
  ])('%s', (_, value, expected) => {
    expect(b3(value)).toMatchObject(expected);
  });

  it('reads exactly what the grammar allows', () => {
    const grammar =
      /^(?:[01d]|(?!0+-)(?:[0-9a-f]{16}|[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}(?:-[01d](?:-(?!0{16})[0-9a-f]{16})?)?)$/;
    const valid = fc
      .tuple(fc.oneof(hex(16), hex(32)), hex(16), fc.constantFrom('', '-0', '-1', '-d', `-1-${S}`))
      .map(([t, s, rest]) => `${t}-${s}${rest}`);
    const damaged = fc
      .tuple(valid, fc.nat(70), fc.constantFrom('', '-', '0', 'F', 'x', ' '), fc.nat(2))
      .map(([text, at, put, cut]) => text.slice(0, at) + put + text.slice(at + cut));
    fc.assert(
      fc.property(
        fc.oneof(valid, damaged, fc.constantFrom('0', '1', 'd', '-', ''), fc.string({ maxLength: 80 })),
        (value) => {
          expect(b3(value) !== undefined).toBe(grammar.test(value));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['nothing', [undefined, undefined, undefined, undefined]],
    ['a trace without span', [T, undefined, '1', undefined]],
    ['a span without trace', [undefined, S, '1', undefined]],
    ['ids that are no hex', ['x'.repeat(32), S, '1', undefined]],
    ['an odd length', [T.slice(2), S, '1', undefined]],
    ['a sampling state that is none', [T, S, 'yes', undefined]],
  ] as const)('refuses, of the many headers, %s', (_, [traceId, spanId, sampled, flags]) => {
    expect(read((into) => parseB3Multi(traceId, spanId, sampled, flags, into))).toBeUndefined();
  });

  it('lets the debug flag and the old spelling of the decision count', () => {
    expect(read((into) => parseB3Multi(T, S, undefined, '1', into))).toMatchObject({ decision: SAMPLED });
    expect(read((into) => parseB3Multi(T, S, 'false', undefined, into))).toMatchObject({
      decision: UNSAMPLED,
    });
    expect(read((into) => parseB3Multi(T, S, 'true', '0', into))).toMatchObject({ decision: SAMPLED });
    expect(read((into) => parseB3Multi(undefined, undefined, '0', undefined, into))).toMatchObject({
      traceId: '',
      decision: UNSAMPLED,
    });
  });
});

describe('tracestate', () => {
  it('joins lines in order and leaves empty members out', () => {
    expect(joinTracestate([' rojo=00f067aa0ba902b7 ,\tcongo=t61rcWkgMzE', ',', 't-1@a_b*/c=x y'])).toBe(
      'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,t-1@a_b*/c=x y',
    );
    expect(joinTracestate([])).toBe('');
  });

  it('drops the rightmost members past 32, and the whole list for one that is malformed', () => {
    const members = Array.from({ length: 40 }, (_, i) => `k${i}=v`);
    expect(joinTracestate([members.join(',')]).split(',')).toEqual(members.slice(0, 32));
    for (const bad of ['novalue', 'K=v', '=v', 'k=', 'k=a=b', 'k=\u00e9', `k=${'v'.repeat(257)}`, '-k=v'])
      expect(joinTracestate(['a=1', `b=2,${bad}`])).toBe('');
  });

  it('makes of any text a list that it would leave as it is, or nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a=1', 'b=2,c=3', 'x'))),
        (lines) => {
          const joined = joinTracestate(lines);
          expect(joinTracestate([joined])).toBe(joined);
          expect(joined).toMatch(/^[\x20-\x7e]*$/);
        },
      ),
    );
  });
});
