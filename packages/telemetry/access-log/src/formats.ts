import { hostname } from 'node:os';
import { TulleError, type ConfigIssue } from '@tulle/filter';
import {
  compileJson,
  compileText,
  type FormatFault,
  type FormatIssue,
  type FormatOptions as RenderOptions,
  type JsonFormat,
  type Render,
} from '@tulle/record-format';
import type { LineWriter } from './json-line.ts';

export type { JsonFormat };

/**
 * What a line is made of: text with operators as in Envoy's access log, e.g. `%START_TIME% %REQ(:PATH)%`, or an object of
 * such texts for JSON lines.
 */
export type AccessLogFormat = string | { readonly json: JsonFormat };

/** How a format is filled. */
export type FormatOptions = Pick<RenderOptions, 'query' | 'maxFieldChars' | 'omitEmpty'> & {
  /** JSON pointer of a text format, for issues. Default `''`. */
  readonly where?: string;
};

const HOST = { name: hostname(), variable: (name: string): string | undefined => process.env[name] };

/**
 * Compiles a format once, to a function that writes lines.
 * @throws TulleError `TULLE_CONFIG_INVALID` with everything that is wrong, by its column
 */
export function compileFormat(format: AccessLogFormat, options: FormatOptions): LineWriter {
  const filled = { ...options, host: HOST };
  const render =
    typeof format === 'string'
      ? textLine(format, filled, options.where ?? '')
      : jsonLine(format.json, filled);
  return (out, record) => out.utf8(`${render(record)}\n`);
}

function textLine(format: string, options: RenderOptions, where: string): Render {
  // Envoy's formats bring their line end; one is here either way, and only there.
  const line = format.endsWith('\n') ? format.slice(0, -1) : format;
  const issues: FormatIssue[] = [];
  const breakAt = line.search(/[\r\n\u2028\u2029]/);
  if (breakAt >= 0)
    issues.push({ at: breakAt, message: 'a record is one line: no line end may stand inside' });
  if (line === '') issues.push({ at: 0, message: 'the format is empty' });
  const render = compileText(line, issues, options);
  if (issues.length > 0) refuseFormat(issues.map((issue) => ({ where, issue })));
  return render;
}

function jsonLine(format: JsonFormat, options: RenderOptions): Render {
  const faults: FormatFault[] = [];
  const render = compileJson(format, '/json', faults, options);
  if (faults.length > 0) refuseFormat(faults);
  return render;
}

/**
 * Refuses a format with everything that is wrong with it.
 * @param where JSON pointer into the option, `''` for a text format
 * @throws TulleError `TULLE_CONFIG_INVALID`
 */
function refuseFormat(faults: readonly FormatFault[]): never {
  const inOrder = faults.toSorted((a, b) => (a.where === b.where ? a.issue.at - b.issue.at : 0));
  const issues = inOrder.map(({ where, issue }): ConfigIssue => ({
    path: `/format${where}`,
    message: `column ${issue.at + 1}: ${issue.message}`,
  }));
  throw new TulleError(
    'TULLE_CONFIG_INVALID',
    `access log ${issues.map(({ path, message }) => `${path.slice(1)} ${message}`).join('; ')}`,
    { issues },
  );
}
