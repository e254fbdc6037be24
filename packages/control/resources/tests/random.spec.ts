import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyze, KINDS, readResources, readResourceValues } from '../src/index.ts';
import { CASES } from './cases.ts';

const texts = CASES.map((c) => c.yaml);
const anything = fc.anything({ withNullPrototype: false, withBigInt: false });

/** A text of the table with a part cut out, doubled or replaced. */
const mutated = fc
  .tuple(
    fc.constantFrom(...texts),
    fc.constantFrom(...texts),
    fc.nat(),
    fc.nat(40),
    fc.oneof(
      fc.string(),
      fc.constantFrom(
        '---\n',
        '...\n',
        '"',
        '{',
        ']',
        '&a ',
        '*a',
        '\t',
        '\0',
        '%YAML 9\n',
        '? ',
        '- - -',
        '!!js ',
        '<<: ',
        '__proto__: 1\n',
        '\u{1f600}',
      ),
    ),
  )
  .map(([a, b, at, length, put]) => {
    const text = `${a}\n---\n${b}`;
    const from = at % (text.length + 1);
    return text.slice(0, from) + put + text.slice(from + length);
  });

describe('whatever a text holds', () => {
  it('reading and analysing never throw, and every fault has a place within the text', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          mutated,
          fc.string(),
          fc.string({
            unit: fc.constantFrom('-', '\n', ' ', ':', '{', '}', '[', ']', 'a', '"', '#', '%', '|', '>'),
          }),
        ),
        async (text) => {
          const read = await readResources([{ text, file: 'f' }]);
          const lines = text.split('\n');
          for (const d of [...read.diagnostics, ...analyze(read)]) {
            expect(d.position?.line).toBeGreaterThanOrEqual(1);
            expect(d.position?.line).toBeLessThanOrEqual(lines.length + 1);
            expect(d.position?.column).toBeGreaterThanOrEqual(1);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('a fault in one document hides nothing of the next', async () => {
    const marker = 'apiVersion: v1\nkind: Service\nmetadata: { name: marker }\nspec: { prots: [] }';
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, fc.string()), async (text) => {
        const read = await readResources([{ text: `${text}\n---\n${marker}`, file: 'f' }]);
        expect(read.diagnostics.some((d) => d.message.includes('"prots"'))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('JSON values of any shape are refused with a pointer, never thrown at', async () => {
    const resource = fc.record({
      apiVersion: fc.constantFrom(...KINDS.map((k) => k.apiVersion)),
      kind: fc.constantFrom(...KINDS.map((k) => k.kind)),
      metadata: fc.oneof(anything, fc.record({ name: fc.constant('a') })),
      spec: anything,
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, resource, fc.array(resource)), async (value) => {
        const read = await readResourceValues(value);
        for (const d of read.diagnostics) expect(d.pointer === '' || d.pointer.startsWith('/')).toBe(true);
        analyze(read);
      }),
      { numRuns: 300 },
    );
  });
});

describe('aliases', () => {
  it('that multiply are refused, not expanded', async () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
      .split('')
      .map((c, i) => `${c}: &${c} [${Array<string>(9).fill(`*${'abcdefghi'[i]}`).join(',')}]`)
      .join('\n')}`;
    const read = await readResources([{ text: bomb, file: 'f' }]);
    expect(read.diagnostics.map((d) => d.code)).toEqual(['TULLE0105']);
  });
});
