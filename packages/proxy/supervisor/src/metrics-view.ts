import { combineGauge, gaugeRule } from './gauge-rules.ts';

/** A metrics page of one engine process. */
export interface ProcessPage {
  readonly slot: number;
  readonly generation: number;
  /** It takes new work; false: it drains. */
  readonly current: boolean;
  /** `undefined`: it did not answer, and what it said last counts. */
  readonly text: string | undefined;
}

/** One page over the processes of a supervisor, scrape after scrape. */
export interface MetricsView {
  /**
   * Counters and histograms are sums over all processes, and stay sums when one ends: what it said last goes on counting,
   * so that a restart looks like no reset to a scraper. (What a process counted after the last scrape before its end is
   * lost.) Gauges are those of processes that take new work, put together by rule ({@link gaugeRule}).
   * @param pages of every process that lives, in the text format 0.0.4 or OpenMetrics
   */
  merge(pages: readonly ProcessPage[]): string;
}

interface Family {
  /** Its HELP and TYPE lines. */
  head: string;
  readonly summed: boolean;
  /** By name and labels, as printed. */
  readonly samples: Map<string, number>;
}

type Page = Map<string, Family>;

/** Sums of ended processes are forgotten when no process had the series for so long; as idle series are by the exporter. */
const FORGET_AFTER_MS = 600_000;

/**
 * @param nowMs monotonic milliseconds
 * @param each gauges are told apart by the label `worker` where there are several slots. Default false
 */
export function createMetricsView(nowMs: () => number = () => performance.now(), each = false): MetricsView {
  const seen = new Map<number, { text: string; page?: Page }>();
  const ended: Page = new Map();
  /** When a series of `ended` was last in the page of a process. */
  const touched = new Map<string, number>();
  let slots = 0;

  const keep = (name: string, family: Family, key: string, value: number): void => {
    const kept = ended.get(name) ?? { head: family.head, summed: true, samples: new Map<string, number>() };
    ended.set(name, kept);
    kept.samples.set(key, (kept.samples.get(key) ?? 0) + value);
    touched.set(key, nowMs());
  };

  /** What was there and is no more: the process ended, or forgot an idle series. */
  const keepWhatIsGone = (before: Page, after: Page | undefined): void => {
    for (const [name, family] of before) {
      if (!family.summed) continue;
      const still = after?.get(name)?.samples;
      for (const [key, value] of family.samples) if (still?.has(key) !== true) keep(name, family, key, value);
    }
  };

  const forgetIdle = (pages: readonly Page[]): void => {
    const now = nowMs();
    for (const [name, { samples }] of ended) {
      for (const key of samples.keys()) {
        if (pages.some((page) => page.get(name)?.samples.has(key) === true)) touched.set(key, now);
        else if (now - (touched.get(key) ?? 0) > FORGET_AFTER_MS) {
          samples.delete(key);
          touched.delete(key);
        }
      }
      if (samples.size === 0) ended.delete(name);
    }
  };

  return {
    merge(pages) {
      slots = Math.max(slots, ...pages.map((page) => page.slot + 1));
      const [first] = pages;
      const known = [...seen.keys()];
      if (
        pages.length === 1 &&
        first?.text !== undefined &&
        slots === 1 &&
        ended.size === 0 &&
        known.every((generation) => generation === first.generation)
      ) {
        seen.set(first.generation, { text: first.text }); // the usual case: nothing to add up
        return first.text;
      }
      for (const generation of known) {
        const now = pages.find((page) => page.generation === generation);
        const before = seen.get(generation) as { text: string; page?: Page };
        if (now?.text === undefined && now !== undefined) continue;
        const after = now?.text === undefined ? undefined : parsePage(now.text);
        keepWhatIsGone((before.page ??= parsePage(before.text)), after);
        if (now?.text === undefined) seen.delete(generation);
        else seen.set(generation, { text: now.text, ...(after === undefined ? {} : { page: after }) });
      }
      for (const { generation, text } of pages)
        if (text !== undefined && !seen.has(generation)) seen.set(generation, { text });
      const parsed = pages.flatMap((page) => {
        const one = seen.get(page.generation);
        if (one === undefined) return [];
        return [{ ...page, page: (one.page ??= parsePage(one.text)) }];
      });
      forgetIdle(parsed.map(({ page }) => page));
      const total: Page = new Map();
      for (const { page, current, slot } of parsed)
        addUp(total, page, current, each && slots > 1 ? slot : undefined);
      addUp(total, ended, false, undefined);
      return print(
        total,
        pages.some((page) => page.text?.endsWith('# EOF\n') === true),
      );
    },
  };
}

function addUp(total: Page, page: Page, gauges: boolean, worker: number | undefined): void {
  for (const [name, { head, summed, samples }] of page) {
    if (!summed && !gauges) continue;
    const sum = total.get(name) ?? { head, summed, samples: new Map<string, number>() };
    total.set(name, sum);
    const rule = summed ? 'sum' : gaugeRule(name);
    for (const [key, value] of samples) {
      const of = summed || worker === undefined ? key : withWorker(key, worker);
      sum.samples.set(of, combineGauge(rule, sum.samples.get(of), value));
    }
  }
}

const withWorker = (key: string, worker: number): string =>
  key.endsWith('}') ? `${key.slice(0, -1)},worker="${worker}"}` : `${key}{worker="${worker}"}`;

function print(page: Page, openMetrics: boolean): string {
  let text = '';
  for (const { head, samples } of page.values()) {
    if (samples.size === 0) continue;
    text += head;
    for (const [key, value] of samples) text += `${key} ${numberText(value)}\n`;
  }
  return openMetrics ? `${text}# EOF\n` : text;
}

/** Name with labels, and a value: no timestamp. An exemplar may follow; it belongs to one process and is left out of sums. */
const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*\})?) (\S+)(?: # \{.*)?$/;

/** Lines that are no such sample are left out: one odd line of a plugin must not cost the page. */
function parsePage(text: string): Page {
  const page: Page = new Map();
  let family: Family = { head: '', summed: false, samples: new Map<string, number>() };
  let help = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('# HELP ')) help = `${line}\n`;
    else if (line.startsWith('# TYPE ')) {
      const [, , name = '', type = ''] = line.split(' ');
      family = {
        head: `${help}${line}\n`,
        summed: type === 'counter' || type === 'histogram',
        samples: new Map<string, number>(),
      };
      page.set(name, family);
      help = '';
    } else if (line !== '' && !line.startsWith('#')) {
      const [, key, value] = SAMPLE.exec(line) ?? [];
      if (key !== undefined && value !== undefined) family.samples.set(key, numberOf(value));
    }
  }
  return page;
}

const numberOf = (text: string): number =>
  text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);

const numberText = (value: number): string =>
  value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value);
