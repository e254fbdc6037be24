import { LoadGenerator } from './load/generator.ts';
import type { Row } from './rows.ts';
import type { Failure } from './run-scenario.ts';
import type { Scenario } from './scenarios.ts';
import { median, spread } from './stats.ts';
import type { Subject } from './subjects/index.ts';

/**
 * A scenario's figures for people: medians, spread, how the CPU time is split, and the ratio to HAProxy's and Envoy's like variant
 * and to the baseline's, of Tulle's variants to its bare one: the median of the rounds' ratios, with the least and the greatest.
 */
export function table(
  scenario: Scenario,
  rows: readonly Row[],
  failures: readonly Failure[],
  subjects: readonly Subject[],
): string {
  const has = (subject: string, variant?: string): boolean =>
    rows.some((r) => r.subject === subject && (variant === undefined || r.variant === variant));
  const withBare = has('tulle', 'bare') && has('tulle', 'observed');
  const direct = rows.find((r) => r.subject === 'direct');
  const lines = [
    `\n${scenario.name}: ${scenario.about}`,
    row('subject', [
      `CPU µs/${scenario.unit}`,
      'spread',
      'user + system',
      '× HAProxy',
      ...(has('envoy') ? ['× Envoy'] : []),
      ...(withBare ? ['× bare'] : []),
      ...(has('baseline') ? ['× baseline'] : []),
      `${scenario.unit}s/s`,
      'p50 ms',
      'p99 ms',
      ...(direct === undefined ? [] : ['p99 added ms']),
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
        ...(has('envoy') ? [ratio(r, rows, 'envoy')] : []),
        ...(withBare ? [r.subject === 'tulle' ? ratioTo(r, rows, r.subject, 'bare') : '-'] : []),
        ...(has('baseline') ? [r.subject === 'tulle' ? ratio(r, rows, 'baseline') : '-'] : []),
        String(r.requestsPerSecond),
        r.p50Ms?.toFixed(2) ?? '-',
        r.p99Ms?.toFixed(2) ?? '-',
        ...(direct === undefined ? [] : [added(r, direct)]),
        r.rssMb.toFixed(0),
      ]),
    );
  }
  lines.push(
    `medians of ${rows[0]?.rounds ?? 0} rounds, load by ${LoadGenerator.nameFor(scenario)}; switched on:`,
  );
  for (const subject of subjects) {
    const note = subject.note?.(scenario);
    lines.push(
      `  ${`${subject.name}/${subject.variant}`.padEnd(22)}${subject.on}${note === undefined ? '' : `; here: ${note}`}`,
    );
  }
  for (const { subject, variant, error } of failures) lines.push(`FAILED ${subject}/${variant}: ${error}`);
  return `${lines.join('\n')}\n`;
}

/** `1.42 (1.31–1.55)`, `-` where the peer was not measured. */
export function ratio(of: Row, rows: readonly Row[], subject: string): string {
  return ratioTo(of, rows, subject, of.variant === 'plain' ? 'bare' : of.variant);
}

function ratioTo(of: Row, rows: readonly Row[], subject: string, variant: string): string {
  const peer = rows.find((other) => other.subject === subject && other.variant === variant);
  if (peer === undefined || of.subject === 'direct') return '-';
  const ratios = of.cpuUsOfRounds.map((cpu, round) => cpu / (peer.cpuUsOfRounds[round] as number));
  const [least, greatest] = spread(ratios);
  return `${median(ratios).toFixed(2)} (${least.toFixed(2)}–${greatest.toFixed(2)})`;
}

/** What the 99th percentile is above that of calls past every proxy, round by round. */
function added(of: Row, direct: Row): string {
  if (of === direct) return '-';
  const differences = of.p99MsOfRounds.map((p99, round) => (p99 ?? 0) - (direct.p99MsOfRounds[round] ?? 0));
  return median(differences).toFixed(2);
}

function row(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(22)}${cells.map((cell) => ` ${cell}`.padStart(20)).join('')}`;
}
