import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from './rows.ts';
import { scenarios } from './scenarios.ts';

const WIDTH = 760;
const LABEL_WIDTH = 170;
const VALUE_WIDTH = 70;
const BAR_HEIGHT = 18;
const LINE_HEIGHT = 26;
const TOP = 58;

/** Writes a chart of each scenario that has figures, `NAME.svg`. */
export function writeCharts(rows: readonly Row[], directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const { name, about, unit } of scenarios) {
    const own = rows.filter((row) => row.scenario === name && row.subject !== 'direct');
    if (own.length > 0) writeFileSync(join(directory, `${name}.svg`), chart(`${name}: ${about}`, unit, own));
  }
}

/**
 * Bars of CPU time, shorter is better, with the least and the greatest round as a line. Readable on light and dark pages: the
 * background is the page's, and the colours follow its scheme.
 */
export function chart(title: string, unit: string, rows: readonly Row[]): string {
  const greatest = Math.max(...rows.map((row) => row.cpuUsSpread[1]));
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / greatest;
  const heading = wrapped(title, 100);
  const top = TOP + (heading.length - 1) * 16;
  const height = top + rows.length * LINE_HEIGHT + 10;
  const bars = rows.map((row, index) => {
    const y = top + index * LINE_HEIGHT;
    const middle = y + BAR_HEIGHT / 2;
    const [least, most] = row.cpuUsSpread.map((us) => (LABEL_WIDTH + us * scale).toFixed(1));
    return `  <text x="${LABEL_WIDTH - 10}" y="${middle + 4}" class="name">${escaped(`${row.subject} ${row.variant === 'plain' ? '' : row.variant}`)}</text>
  <rect x="${LABEL_WIDTH}" y="${y}" width="${(row.cpuUsPerRequest * scale).toFixed(1)}" height="${BAR_HEIGHT}" class="${row.subject === 'tulle' ? 'own' : 'peer'}"/>
  <path d="M${least} ${middle}H${most}M${least} ${middle - 4}v8M${most} ${middle - 4}v8" class="spread"/>
  <text x="${(Number(most) + 8).toFixed(1)}" y="${middle + 4}">${row.cpuUsPerRequest.toFixed(1)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(`${title}; CPU microseconds a ${unit}: ${rows.map((row) => `${row.subject} ${row.variant} ${row.cpuUsPerRequest.toFixed(1)}`).join(', ')}`)}">
  <style>
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-weight: 600 }
    .small { font-size: 12px; fill: #59636e }
    .name { text-anchor: end }
    .own { fill: #0b6e99 }
    .peer { fill: #9aa4ae }
    .spread { stroke: #1f2328; stroke-width: 1.2; fill: none }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .small { fill: #9198a1 }
      .own { fill: #4cb3e0 }
      .peer { fill: #6b747d }
      .spread { stroke: #e6edf3 }
    }
  </style>
${heading.map((line, index) => `  <text x="10" y="${20 + index * 16}" class="title">${escaped(line)}</text>`).join('\n')}
  <text x="10" y="${top - 20}" class="small">CPU µs of the proxy a ${unit}, median of ${rows[0]?.rounds ?? 0} rounds with the least and the greatest; shorter is better</text>
${bars.join('\n')}
</svg>
`;
}

function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;').trim();
}
