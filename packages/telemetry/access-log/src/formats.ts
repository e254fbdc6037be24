import type { StreamRecord } from '@tulle/telemetry';
import { parseFormat, refuseFormat, type FormatIssue } from './format-parser.ts';
import { jsonNumber, jsonText } from './json-text.ts';
import type { LineWriter } from './json-line.ts';
import { lineText } from './line-text.ts';
import { compileOperator, type Getter, type OperatorContext } from './operators.ts';

/** A JSON object of formats: a value that is one operator keeps its type (number, or `null` where unset). */
export interface JsonFormat {
  readonly [key: string]: string | JsonFormat;
}

/**
 * What a line is made of: text with operators as in Envoy's access log, e.g. `%START_TIME% %REQ(:PATH)%`, or an object of
 * such texts for JSON lines.
 */
export type AccessLogFormat = string | { readonly json: JsonFormat };

/** How a format is filled. */
export interface FormatOptions extends OperatorContext {
  /** Longer values are cut and end in `…`. */
  readonly maxFieldChars: number;
}

/**
 * Compiles a format once, to a function that writes lines.
 * @throws TulleError `TULLE_CONFIG_INVALID` with everything that is wrong, by its column
 */
export function compileFormat(format: AccessLogFormat, options: FormatOptions): LineWriter {
  const render =
    typeof format === 'string' ? compileText(format, options) : compileJson(format.json, options);
  return (out, record) => out.utf8(render(record));
}

type Render = (record: StreamRecord) => string;

function compileText(format: string, options: FormatOptions): Render {
  // Envoy's formats bring their line end; one is here either way, and only there.
  const line = format.endsWith('\n') ? format.slice(0, -1) : format;
  const issues: FormatIssue[] = [];
  const breakAt = line.search(/[\r\n\u2028\u2029]/);
  if (breakAt >= 0)
    issues.push({ at: breakAt, message: 'a record is one line: no line end may stand inside' });
  if (line === '') issues.push({ at: 0, message: 'the format is empty' });
  const pieces = compilePieces(line, issues, options);
  if (issues.length > 0) refuseFormat(issues.map((issue) => ({ where: '', issue })));
  return (record) => `${textOf(pieces, record, '-')}\n`;
}

/** Text as it stands, or a value with the way to write it. */
type Piece = string | { readonly get: Getter; readonly text: (value: string) => string };

function compilePieces(format: string, issues: FormatIssue[], options: FormatOptions): Piece[] {
  let quotes = 0;
  return parseFormat(format, issues).map((part): Piece => {
    if (part.kind === 'literal') {
      quotes += part.text.split('"').length - 1;
      return part.text;
    }
    const get = compileOperator(part, issues, options);
    const maxChars = part.maxChars;
    const quoted = quotes % 2 === 1;
    return {
      get,
      // Envoy's `:length` cuts without a mark.
      text: (value) =>
        lineText(maxChars === undefined ? value : value.slice(0, maxChars), options.maxFieldChars, quoted),
    };
  });
}

function textOf(pieces: readonly Piece[], record: StreamRecord, unset: string): string {
  let line = '';
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i] as Piece;
    if (typeof piece === 'string') {
      line += piece;
      continue;
    }
    const value = piece.get(record);
    line +=
      value === undefined || value === '' ? unset : typeof value === 'number' ? value : piece.text(value);
  }
  return line;
}

function compileJson(format: JsonFormat, options: FormatOptions): Render {
  const faults: { where: string; issue: FormatIssue }[] = [];
  const render = compileObject(format, '/json', faults, options);
  if (faults.length > 0) refuseFormat(faults);
  return (record) => `${render(record)}\n`;
}

function compileObject(
  format: JsonFormat,
  where: string,
  faults: { where: string; issue: FormatIssue }[],
  options: FormatOptions,
): Render {
  const entries = Object.entries(format).map(([key, value], i) => {
    const at = `${where}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const render =
      typeof value === 'object' && value !== null
        ? compileObject(value, at, faults, options)
        : compileValue(value, at, faults, options);
    return { before: `${i === 0 ? '{' : ','}${jsonText(key, key.length)}:`, render };
  });
  if (entries.length === 0) return () => '{}';
  return (record) => {
    let json = '';
    for (const { before, render } of entries) json += before + render(record);
    return `${json}}`;
  };
}

function compileValue(
  format: unknown,
  where: string,
  faults: { where: string; issue: FormatIssue }[],
  options: FormatOptions,
): Render {
  if (typeof format !== 'string') {
    faults.push({
      where,
      issue: { at: 0, message: `${JSON.stringify(format)} is neither a text nor an object` },
    });
    return () => 'null';
  }
  const { maxFieldChars } = options;
  const issues: FormatIssue[] = [];
  const parts = parseFormat(format, issues);
  const pieces = parts.map((part) =>
    part.kind === 'literal'
      ? part.text
      : { get: compileOperator(part, issues, options), maxChars: part.maxChars },
  );
  for (const issue of issues) faults.push({ where, issue });
  const [only] = pieces;
  if (pieces.length === 1 && typeof only === 'object') {
    const { get, maxChars } = only;
    return (record) => {
      const value = get(record);
      if (value === undefined || value === '') return 'null';
      if (typeof value === 'number') return jsonNumber(value);
      return jsonText(maxChars === undefined ? value : value.slice(0, maxChars), maxFieldChars);
    };
  }
  return (record) => {
    let text = '';
    for (const piece of pieces) {
      if (typeof piece === 'string') {
        text += piece;
        continue;
      }
      const value = piece.get(record);
      const shown = value === undefined || value === '' ? '-' : String(value);
      text += piece.maxChars === undefined ? shown : shown.slice(0, piece.maxChars);
    }
    return jsonText(text, maxFieldChars);
  };
}
