import type { HttpStream } from '@tulle/filter';

/**
 * A compiled condition on a request.
 * @param certain true where it has to hold however the origin reads the request (ALLOW); false where it is enough that
 *   it may hold (DENY). What cannot be decided is refused either way.
 */
export type Test = (stream: HttpStream, certain: boolean) => boolean;

/** Holds when all do; an empty list holds. */
export function all(tests: readonly Test[]): Test {
  if (tests.length === 1) return tests[0] as Test;
  return (stream, certain) => {
    for (const test of tests) if (!test(stream, certain)) return false;
    return true;
  };
}

/** Holds when one does; an empty list does not. */
export function any(tests: readonly Test[]): Test {
  if (tests.length === 1) return tests[0] as Test;
  return (stream, certain) => {
    for (const test of tests) if (test(stream, certain)) return true;
    return false;
  };
}
