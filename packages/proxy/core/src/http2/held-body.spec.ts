import { describe, expect, it } from 'vitest';
import { HeldBody } from './held-body.ts';

/** Numbers below `limit`, the same in every run. */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % limit;
  };
}

describe('body that is held', () => {
  it('comes out as it went in, in whatever pieces', () => {
    for (let seed = 0; seed < 200; seed++) {
      const draw = numbers(seed);
      const held = new HeldBody();
      const expected: Buffer[] = [];
      const got: Buffer[] = [];
      for (let i = 0; i < 40; i++) {
        const size = 1 + draw(draw(2) === 0 ? 100 : 6000);
        const chunk = Buffer.alloc(size + 3, i);
        held.add(chunk, 2, size + 2);
        expected.push(Buffer.from(chunk.subarray(2, size + 2)));
        // Borrowed: whoever kept it is found out.
        chunk.fill(0xdd);
        if (draw(3) === 0) got.push(held.shift() as Buffer);
      }
      got.push(held.takeAll());
      expect(Buffer.concat(got).equals(Buffer.concat(expected)), `seed ${seed}`).toBe(true);
      expect(held.bytes).toBe(0);
      expect(held.shift()).toBeUndefined();
    }
  });

  it('shares buffers among small pieces', () => {
    const held = new HeldBody();
    const octet = Buffer.from('x');
    for (let i = 0; i < 10_000; i++) held.add(octet, 0, 1);
    expect(held.bytes).toBe(10_000);
    let pieces = 0;
    while (held.shift() !== undefined) pieces++;
    expect(pieces).toBe(3);
  });
});
