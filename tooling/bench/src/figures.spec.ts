import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { markdown, writeFigures } from './figures.ts';
import type { Results } from './results.ts';
import type { Row } from './rows.ts';

const row = (subject: string, cpu: readonly number[], p99: number): Row => ({
  scenario: 'sidecar-pair-paced',
  subject,
  variant: subject === 'direct' ? 'plain' : 'mesh',
  cpuUsPerRequest: cpu[1] as number,
  cpuUsSpread: [cpu[0] as number, cpu[2] as number],
  cpuUsOfRounds: cpu,
  cpuUserUs: 1,
  cpuSystemUs: 1,
  requestsPerSecond: 1000,
  p50Ms: 0.1,
  p99Ms: p99,
  p99MsOfRounds: [p99, p99, p99],
  rssMb: 1,
  rounds: 3,
});

const results: Results = {
  startedAt: '2026-11-26T00:00:00.000Z',
  node: 'v24.21.0',
  machine: { cpu: 'a CPU', cores: 2, loadAverage: [1, 2] },
  rows: [row('tulle', [10, 20, 30], 3), row('envoy', [20, 40, 40], 4), row('direct', [0, 0, 0], 1)],
  failures: [{ scenario: 'sidecar-pair-paced', subject: 'nginx', variant: 'mesh', error: 'it ended' }],
  skipped: [],
  studies: { 'idle-streams': { about: 'memory', text: '\n  bare  7157\n', figures: [] } },
};

describe('figures for a page', () => {
  let directory = '';
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'figures-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it('compare round by round, and show what a pair adds to latency and what failed', () => {
    const text = markdown(results, 'charts');
    expect(text).toContain('| `sidecar-pair-paced` | 20.0 | 40.0 | – | 0.50 (0.50–0.75) |');
    expect(text).toContain('| tulle, mesh | 0.10 | 3.00 | 2.00 |');
    expect(text).toContain('Failed: sidecar-pair-paced nginx/mesh.');
    expect(text).toContain('`idle-streams`: memory.\n\n```\n  bare  7157\n```\n');
    expect(text).toContain('load average 1.0 to 2.0');
  });

  it('replace what stands between the marks, and nothing else', () => {
    const page = join(directory, 'page.md');
    writeFileSync(
      page,
      'before\n<!-- figures: written by `pnpm bench --from FILE --figures docs/performance.md` -->\nold\n<!-- end of figures -->\nafter\n',
    );
    writeFigures(results, page, 'charts');
    const once = readFileSync(page, 'utf8');
    expect(once).toMatch(/^before\n<!-- figures[^]*<!-- end of figures -->\nafter\n$/);
    expect(once).not.toContain('old');
    writeFigures(results, page, 'charts');
    expect(readFileSync(page, 'utf8')).toBe(once);
  });

  it('want a page that has the marks', () => {
    const page = join(directory, 'page.md');
    writeFileSync(page, 'nothing\n');
    expect(() => writeFigures(results, page, 'charts')).toThrow('there are no lines <!-- figures');
    expect(readFileSync(page, 'utf8')).toBe('nothing\n');
  });
});
