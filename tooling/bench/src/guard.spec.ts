import { describe, expect, it } from 'vitest';
import type { EngineLoad } from './engine-cost.ts';
import { overBounds } from './guard.ts';

const load = (name: string, userUs: number, bytesPerRequest: number): EngineLoad => ({
  subject: 'tulle',
  load: name,
  userUs,
  bytesPerRequest,
});

describe('the guard', () => {
  it('is silent within the bounds', () => {
    expect(overBounds([load('bare', 3.7, 708), load('mesh', 6.3, 1233)])).toEqual([]);
  });

  it('tells what is over, each', () => {
    expect(overBounds([load('bare', 3, 2000), load('mesh', 9, 3000)])).toEqual([
      'FAILED bare: a request allocates 2000 bytes, at most 950 are allowed',
      'FAILED mesh: a request allocates 3000 bytes, at most 1650 are allowed',
      'FAILED mesh: 3.00 times the user time of forwarding alone, at most 2.4 are allowed',
    ]);
  });

  it('does not pass what was not measured', () => {
    expect(overBounds([load('bare', 3, 700)])).toEqual(['FAILED: bare and mesh were not both measured']);
  });
});
