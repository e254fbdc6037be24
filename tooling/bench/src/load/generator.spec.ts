import { describe, expect, it } from 'vitest';
import { h2loadResult } from './generator.ts';

const output = (requests: string, codes = '4 2xx, 0 3xx, 0 4xx, 0 5xx'): string => `
finished in 500.25ms, 8.00 req/s, 1.2KB/s
requests: ${requests}
status codes: ${codes}
`;
const log = '1700000000000000\t200\t1000\n1700000000000000\t200\t2000\n1700000000000000\t200\t9000\n';

describe('what h2load prints', () => {
  it('is counted, with percentiles out of its log', () => {
    expect(
      h2loadResult(output('4 total, 6 started, 4 done, 4 succeeded, 0 failed, 0 errored, 0 timeout'), log),
    ).toEqual({ requests: 4, errors: 0, p50Ms: 2, p99Ms: 9, seconds: 0.50025 });
  });

  it('tells of requests that failed', () => {
    const found = h2loadResult(
      output(
        '4 total, 6 started, 4 done, 3 succeeded, 1 failed, 0 errored, 0 timeout',
        '3 2xx, 0 3xx, 0 4xx, 1 5xx',
      ),
      log,
    );
    expect(found).toMatchObject({ requests: 3, errors: 1 });
    expect(found.firstError).toContain('1 5xx');
  });

  it('is refused when it is something else', () => {
    expect(() => h2loadResult('connection refused', '')).toThrow('nothing that is known');
  });
});
