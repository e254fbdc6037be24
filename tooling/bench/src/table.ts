import type { Row } from './run-scenario.ts';
import type { Scenario } from './scenarios.ts';
import { median, spread } from './stats.ts';
import type { Subject } from './subjects/subject.ts';

/**
 * A scenario's figures for people: medians, spread, how the CPU time is split, and the ratio to HAProxy's like variant
 * and to the baseline's, of Tulle's variants to its bare one: the median of the rounds' ratios, with the least and the greatest.
 */
export function table(scenario: Scenario, rows: readonly Row[], subjects: readonly Subject[]): string {
  const withBaseline = rows.some((r) => r.subject === 'baseline');
  const withBare = ['bare', 'observed'].every((variant) =>
    rows.some((r) => r.subject === 'tulle' && r.variant === variant),
  );
  const lines = [
    `\n${scenario.name}: ${scenario.about}`,
    row('subject', [
      'CPU µs/request',
      'spread',
      'user + system',
      '× HAProxy',
      ...(withBare ? ['× bare'] : []),
      ...(withBaseline ? ['× baseline'] : []),
      'requests/s',
      'p50 ms',
      'p99 ms',
      'RSS MiB',
    ]),
  ];
  for (const r of rows) {
    lines.push(
      row(`${r.subject}/${r.variant}`, [
        r.cpuUsPerRequest.toFixed(1),
        `${r.cpuUsSpread[0].toFixed(1)}–${r.cpuUsSpread[1].toFixed(1)}`,
        `${r.cpuUserUs.toFixed(1)} + ${r.cpuSystemUs.toFixed(1)}`,
        ratio(r, rows, 'haproxy'),
        ...(withBare ? [r.subject === 'tulle' ? ratioTo(r, rows, r.subject, 'bare') : '-'] : []),
        ...(withBaseline ? [r.subject === 'tulle' ? ratio(r, rows, 'baseline') : '-'] : []),
        String(r.requestsPerSecond),
        r.p50Ms.toFixed(2),
        r.p99Ms.toFixed(2),
        r.rssMb.toFixed(0),
      ]),
    );
  }
  lines.push(`medians of ${rows[0]?.rounds ?? 0} rounds; switched on:`);
  for (const subject of subjects)
    lines.push(`  ${`${subject.name}/${subject.variant}`.padEnd(16)}${subject.on}`);
  return `${lines.join('\n')}\n`;
}

/** `1.42 (1.31–1.55)`, `-` where the peer was not measured. */
export function ratio(of: Row, rows: readonly Row[], subject: string): string {
  return ratioTo(of, rows, subject, of.variant === 'plain' ? 'bare' : of.variant);
}

function ratioTo(of: Row, rows: readonly Row[], subject: string, variant: string): string {
  const peer = rows.find((other) => other.subject === subject && other.variant === variant);
  if (peer === undefined) return '-';
  const ratios = of.cpuUsOfRounds.map((cpu, round) => cpu / (peer.cpuUsOfRounds[round] as number));
  const [least, greatest] = spread(ratios);
  return `${median(ratios).toFixed(2)} (${least.toFixed(2)}–${greatest.toFixed(2)})`;
}

function row(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(16)}${cells.map((cell) => cell.padStart(18)).join('')}`;
}
