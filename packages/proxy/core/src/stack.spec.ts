import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Stack } from './stack.ts';

describe('a stack', () => {
  it('does what an array does with push, pop and a search from its end', () => {
    const command = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), value: fc.nat(9) }),
      fc.record({ kind: fc.constant('pop' as const) }),
      fc.record({ kind: fc.constant('remove' as const), value: fc.nat(9) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const stack = new Stack<number>();
        const array: number[] = [];
        for (const one of commands) {
          if (one.kind === 'push') {
            stack.push(one.value);
            array.push(one.value);
          } else if (one.kind === 'pop') expect(stack.pop()).toBe(array.pop());
          else {
            const at = array.lastIndexOf(one.value);
            if (at >= 0) array.splice(at, 1);
            expect(stack.remove(one.value)).toBe(at >= 0);
          }
          expect([stack.size, stack.oldest]).toEqual([array.length, array[0]]);
        }
        while (array.length > 0) expect(stack.pop()).toBe(array.pop());
        expect(stack.pop()).toBeUndefined();
      }),
    );
  });
});
