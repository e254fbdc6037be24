import type { Row } from './run-scenario.ts';
import type { Scenario } from './scenarios.ts';
import type { Subject } from './subjects/subject.ts';

/** A scenario's figures for people: medians, spread, and the ratio to HAProxy's like variant. */
export function table(scenario: Scenario, rows: readonly Row[], subjects: readonly Subject[]): string {
  const lines = [
    `\n${scenario.name}: ${scenario.about}`,
    row('subject', 'CPU µs/request', 'spread', '× HAProxy', 'requests/s', 'p50 ms', 'p99 ms', 'RSS MiB'),
  ];
  for (const r of rows) {
    const peer = rows.find(
      (other) =>
        other.subject === 'haproxy' && other.variant === (r.variant === 'plain' ? 'bare' : r.variant),
    );
    const ratio = peer === undefined ? '-' : (r.cpuUsPerRequest / peer.cpuUsPerRequest).toFixed(2);
    lines.push(
      row(
        `${r.subject}/${r.variant}`,
        r.cpuUsPerRequest.toFixed(1),
        `${r.cpuUsSpread[0].toFixed(1)}–${r.cpuUsSpread[1].toFixed(1)}`,
        ratio,
        String(r.requestsPerSecond),
        r.p50Ms.toFixed(2),
        r.p99Ms.toFixed(2),
        r.rssMb.toFixed(0),
      ),
    );
  }
  lines.push(`medians of ${rows[0]?.rounds ?? 0} rounds; switched on:`);
  for (const subject of subjects)
    lines.push(`  ${`${subject.name}/${subject.variant}`.padEnd(16)}${subject.on}`);
  return `${lines.join('\n')}\n`;
}

function row(name: string, ...cells: readonly string[]): string {
  return `  ${name.padEnd(16)}${cells.map((cell) => cell.padStart(15)).join('')}`;
}
