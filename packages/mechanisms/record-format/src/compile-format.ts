import type { StreamRecord } from '@tulle/telemetry';
import { parseFormat, type FormatIssue } from './format-parser.ts';
import { jsonNumber, jsonText, jsonValue, jsonWord } from './json-text.ts';
import { lineText } from './line-text.ts';
import { compileOperator, type Getter, type OperatorContext } from './operators.ts';

/** A JSON object of formats: a value that is one operator keeps its type (number, or `null` where unset). */
export interface JsonFormat {
  readonly [key: string]: string | JsonFormat;
}

/** How a format is filled. */
export interface FormatOptions extends OperatorContext {
  /** Longer values are cut and end in `…`. */
  readonly maxFieldChars: number;
  /** Nothing in place of `-`, no key in place of `null` (Envoy `omit_empty_values`). Default false. */
  readonly omitEmpty?: boolean;
  /** How a value stands in a text; `quoted`: between quotes. Default: as in a line that no value can break. */
  valueText?(value: string, quoted: boolean): string;
}

/** What is wrong with a part of a format. */
export interface FormatFault {
  /** JSON pointer into the format. */
  readonly where: string;
  readonly issue: FormatIssue;
}

/** Makes the text of one record. */
export type Render = (record: StreamRecord) => string;

/** Compiles a text with operators; what is wrong goes to `issues`. */
export function compileText(format: string, issues: FormatIssue[], options: FormatOptions): Render {
  const pieces = compilePieces(format, issues, options);
  const unset = options.omitEmpty === true ? '' : '-';
  return (record) => textOf(pieces, record, unset);
}

/** Text as it stands, or a value with the way to write it. */
type Piece =
  | string
  | {
      readonly get: Getter;
      readonly text: (value: string) => string;
      readonly json: (value: unknown) => string;
    };

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
    const text = (value: string): string => {
      // Envoy's `:length` cuts without a mark.
      const cut = maxChars === undefined ? value : value.slice(0, maxChars);
      return options.valueText === undefined
        ? lineText(cut, options.maxFieldChars, quoted)
        : options.valueText(cut.slice(0, options.maxFieldChars), quoted);
    };
    return {
      get,
      text,
      json(value) {
        if (value === '') return '';
        const json = jsonWord(value);
        // What is cut, or stands in quotes, is a text like others.
        const whole = json.length <= Math.min(maxChars ?? options.maxFieldChars, options.maxFieldChars);
        return whole && !quoted ? json : text(JSON.stringify(value) ?? '');
      },
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
      value === undefined || value === ''
        ? unset
        : typeof value === 'number'
          ? value
          : typeof value === 'string'
            ? piece.text(value)
            : piece.json(value.json);
  }
  return line;
}

/** Values are cut past this where nobody says otherwise. */
const MAX_VALUE_CHARS = 4_096;

/**
 * Compiles a text whose values stand in it as they are: in no line that they could break.
 * @param report gets what is wrong, by its column
 */
export function compilePlain(
  format: string,
  {
    omitEmpty,
    maxFieldChars = MAX_VALUE_CHARS,
  }: { readonly omitEmpty: boolean; readonly maxFieldChars?: number },
  report: (message: string) => void,
): Render {
  const faults: FormatIssue[] = [];
  const render = compileText(format, faults, {
    query: 'keep',
    maxFieldChars,
    omitEmpty,
    valueText: (value) => value,
  });
  for (const { at, message } of faults) report(`column ${at + 1}: ${message}`);
  return render;
}

/** Compiles an object of formats to JSON text; what is wrong goes to `faults`. @param where pointer to it */
export function compileJson(
  format: JsonFormat,
  where: string,
  faults: FormatFault[],
  options: FormatOptions,
): Render {
  const entries = Object.entries(format).map(([key, value], i) => {
    const at = `${where}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const render =
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? compileJson(value, at, faults, options)
        : compileValue(value, at, faults, options);
    return { before: `${i === 0 ? '{' : ','}${jsonText(key, key.length)}:`, render };
  });
  if (entries.length === 0) return () => '{}';
  if (options.omitEmpty === true) return withoutEmpty(entries);
  return (record) => {
    let json = '';
    for (const { before, render } of entries) json += before + render(record);
    return `${json}}`;
  };
}

/** Each value as it is, and nothing of those that are unset. */
function withoutEmpty(entries: readonly { readonly before: string; readonly render: Render }[]): Render {
  return (record) => {
    let json = '';
    for (const { before, render } of entries) {
      const value = render(record);
      if (value !== 'null') json += (json === '' ? '{' : ',') + before.slice(1) + value;
    }
    return json === '' ? '{}' : `${json}}`;
  };
}

function compileValue(format: unknown, where: string, faults: FormatFault[], options: FormatOptions): Render {
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
      if (typeof value === 'object') return jsonValue(value.json, maxFieldChars);
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
      const shown =
        value === undefined || value === ''
          ? '-'
          : typeof value === 'object'
            ? value.json === ''
              ? ''
              : JSON.stringify(value.json)
            : String(value);
      text += piece.maxChars === undefined ? shown : shown.slice(0, piece.maxChars);
    }
    return jsonText(text, maxFieldChars);
  };
}
