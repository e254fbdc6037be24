import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileNames } from './field-names.ts';
import { patternsOfOthers } from './other-names.ts';

const letters = fc.string({ unit: fc.constantFrom('a', 'b', '-', ':'), maxLength: 6 });
const name = letters.filter((text) => text !== '');
const pattern = fc.tuple(name, fc.boolean()).map(([text, start]) => `${text}${start ? '*' : ''}`);

describe('patterns of all names but some', () => {
  it('match exactly what those do not', () => {
    fc.assert(
      fc.property(
        fc.array(pattern, { maxLength: 6 }),
        fc.array(letters, { maxLength: 20 }),
        (these, asked) => {
          const isThese = compileNames(these);
          const others = new RegExp(`^(?:${patternsOfOthers(these).join('|')})$`);
          for (const one of [...asked, ...these.map((text) => text.replace('*', ''))])
            if (one !== '') expect(others.test(one), `${one} of ${others.source}`).toBe(!isThese(one));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('are short, and RE2, of which there is no lookahead', () => {
    expect(patternsOfOthers(['te', 'x-*'])).toEqual(['[^tx].*', 't(?:[^e].*)?', 'te.+', 'x(?:[^\\-].*)?']);
  });
});
