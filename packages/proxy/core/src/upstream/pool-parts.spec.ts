import { describe, expect, it } from 'vitest';
import { PoolParts } from './pool-parts.ts';

function part(name: string) {
  return {
    name,
    inUse: false,
    retired: false,
    retire() {
      this.retired = true;
    },
  };
}
type Part = ReturnType<typeof part>;

describe('parts of a pool', () => {
  it('are made once for a key, until they are forgotten', () => {
    const parts = new PoolParts<object, Part>(2);
    const [one, two] = [{}, {}];
    const first = parts.find(one, () => part('first'));
    expect(parts.find(one, () => part('again'))).toBe(first);
    parts.find(two, () => part('second'));
    expect([...parts].map(({ name }) => name)).toEqual(['first', 'second']);
    parts.forget(one);
    expect([first?.retired, [...parts].length]).toEqual([true, 1]);
  });

  it('make room by the oldest that nobody uses, and where all are used there is none', () => {
    const parts = new PoolParts<string, Part>(2);
    const [a, b] = ['a', 'b'].map((name) => parts.find(name, () => part(name))) as [Part, Part];
    a.inUse = true;
    expect(parts.find('c', () => part('c'))?.name).toBe('c');
    expect([a.retired, b.retired]).toEqual([false, true]);
    for (const one of parts) one.inUse = true;
    expect(parts.find('d', () => part('d'))).toBeUndefined();
  });
});
