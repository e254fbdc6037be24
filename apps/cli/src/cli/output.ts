import type { OptionSpec } from './command.ts';
import { usageError } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './io.ts';
import { jsonPathTemplate } from './jsonpath.ts';
import type { Labels } from './selector.ts';

/** Formats that a command can print its data in. */
export type Format = 'table' | 'wide' | 'json' | 'yaml' | 'jsonl' | 'name' | `jsonpath=${string}`;
/** As the help names them; what ends in `=` takes a value. */
export const FORMATS: readonly string[] = ['table', 'wide', 'json', 'yaml', 'jsonl', 'name', 'jsonpath='];

/** The option, for every command that prints data. */
export const OUTPUT_OPTION: { readonly output: OptionSpec & { readonly type: 'string' } } = {
  output: {
    type: 'string',
    short: 'o',
    value: 'FORMAT',
    help: 'output format',
    choices: FORMATS,
    defaultText: 'table',
  },
};

/** A column of a table. */
export interface Column<Row> {
  readonly header: string;
  /** `''` and undefined are printed as `-`. */
  value(row: Row): string | number | undefined;
  /** Only with `-o wide`. */
  readonly wide?: boolean;
}

/** Something to print. */
export interface View<Row> {
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  /** The whole for `json`, `yaml` and `jsonpath=`, or what makes it of the rows that are shown; default the rows. */
  readonly document?: unknown;
  /** One row for `jsonl`; default the row itself. */
  item?(row: Row): unknown;
  /** For `-o name`. */
  name(row: Row): string;
  /** What `--selector` chooses by. */
  labels?(row: Row): Labels;
  /** Said on standard error when a table has no row. */
  readonly empty?: string;
  /** How to read the table; for people, on standard error. */
  readonly footer?: string;
}

/** Prints data to standard output. @param noHeaders leaves the table's head out */
export async function printView<Row>(
  io: Io,
  format: Format,
  view: View<Row>,
  noHeaders = false,
): Promise<void> {
  io.out(await viewText(format, view, noHeaders));
  if (format !== 'table' && format !== 'wide') return;
  if (view.rows.length === 0) {
    if (view.empty !== undefined) io.err(`${view.empty}\n`);
  } else if (view.footer !== undefined && io.outIsTerminal && io.errIsTerminal)
    io.err(`${paint(io, 'err').dim(view.footer)}\n`);
}

/** Data in a format; empty for a table without rows. @throws CliError 64 for a template that is none */
export async function viewText<Row>(format: Format, view: View<Row>, noHeaders = false): Promise<string> {
  switch (format) {
    case 'json':
      return `${JSON.stringify(documentOf(view), null, 2)}\n`;
    case 'jsonl':
      return view.rows.map((row) => `${JSON.stringify(itemOf(view, row))}\n`).join('');
    case 'yaml': {
      const { stringify } = await import('yaml');
      return stringify(JSON.parse(JSON.stringify(documentOf(view))));
    }
    case 'name':
      return view.rows.map((row) => `${view.name(row)}\n`).join('');
    case 'table':
    case 'wide': {
      if (view.rows.length === 0) return '';
      const columns = view.columns.filter((c) => format === 'wide' || c.wide !== true);
      return tableText(
        columns.map((c) => c.header),
        view.rows.map((row) => columns.map((c) => cell(c.value(row)))),
        noHeaders,
      );
    }
    default: {
      const template = await jsonPathTemplate(format.slice('jsonpath='.length));
      const text = template(JSON.parse(JSON.stringify(documentOf(view))));
      return text === '' || text.endsWith('\n') ? text : `${text}\n`;
    }
  }
}

const documentOf = <Row>({ document, rows }: View<Row>): unknown =>
  typeof document === 'function' ? (document as (rows: readonly Row[]) => unknown)(rows) : (document ?? rows);

/** One row as programs get it. */
export const itemOf = <Row>(view: View<Row>, row: Row): unknown => view.item?.(row) ?? row;

/** The column that a person names. @throws CliError 64 */
export function columnNamed<Row>(view: View<Row>, name: string): Column<Row> {
  const key = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const column = view.columns.find(({ header }) => key(header) === key(name));
  if (column !== undefined) return column;
  throw usageError(
    `--sort-by: there is no column ${JSON.stringify(name)}`,
    `columns: ${view.columns.map(({ header }) => header).join(', ')}; or a path such as .metadata.name`,
  );
}

const cell = (value: string | number | undefined): string =>
  value === undefined || value === '' ? '-' : oneLine(String(value));

/** Values come from the mesh: a control character must not move the reader's cursor. */
// oxlint-disable-next-line no-control-regex
const oneLine = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, ' ');

/** Columns three blanks apart, as kubectl prints them. */
export function tableText(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  noHeaders = false,
): string {
  const all = noHeaders ? rows : [headers, ...rows];
  const widths = headers.map((_, i) => Math.max(0, ...all.map((row) => (row[i] ?? '').length)));
  return all
    .map(
      (row) =>
        `${row
          .map((text, i) => (i === row.length - 1 ? text : text.padEnd((widths[i] as number) + 3)))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}

/** `12s`, `5m`, `3h`, `2d`: how long ago. */
export function ageText(fromMs: number | undefined, nowMs: number): string | undefined {
  if (fromMs === undefined) return undefined;
  const seconds = Math.max(0, Math.round((nowMs - fromMs) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
