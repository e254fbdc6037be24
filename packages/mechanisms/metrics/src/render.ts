import { escapeHelp, escapeLabelValue, numberText } from './label-text.ts';
import type { Exemplar, Series } from './instruments.ts';
import type { Family, Registry } from './registry.ts';

/** Text format 0.0.4 (what every Prometheus reads) or OpenMetrics 1.0. */
export type TextFormat = 'prometheus' | 'openmetrics';

/** Content types by format. */
export const CONTENT_TYPES: Readonly<Record<TextFormat, string>> = Object.freeze({
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
});

/** A piece is handed over once it holds so many characters: three bytes a character and a long last line stay within 64 KiB. */
const PIECE_CHARS = 16_384;

/**
 * Renders in pieces, so that a scrape never stalls the loop that moves bytes. Numbers are read when their piece is
 * made; the numbers of one histogram are read together, so its buckets always agree with its count.
 * @param include which families stand on the page, by name; default all
 */
export function* renderText(
  registry: Pick<Registry, 'families'>,
  format: TextFormat,
  include: (name: string) => boolean = () => true,
): Generator<string, void, undefined> {
  let piece = '';
  const scratch: number[] = [];
  for (const family of registry.families.values()) {
    if (family.series.size === 0 && family.observed.size === 0) continue;
    if (!include(family.name)) continue;
    piece += head(family, format);
    const sample = sampleName(family, format);
    for (const series of family.series.values()) {
      if (family.type !== 'histogram') {
        piece += `${sample}${braced(series.labels)} ${numberText(series.run.chunk[series.run.at] as number)}${exemplarText(series.exemplars?.get(0), format)}\n`;
      } else {
        const { chunk, at, length } = series.run;
        scratch.length = 0;
        for (let i = 0; i < length; i++) scratch.push(chunk[at + i] as number);
        for (const line of histogramLines(family, series, scratch, format)) {
          piece += line;
          if (piece.length >= PIECE_CHARS) {
            yield piece;
            piece = '';
          }
        }
      }
      if (piece.length >= PIECE_CHARS) {
        yield piece;
        piece = '';
      }
    }
    for (const [labels, read] of family.observed) {
      piece += `${sample}${braced(labels)} ${numberText(readSafely(read))}\n`;
      if (piece.length >= PIECE_CHARS) {
        yield piece;
        piece = '';
      }
    }
  }
  if (format === 'openmetrics') piece += '# EOF\n';
  if (piece !== '') yield piece;
}

// OpenMetrics names a counter's family without `_total` and demands it on the sample.
const familyName = (family: Family, format: TextFormat): string =>
  format === 'openmetrics' && family.type === 'counter' && family.name.endsWith('_total')
    ? family.name.slice(0, -6)
    : family.name;

const sampleName = (family: Family, format: TextFormat): string =>
  format === 'openmetrics' && family.type === 'counter' && !family.name.endsWith('_total')
    ? `${family.name}_total`
    : family.name;

function head(family: Family, format: TextFormat): string {
  const name = familyName(family, format);
  const help = format === 'openmetrics' ? escapeLabelValue(family.help) : escapeHelp(family.help);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${family.type}\n`;
}

const braced = (labels: string): string => (labels === '' ? '' : `{${labels}}`);

function* histogramLines(
  family: Family,
  { labels, exemplars }: Series,
  numbers: readonly number[],
  format: TextFormat,
): Generator<string> {
  const { name, bounds } = family;
  const before = labels === '' ? '' : `${labels},`;
  let total = 0;
  for (let i = 0; i < bounds.length; i++) {
    total += numbers[i] as number;
    yield `${name}_bucket{${before}le="${boundText(bounds[i] as number, format)}"} ${total}${exemplarText(exemplars?.get(i), format)}\n`;
  }
  total += numbers[bounds.length] as number;
  yield `${name}_bucket{${before}le="+Inf"} ${total}${exemplarText(exemplars?.get(bounds.length), format)}\n`;
  yield `${name}_sum${braced(labels)} ${numberText(numbers[bounds.length + 1] as number)}\n`;
  yield `${name}_count${braced(labels)} ${total}\n`;
}

// OpenMetrics wants floats written as floats so that two exporters agree on a bucket's label.
const boundText = (bound: number, format: TextFormat): string =>
  format === 'openmetrics' && Number.isInteger(bound) && Math.abs(bound) < 1e15
    ? `${bound}.0`
    : numberText(bound);

/** Text format 0.0.4 knows no exemplars. */
const exemplarText = (exemplar: Exemplar | undefined, format: TextFormat): string =>
  exemplar === undefined || format !== 'openmetrics'
    ? ''
    : ` # {${exemplar.labels}} ${numberText(exemplar.value)} ${(exemplar.epochMs / 1000).toFixed(3)}`;

/** One broken reader must not cost the whole page. */
function readSafely(read: () => number): number {
  try {
    return read();
  } catch {
    return Number.NaN;
  }
}
