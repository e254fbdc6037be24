import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonFault } from './json-fault.ts';

describe('a JSON text', () => {
  it.each([
    ['{"a":1,"a":2}', 'duplicate'],
    ['{"a":1,"\\u0061":2}', 'duplicate'],
    ['{"a":{"b":[{"c":1,"c":1}]}}', 'duplicate'],
    ['{"a":1, "b":{} ,\n"a" :2}', 'duplicate'],
    ['{"":1,"":2}', 'duplicate'],
    ['{"a\\"":1,"a\\"":2}', 'duplicate'],
    ['{"__proto__":1,"__proto__":2}', 'duplicate'],
    ['[{"a":1},{"a":1}]', undefined],
    ['{"a":"a","b":["a","a","b"]}', undefined],
    ['{"a":"{\\"a\\":1,\\"a\\":2}"}', undefined],
    ['{"a":{"a":{"a":1}},"b":{"a":1}}', undefined],
    ['{"a":"\\\\","b":"a"}', undefined],
    ['"a"', undefined],
    [`${'['.repeat(33)}${']'.repeat(33)}`, 'depth'],
    [`${'['.repeat(32)}${']'.repeat(32)}`, undefined],
    [`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`, 'depth'],
  ])('%s: %s', (json, fault) => {
    JSON.parse(json);
    expect(findJsonFault(json)).toBe(fault);
  });

  const value = fc.jsonValue({ maxDepth: 5 });

  it('is sound whatever its values, however it is spaced', () => {
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, '\t'), (json, space) => {
        expect(findJsonFault(JSON.stringify(json, undefined, space))).toBe(undefined);
      }),
    );
  });

  it('is at fault once any object in it repeats any name, in any spelling', () => {
    const escaped = (name: string): string =>
      [...Array(name.length).keys()]
        .map((at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`)
        .join('');
    fc.assert(
      fc.property(fc.string(), value, value, fc.boolean(), fc.nat(4), (name, one, two, spelt, depth) => {
        const again = spelt ? `"${escaped(name)}"` : JSON.stringify(name);
        let json = `{${JSON.stringify(name)}:${JSON.stringify(one)},"x${name.length}-other":0,${again}:${JSON.stringify(two)}}`;
        for (let level = 0; level < depth; level += 1)
          json = level % 2 === 0 ? `[0,${json}]` : `{"in":${json}}`;
        expect(findJsonFault(json)).toBe('duplicate');
      }),
    );
  });
});
