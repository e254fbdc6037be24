import { describe, expect, it } from 'vitest';
import { judge, runFloods } from './run-floods.ts';
import type { Watched } from './flood-lab.ts';

const seen = { requests: 300, errors: [], p99Ms: 20 };
const calm: Watched = { seen, control: seen, grownBytes: 0, cpuMs: 10 };
const findings = (...of: Parameters<typeof judge>): string[] => judge(...of).map(({ finding }) => finding);

describe('an attack', () => {
  it('is judged by its end, its memory and those who have nothing to do with it', () => {
    const terms = { what: 'PING', overWithinMs: 1000 };
    const over = { overAfterMs: 900, bytesSent: 1, held: 1 };
    expect(findings(terms, over, calm, 20)).toEqual([]);
    expect(findings(terms, { ...over, overAfterMs: 1001 }, calm, 20)).toEqual(['hung']);
    expect(findings(terms, { ...over, overAfterMs: undefined }, calm, 20)).toEqual(['hung']);
    expect(findings({ what: 'idle' }, { ...over, overAfterMs: undefined }, calm, 20)).toEqual([]);
    expect(findings(terms, over, { ...calm, grownBytes: 65 << 20 }, 20)).toEqual(['memory']);
    expect(findings(terms, over, { ...calm, seen: { ...seen, errors: ['503'] } }, 20)).toEqual([
      'others failed',
    ]);
    const slow = { ...seen, p99Ms: 150 };
    expect(findings(terms, over, { ...calm, seen: slow }, 20)).toEqual(['others slow']);
    expect(findings(terms, over, { ...calm, seen: slow, control: { ...seen, p99Ms: 80 } }, 20)).toEqual([]);
    expect(findings(terms, over, { ...calm, seen: { ...seen, requests: 0 } }, 20)).toEqual(['others slow']);
  });

  it('of PING ends within a second, from a client and from an origin', async () => {
    const results = await runFloods('PING');
    expect(results.map(({ shown }) => shown)).toEqual(['PING', 'PING, nothing read', 'PING']);
    // how long callers wait says little while other tests run
    expect(
      results.flatMap(({ faults }) => faults.filter(({ finding }) => finding !== 'others slow')),
    ).toEqual([]);
  }, 60_000);
});
