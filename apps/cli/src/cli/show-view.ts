import type { OptionSpec } from './command.ts';
import { CliError, EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';
import { jsonPath } from './jsonpath.ts';
import { columnNamed, itemOf, OUTPUT_OPTION, printView, viewText, type Format, type View } from './output.ts';
import { parseSelector } from './selector.ts';

/** How a list is shown: format, order, once or whenever it changes. */
export const LIST_OPTIONS: typeof OUTPUT_OPTION & {
  readonly 'sort-by': OptionSpec & { readonly type: 'string' };
  readonly watch: OptionSpec & { readonly type: 'boolean' };
  readonly 'no-headers': OptionSpec & { readonly type: 'boolean' };
} = {
  ...OUTPUT_OPTION,
  'sort-by': {
    type: 'string',
    value: 'COLUMN',
    help: 'order by a column, or by a JSONPath of each item such as .metadata.name',
  },
  watch: { type: 'boolean', short: 'w', help: 'show it again whenever it changes, until interrupted' },
  'no-headers': { type: 'boolean', help: 'leave the head of the table out' },
};

/** Values of {@link LIST_OPTIONS}, and of `SELECTOR_OPTION` where a command has it. */
export interface ListOptions {
  readonly output?: string | undefined;
  readonly 'sort-by'?: string | undefined;
  readonly watch: boolean;
  readonly 'no-headers': boolean;
  readonly selector?: string | undefined;
}

/** Between two looks; what changed is on the screen before somebody wonders. */
const LOOK_EVERY_MS = 1_000;

/** One list of a command. */
export interface Shown<Row> {
  readonly view: View<Row>;
  /** Lines that belong to a table, on standard error. */
  readonly notes?: readonly string[];
}

/**
 * Shows lists, one after another: ordered and chosen as the options say. With `--watch` again on each change, in a
 * terminal in place; `jsonl` and `name` then print only rows that are new or changed.
 * @param load what there is now; asked again and again with `--watch`, where a failure is told and does not end it
 * @throws CliError 64 for an order, selector or template that makes no sense; what `load` throws the first time
 */
export async function showViews(
  io: Io,
  options: ListOptions,
  signal: AbortSignal,
  load: () => Promise<readonly Shown<never>[]>,
  lookEveryMs: number = LOOK_EVERY_MS,
): Promise<void> {
  const format = (options.output ?? 'table') as Format;
  const arrange = await arrangement(options);
  const print = async (shown: readonly Shown<never>[]): Promise<void> => {
    for (const [i, { view, notes = [] }] of shown.entries()) {
      if (i > 0 && (format === 'table' || format === 'wide')) io.out('\n');
      await printView(io, format, view, options['no-headers']);
      for (const note of notes) io.err(`${note}\n`);
    }
  };
  const look = async (): Promise<readonly Shown<never>[]> =>
    (await load()).map(({ view, ...rest }) => ({ ...rest, view: arrange(view) }));
  let shown = await look();
  if (!options.watch) return print(shown);
  const lines = format === 'jsonl' || format === 'name';
  const seen = new Map<string, string>();
  let before = '';
  let failure = '';
  for (;;) {
    const text = await textOf(format, shown);
    if (text !== before) {
      before = text;
      if (lines) await print(shown.map((one) => ({ view: changedRows(one.view, seen) })));
      else {
        if (io.outIsTerminal) io.out('\u001b[H\u001b[2J');
        await print(shown);
      }
    }
    await pause(lookEveryMs, signal);
    try {
      shown = await look();
      failure = '';
    } catch (error) {
      if (signal.aborted || !(error instanceof CliError)) throw error;
      if (failure !== error.message) io.err(`${error.message}\n`); // told once
      failure = error.message;
    }
  }
}

/** {@link showViews} for one list. */
export async function showView<Row>(
  io: Io,
  options: ListOptions,
  signal: AbortSignal,
  load: () => Promise<Shown<Row>>,
  lookEveryMs: number = LOOK_EVERY_MS,
): Promise<void> {
  await showViews(io, options, signal, async () => [(await load()) as unknown as Shown<never>], lookEveryMs);
}

async function textOf(format: Format, shown: readonly Shown<never>[]): Promise<string> {
  const texts = await Promise.all(
    shown.map(async ({ view }) => viewText(format === 'name' ? 'jsonl' : format, view)),
  );
  return [...texts, ...shown.flatMap(({ notes = [] }) => notes)].join('\n');
}

/** Rows that were not seen as they are now; remembers them. */
function changedRows(view: View<never>, seen: Map<string, string>): View<never> {
  return {
    ...view,
    rows: view.rows.filter((row) => {
      const [name, text] = [view.name(row), JSON.stringify(itemOf(view, row))];
      if (seen.get(name) === text) return false;
      seen.set(name, text);
      return true;
    }),
  };
}

/** Chooses and orders rows. */
async function arrangement(options: ListOptions): Promise<(view: View<never>) => View<never>> {
  const selects = options.selector === undefined ? undefined : parseSelector(options.selector);
  const sortBy = options['sort-by'];
  const path = sortBy !== undefined && /^[.${[@]/.test(sortBy) ? await jsonPath(sortBy) : undefined;
  return (view) => {
    const { labels } = view;
    let { rows } = view;
    if (selects !== undefined && labels !== undefined) rows = rows.filter((row) => selects(labels(row)));
    if (sortBy !== undefined) {
      const key =
        path === undefined
          ? columnNamed(view, sortBy).value
          : (row: never) => path(JSON.parse(JSON.stringify(itemOf(view, row))))[0];
      rows = rows.toSorted((a, b) => order(key(a), key(b)));
    }
    return { ...view, rows };
  };
}

/** Numbers by value, also within texts (`v2` before `v10`); what has no value comes last. */
function order(a: unknown, b: unknown): number {
  if (a === undefined || a === '' || b === undefined || b === '') {
    const last = (value: unknown): number => (value === undefined || value === '' ? 1 : 0);
    return last(a) - last(b);
  }
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return COLLATOR.compare(text(a), text(b));
}

const COLLATOR = new Intl.Collator('en', { numeric: true });
const text = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const interrupted = (): void => {
      clearTimeout(timer);
      reject(new CliError(EXIT.interrupted, 'interrupted'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', interrupted);
      resolve();
    }, ms);
    if (signal.aborted) interrupted();
    else signal.addEventListener('abort', interrupted, { once: true });
  });
}
