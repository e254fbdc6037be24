import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIds, createPropagation, isAmongSampled, TraceContext, type TraceFields } from './index.ts';

const T = '0af7651916cd43dd8448eb211c80319c';
const S = 'b7ad6b7169203331';
const OTHER = 'ffffffffffffffffffffffffffffffff';

const fieldsOf = (
  ...lines: (readonly [name: string, value: string])[]
): TraceFields & { lines: typeof lines } => {
  const fields = {
    lines,
    get length() {
      return fields.lines.length;
    },
    name: (index: number) => fields.lines[index]?.[0] ?? '',
    get: (name: string) => fields.lines.find(([n]) => n === name)?.[1],
    put(name: string, value: string) {
      fields.drop(name);
      fields.lines.push([name, value]);
    },
    drop(name: string) {
      const before = fields.lines.length;
      fields.lines = fields.lines.filter(([n]) => n !== name);
      return before - fields.lines.length;
    },
    pushValue(_id: number, name: string, value: string) {
      fields.lines.push([name, value]);
    },
  };
  return fields;
};

const both = createPropagation({ extract: ['w3c', 'b3'], inject: ['w3c', 'b3', 'b3multi'] });
const extracted = (fields: TraceFields, by = both): TraceContext | undefined => {
  const context = new TraceContext();
  return by.extract(fields, context) ? context : undefined;
};

describe('a trace that begins without spans', () => {
  it('has a whole traceparent, whose parent is the half of its id that is its own', () => {
    const ids = createIds(Math.random);
    const texts = Array.from({ length: 100 }, () => ids.unsampled());
    for (const text of texts) expect(text).toMatch(/^00-[0-9a-f]{16}([0-9a-f]{16})-\1-02$/);
    expect(new Set(texts).size).toBe(100);
    // The first half tells processes apart.
    expect(new Set([...texts, `00-${ids.traceId()}`].map((text) => text.slice(3, 19))).size).toBe(1);
    expect(createIds(() => 0).unsampled()).toBe('00-00000000000000010000000000000001-0000000000000001-02');
  });

  it('is told in every format', () => {
    const fields = fieldsOf(['b3', '0']);
    both.injectUnsampled(fields, `00-${T}-${S}-02`, 0);
    expect(Object.fromEntries(fields.lines)).toEqual({
      traceparent: `00-${T}-${S}-02`,
      b3: `${T}-${S}-0`,
      'x-b3-traceid': T,
      'x-b3-spanid': S,
      'x-b3-sampled': '0',
    });
  });

  it('is chosen as if all digits had been looked at', () => {
    const exactly = (id: string, ratio: number): boolean =>
      Number(BigInt(`0x${id.slice(18, 31)}`)) / 2 ** 52 >= 1 - ratio;
    fc.assert(
      fc.property(
        fc.oneof(
          fc.tuple(
            fc.bigInt({ min: 0n, max: (1n << 56n) - 1n }),
            fc.double({ min: 1e-9, max: 0.999_999, noNaN: true }),
          ),
          // Close to the border.
          fc
            .tuple(
              fc.double({ min: 1e-6, max: 0.999_999, noNaN: true }),
              fc.integer({ min: -1 << 20, max: 1 << 20 }),
            )
            .map(
              ([ratio, by]) => [BigInt(Math.floor((1 - ratio) * 2 ** 56)) + BigInt(by) * 64n, ratio] as const,
            ),
        ),
        ([tail, ratio]) => {
          const id = `${'a'.repeat(18)}${(tail < 0n ? 0n : tail).toString(16).padStart(14, '0').slice(-14)}`;
          expect(isAmongSampled(id, ratio)).toBe(exactly(id, ratio));
        },
      ),
    );
  });
});

describe('propagation', () => {
  it('reads the formats in the configured order, the single b3 header before the many', () => {
    const all = fieldsOf(
      ['x-b3-traceid', OTHER],
      ['x-b3-spanid', S],
      ['b3', `${OTHER}-${S}-0`],
      ['traceparent', `00-${T}-${S}-01`],
    );
    expect(extracted(all)?.traceId).toBe(T);
    expect(extracted(all, createPropagation({ extract: ['b3', 'w3c'], inject: [] }))?.flags).toBe(0);
    all.drop('traceparent');
    all.put('x-b3-sampled', '1');
    expect(extracted(all)?.flags).toBe(0);
    all.drop('b3');
    expect(extracted(all)?.flags).toBe(1);
    expect(extracted(all, createPropagation({ extract: ['w3c'], inject: [] }))).toBeUndefined();
  });

  it('takes the next format where one is malformed, and two traceparents for none', () => {
    const b3 = ['b3', `${OTHER}-${S}-1`] as const;
    expect(extracted(fieldsOf(['traceparent', 'nonsense'], b3))?.traceId).toBe(OTHER);
    const twice = ['traceparent', `00-${T}-${S}-01`] as const;
    expect(extracted(fieldsOf(twice, twice, b3))?.traceId).toBe(OTHER);
    expect(extracted(fieldsOf(twice, twice))).toBeUndefined();
    expect(extracted(fieldsOf())).toBeUndefined();
  });

  it('writes every configured format over what was there and leaves other fields alone', () => {
    const fields = fieldsOf(
      ['traceparent', `00-${OTHER}-${S}-00`],
      ['x-b3-parentspanid', S],
      ['x-b3-flags', '1'],
      ['baggage', 'a=1'],
      ['x-request-id', 'r'],
    );
    both.inject(fields, T, S, 3);
    expect(Object.fromEntries(fields.lines)).toEqual({
      traceparent: `00-${T}-${S}-03`,
      b3: `${T}-${S}-1`,
      'x-b3-traceid': T,
      'x-b3-spanid': S,
      'x-b3-sampled': '1',
      baggage: 'a=1',
      'x-request-id': 'r',
    });
    expect(fields.lines).toHaveLength(7);
  });

  it('completes the formats that a request lacks and strips all of them', () => {
    const fields = fieldsOf(['b3', `${T}-${S}-0`], ['tracestate', 'a=1'], ['baggage', 'a=1']);
    both.complete(fields, extracted(fields) as TraceContext);
    expect(Object.fromEntries(fields.lines)).toEqual({
      b3: `${T}-${S}-0`,
      traceparent: `00-${T}-${S}-00`,
      'x-b3-traceid': T,
      'x-b3-spanid': S,
      'x-b3-sampled': '0',
      tracestate: 'a=1',
      baggage: 'a=1',
    });
    both.strip(fields);
    expect(fields.lines).toEqual([['baggage', 'a=1']]);
  });
});

describe('ids', () => {
  it('are never zero and always hex, whatever chance says', () => {
    fc.assert(
      fc.property(
        fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        (chance) => {
          const ids = createIds(() => chance.next().value as number);
          expect(ids.spanId()).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
          expect(ids.traceId()).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
        },
      ),
    );
    expect(createIds(() => 0).traceId()).toBe('00000000000000010000000000000001');
  });

  it('are sampled at the ratio asked for, by all samplers alike', () => {
    let seed = 1;
    const ids = createIds(() => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647);
    let sampled = 0;
    for (let i = 0; i < 100_000; i++) {
      const id = ids.traceId();
      if (isAmongSampled(id, 0.01)) {
        sampled++;
        expect(isAmongSampled(id, 0.02)).toBe(true);
      }
    }
    expect(sampled).toBeGreaterThan(800);
    expect(sampled).toBeLessThan(1200);
    expect(isAmongSampled('0'.repeat(32), 1)).toBe(true);
    expect(isAmongSampled('f'.repeat(32), 0)).toBe(false);
    expect(isAmongSampled('f'.repeat(32), Number.NaN)).toBe(false);
    // OpenTelemetry's threshold of 50 % is 0x80000000000000.
    expect(isAmongSampled('ffffffffffffffffff80000000000000', 0.5)).toBe(true);
    expect(isAmongSampled('ffffffffffffffffff7fffffffffffff', 0.5)).toBe(false);
  });
});
