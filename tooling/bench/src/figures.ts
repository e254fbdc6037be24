import { readFileSync, writeFileSync } from 'node:fs';
import type { Results } from './results.ts';
import type { Row } from './rows.ts';
import { scenarios } from './scenarios.ts';
import { median, spread } from './stats.ts';

const BEGIN = '<!-- figures: written by `pnpm bench --from FILE --figures docs/performance.md` -->';
const END = '<!-- end of figures -->';

const COLUMNS: Readonly<Record<string, string>> = {
  tulle: 'Tulle',
  haproxy: 'HAProxy',
  nginx: 'nginx',
  envoy: 'Envoy',
  'node-http': '`node:http`',
  'http-proxy': 'http-proxy',
  'fastify-proxy': '@fastify/http-proxy',
};

/** Replaces the figures of a page, between its two marks. @throws Error when a mark is missing */
export function writeFigures(results: Results, page: string, chartsPath: string): void {
  const text = readFileSync(page, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${page}: there are no lines ${BEGIN} and ${END}`);
  writeFileSync(
    page,
    `${text.slice(0, begin + BEGIN.length)}\n\n${markdown(results, chartsPath)}\n${text.slice(end)}`,
  );
}

/** The figures as a page shows them: of the scenarios one table a variant, then the charts; of the studies what they print. */
export function markdown(results: Results, chartsPath: string): string {
  const { machine, node, rows } = results;
  const names = scenarios.map(({ name }) => name).filter((name) => rows.some((row) => row.scenario === name));
  const lines = [
    `Medians of ${roundsOf(rows)}, ${results.startedAt.slice(0, 10)}, Node ${node.slice(1)}, ${machine.cores} × ${machine.cpu}, load average ${machine.loadAverage.map((load) => load.toFixed(1)).join(' to ')}.`,
    '',
    ...variantTable(
      "With what a mesh has on, CPU µs a request (message, handshake), and Tulle's ratio to the others round by round, median (least–greatest):",
      rows,
      names,
      'mesh',
    ),
    ...variantTable('Bare:', rows, names, 'bare'),
    ...latencyTable(rows),
    ...names.map((name) => `![CPU per request, ${name}](${chartsPath}/${name}.svg)`),
  ];
  for (const [name, { about, text }] of Object.entries(results.studies))
    lines.push('', `\`${name}\`: ${about}.`, '', '```', text.replace(/^\n+|\n+$/g, ''), '```');
  if (results.failures.length > 0)
    lines.push(
      '',
      `Failed: ${results.failures.map((failure) => `${failure.scenario} ${failure.subject}/${failure.variant}`).join(', ')}.`,
    );
  return `${lines.join('\n')}\n`;
}

function roundsOf(rows: readonly Row[]): string {
  const [least, greatest] = spread(rows.map((row) => row.rounds));
  return least === greatest ? `${least} rounds` : `${least} to ${greatest} rounds`;
}

/** Nothing where Tulle was not measured so. */
function variantTable(
  title: string,
  rows: readonly Row[],
  names: readonly string[],
  variant: 'bare' | 'mesh',
): string[] {
  const find = (scenario: string, subject: string): Row | undefined =>
    rows.find(
      (row) =>
        row.scenario === scenario &&
        row.subject === subject &&
        (row.variant === variant || (variant === 'bare' && row.variant === 'plain')),
    );
  const shown = Object.entries(COLUMNS).filter(([subject]) => names.some((name) => find(name, subject)));
  if (!shown.some(([subject]) => subject === 'tulle')) return [];
  return [
    title,
    '',
    `| scenario |${shown.map(([, column]) => ` ${column} |`).join('')} Tulle × HAProxy | Tulle × Envoy |`,
    `|---|${shown.map(() => '---|').join('')}---|---|`,
    ...names.map((name) => {
      const tulle = find(name, 'tulle');
      const cells = shown.map(([subject]) => find(name, subject)?.cpuUsPerRequest.toFixed(1) ?? '–');
      return `| \`${name}\` | ${cells.join(' | ')} | ${ratio(tulle, find(name, 'haproxy'))} | ${ratio(tulle, find(name, 'envoy'))} |`;
    }),
    '',
  ];
}

/** Where load is paced, what counts is latency. */
function latencyTable(rows: readonly Row[]): string[] {
  const direct = rows.find((row) => row.subject === 'direct');
  if (direct === undefined) return [];
  const paced = rows.filter((row) => row.scenario === direct.scenario && row !== direct);
  return [
    `\`${direct.scenario}\`, ms: without a proxy p50 ${ms(direct.p50Ms)}, p99 ${ms(direct.p99Ms)}.`,
    '',
    '| pair of | p50 | p99 | added to p99, median of the rounds |',
    '|---|---|---|---|',
    ...paced.map((row) => {
      const added = row.p99MsOfRounds.map((p99, round) => (p99 ?? 0) - (direct.p99MsOfRounds[round] ?? 0));
      return `| ${row.subject}, ${row.variant} | ${ms(row.p50Ms)} | ${ms(row.p99Ms)} | ${ms(median(added))} |`;
    }),
    '',
  ];
}

const ms = (value: number | null): string => value?.toFixed(2) ?? '–';

function ratio(of: Row | undefined, to: Row | undefined): string {
  if (of === undefined || to === undefined) return '–';
  const ratios = of.cpuUsOfRounds.map((cpu, round) => cpu / (to.cpuUsOfRounds[round] as number));
  const [least, greatest] = spread(ratios);
  return `${median(ratios).toFixed(2)} (${least.toFixed(2)}–${greatest.toFixed(2)})`;
}
