import { describe, expect, it } from 'vitest';
import { chart } from './charts.ts';
import type { Row } from './rows.ts';

const row = (subject: string, variant: string, cpuUsPerRequest: number): Row => ({
  scenario: 'http1-small',
  subject,
  variant,
  cpuUsPerRequest,
  cpuUsSpread: [cpuUsPerRequest - 1, cpuUsPerRequest + 1],
  cpuUsOfRounds: [cpuUsPerRequest],
  cpuUserUs: 1,
  cpuSystemUs: 1,
  requestsPerSecond: 1,
  p50Ms: 1,
  p99Ms: 1,
  p99MsOfRounds: [1],
  rssMb: 1,
  rounds: 7,
});

describe('a chart', () => {
  const svg = chart('small <64> & more', 'request', [row('tulle', 'mesh', 20), row('envoy', 'mesh', 80)]);

  it('has a bar for each subject, as long as its figure, own ones told apart', () => {
    const bars = [...svg.matchAll(/<rect .*?width="([\d.]+)".*?class="(\w+)"/g)];
    expect(bars.map(([, , kind]) => kind)).toEqual(['own', 'peer']);
    expect(Number(bars[1]?.[1]) / Number(bars[0]?.[1])).toBeCloseTo(4, 2);
  });

  it('escapes its texts, and tells those who do not see it', () => {
    expect(svg).toContain('small &lt;64> &amp; more');
    expect(svg).toContain(
      'aria-label="small &lt;64> &amp; more; CPU microseconds a request: tulle mesh 20.0',
    );
  });

  it('follows the scheme of the page', () => {
    expect(svg).toContain('prefers-color-scheme: dark');
  });
});
