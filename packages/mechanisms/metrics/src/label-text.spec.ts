import fc from 'fast-check';
import { expect, it } from 'vitest';
import { labelText, parseLabelText } from './label-text.ts';

it('reads the labels that it writes, whatever their values are', () => {
  const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_]{0,8}$/);
  const value = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\\n', '\n', '",x="', '\\"', '\\'),
  );
  fc.assert(
    fc.property(fc.dictionary(name, value), (labels) => {
      const wellFormed = Object.fromEntries(
        Object.entries(labels).map(([key, text]) => [key, text.toWellFormed()]),
      );
      expect(parseLabelText(labelText('m', labels))).toEqual(wellFormed);
    }),
  );
  expect(parseLabelText('')).toEqual({});
});
