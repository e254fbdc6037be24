/**
 * A strict reader of text format 0.0.4 and OpenMetrics 1.0, written from the format descriptions and sharing nothing
 * with the renderer: it refuses what a scraper might forgive.
 */
export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** OpenMetrics only. */
  readonly exemplar?: {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
    readonly epochSeconds: number;
  };
}

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: ParsedSample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  gauge: [''],
  counter: [''],
  histogram: ['_bucket', '_sum', '_count'],
};

export function parseMetricsPage(
  text: string,
  format: 'prometheus' | 'openmetrics',
): Map<string, ParsedFamily> {
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  if (!text.endsWith('\n')) throw new Error('the page must end in a line feed');
  const lines = text.slice(0, -1).split('\n');
  if (format === 'openmetrics' && lines.pop() !== '# EOF') throw new Error('OpenMetrics must end in # EOF');
  let help: { name: string; text: string } | undefined;
  let family: ParsedFamily | undefined;
  for (const line of lines) {
    if (line.startsWith('# HELP ')) {
      const [, name = '', helpText = ''] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
      if (!NAME.test(name) || families.has(name)) throw new Error(`bad or repeated HELP: ${line}`);
      help = { name, text: helpText };
    } else if (line.startsWith('# TYPE ')) {
      const [, name = '', type = ''] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? [];
      if (help?.name !== name) throw new Error(`TYPE without its HELP: ${line}`);
      family = { name, type, help: help.text, samples: [] };
      families.set(name, family);
    } else {
      if (family === undefined) throw new Error(`sample before any TYPE: ${line}`);
      const sample = parseSample(line, format === 'openmetrics');
      const suffixes =
        format === 'openmetrics' && family.type === 'counter' ? ['_total'] : (SUFFIXES[family.type] ?? []);
      const { name } = family;
      if (!suffixes.some((suffix) => sample.name === `${name}${suffix}`))
        throw new Error(`${sample.name} does not belong to ${name}`);
      const key = `${sample.name}${labelKey(sample.labels)}`;
      if (seen.has(key)) throw new Error(`series given twice: ${line}`);
      seen.add(key);
      family.samples.push(sample);
    }
  }
  for (const one of families.values()) if (one.type === 'histogram') checkHistogram(one);
  return families;
}

/** Equal for the same labels in any order. */
export function labelKey(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const NUMBER = /^ (\+Inf|-Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/;
/** Names and values of an exemplar together (OpenMetrics 1.0, Exemplars). */
const MAX_EXEMPLAR_CHARS = 128;

function parseSample(line: string, exemplars: boolean): ParsedSample {
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0];
  if (name === undefined) throw new Error(`no metric name: ${JSON.stringify(line)}`);
  const { labels, end } = parseLabels(line, name.length);
  const number = NUMBER.exec(line.slice(end));
  if (number === null) throw new Error(`no plain value at ${end}: ${line}`);
  const sample = { name, labels, value: numberOf(number[1] as string) };
  const rest = line.slice(end + number[0].length);
  if (rest === '') return sample;
  if (!exemplars || !rest.startsWith(' # {') || !/_(?:total|bucket)$/.test(name))
    throw new Error(`nothing may follow the value: ${line}`);
  const exemplar = parseLabels(rest, 3);
  const values = /^ (\S+) (\d+(?:\.\d+)?)$/.exec(rest.slice(exemplar.end));
  const chars = Object.entries(exemplar.labels).reduce(
    (sum, [key, value]) => sum + key.length + value.length,
    0,
  );
  if (values === null || !NUMBER.test(` ${values[1]}`) || chars > MAX_EXEMPLAR_CHARS)
    throw new Error(`bad exemplar: ${line}`);
  const value = numberOf(values[1] as string);
  if (value > numberOf(labels['le'] ?? '+Inf')) throw new Error(`the exemplar is not in its bucket: ${line}`);
  return { ...sample, exemplar: { labels: exemplar.labels, value, epochSeconds: Number(values[2]) } };
}

const numberOf = (text: string): number => Number(text.replace('Inf', 'Infinity'));

/** `{a="1"}` at `at`, or nothing there. */
function parseLabels(
  line: string,
  start: number,
): { readonly labels: Readonly<Record<string, string>>; readonly end: number } {
  const labels: Record<string, string> = {};
  let at = start;
  if (line[at] !== '{') return { labels, end: at };
  at++;
  for (;;) {
    const label = /^[a-zA-Z_][a-zA-Z0-9_]*(?==")/.exec(line.slice(at))?.[0];
    if (label === undefined || Object.hasOwn(labels, label))
      throw new Error(`bad or repeated label at ${at}: ${line}`);
    at += label.length + 2;
    let value = '';
    for (;;) {
      const c = line[at++];
      if (c === undefined) throw new Error(`label value without end: ${line}`);
      if (c === '"') break;
      if (c !== '\\') {
        value += c;
        continue;
      }
      const escaped = line[at++];
      if (escaped === 'n') value += '\n';
      else if (escaped === '\\' || escaped === '"') value += escaped;
      else throw new Error(`unknown escape: ${line}`);
    }
    Object.defineProperty(labels, label, { value, enumerable: true });
    const next = line[at++];
    if (next === '}') return { labels, end: at };
    if (next !== ',') throw new Error(`expected , or } at ${at}: ${line}`);
  }
}

function checkHistogram(family: ParsedFamily): void {
  const bySeries = new Map<string, { buckets: [number, number][]; count?: number; sum?: number }>();
  for (const { name, labels, value } of family.samples) {
    const { le, ...rest } = labels;
    const key = labelKey(rest);
    let one = bySeries.get(key);
    if (one === undefined) bySeries.set(key, (one = { buckets: [] }));
    if (name.endsWith('_bucket')) one.buckets.push([Number((le ?? '').replace('Inf', 'Infinity')), value]);
    else if (name.endsWith('_sum')) one.sum = value;
    else one.count = value;
  }
  for (const [key, { buckets, count, sum }] of bySeries) {
    const last = buckets.at(-1);
    if (last?.[0] !== Number.POSITIVE_INFINITY || last[1] !== count || sum === undefined)
      throw new Error(`${family.name}${key}: +Inf bucket, _count and _sum must be there and agree`);
    for (let i = 1; i < buckets.length; i++) {
      const [[bound, n], [next, m]] = [buckets[i - 1] as [number, number], buckets[i] as [number, number]];
      if (!(next > bound) || m < n)
        throw new Error(`${family.name}${key}: buckets must ascend and be cumulative`);
    }
  }
}
