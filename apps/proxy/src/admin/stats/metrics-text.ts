/** A sample of a page in Prometheus's text format. */
export interface Sample {
  /** With `_bucket`, `_sum` or `_count` for a part of a histogram. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with everything that was measured of it. */
export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: # .*)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?/g;

/** Reads a page of the text format 0.0.4. Lines that are no samples are left out. */
export function parseMetrics(text: string): Family[] {
  const families: Family[] = [];
  let help = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('# HELP ')) help = line.slice('# HELP '.length).replace(/^\S+ /, '');
    else if (line.startsWith('# TYPE ')) {
      const [, , name = '', type = 'untyped'] = line.split(' ');
      families.push({ name, type, help, samples: [] });
      help = '';
    } else {
      const [, name, labels = '', value] = LINE.exec(line) ?? [];
      if (name === undefined || value === undefined) continue;
      families.at(-1)?.samples.push({
        name,
        labels: Object.fromEntries(
          [...labels.matchAll(LABEL)].map(([, key = '', text = '']) => [key, unescaped(text)]),
        ),
        value: value === '+Inf' ? Infinity : Number(value),
      });
    }
  }
  return families;
}

const unescaped = (text: string): string =>
  text.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
