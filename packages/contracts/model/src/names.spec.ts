import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatWireName, parseWireName } from './index.ts';

describe('names on the wire', () => {
  it('survive being formatted and parsed', () => {
    const part = fc.stringMatching(/^[a-z0-9.-]{0,20}$/);
    fc.assert(
      fc.property(
        fc.constantFrom('inbound' as const, 'outbound' as const),
        fc.integer({ min: 0, max: 65_535 }),
        part,
        part,
        (direction, port, subset, host) => {
          const name = { direction, port, subset, host };
          expect(parseWireName(formatWireName(name))).toEqual(name);
        },
      ),
    );
  });

  it.each([
    '',
    'outbound|80|host',
    'sideways|80||h',
    'outbound|99999||h',
    'outbound|-1||h',
    'outbound|80||h|more',
    'outbound|8e1||h',
  ])('refuses %j', (text) => expect(parseWireName(text)).toBeUndefined());
});
