import { CODES, codeDocs, type DiagnosticClass, type DiagnosticCode, type Severity } from './codes.ts';
import type { ResourceRef } from './resource.ts';
import type { SourcePosition } from './source-position.ts';

/** One thing to tell about resources: a fault or a finding. Plain data; `-o json` prints it as it is. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly class: DiagnosticClass;
  readonly severity: Severity;
  /** What is wrong, what was found, what would be right. One sentence or two. */
  readonly message: string;
  /** E.g. `did you mean "backendRefs"?` */
  readonly hint?: string;
  readonly resource?: ResourceRef;
  /** JSON pointer into the resource (or into the request body for REST), `''` for the whole. */
  readonly pointer: string;
  /** Where it stands in a file. */
  readonly position?: SourcePosition;
  /** Explanation of the code. */
  readonly docs: string;
}

/** What a diagnostic is made of; the rest follows from the code. */
export interface DiagnosticParts {
  readonly message: string;
  readonly hint?: string | undefined;
  readonly resource?: ResourceRef | undefined;
  readonly pointer?: string;
  readonly position?: SourcePosition | undefined;
}

/** Makes a diagnostic with class, severity and docs of its code. */
export function diagnostic(code: DiagnosticCode, parts: DiagnosticParts): Diagnostic {
  const row = CODES[code];
  return {
    code,
    class: row.class,
    severity: row.severity,
    message: parts.message,
    ...(parts.hint === undefined ? {} : { hint: parts.hint }),
    ...(parts.resource === undefined ? {} : { resource: parts.resource }),
    pointer: parts.pointer ?? '',
    ...(parts.position === undefined ? {} : { position: parts.position }),
    docs: codeDocs(code),
  };
}

/** Exit codes of a check (decision D23, as istioctl's). */
export type CheckExitCode = 0 | 65 | 79;

/**
 * 65 when anything cannot be parsed or breaks its schema, else 79 when there is a finding at or above `threshold`,
 * else 0. The same for every output format.
 * @param threshold lowest severity of a finding that counts; default `warning`
 */
export function exitCodeOf(
  diagnostics: readonly Diagnostic[],
  threshold: Severity = 'warning',
): CheckExitCode {
  if (diagnostics.some((d) => d.class === 'invalid')) return 65;
  return diagnostics.some((d) => rank(d.severity) >= rank(threshold)) ? 79 : 0;
}

function rank(severity: Severity): number {
  return severity === 'error' ? 2 : severity === 'warning' ? 1 : 0;
}

/** `file:line:column`, or the pointer where there is no file. */
export function formatPlace(d: Diagnostic): string {
  if (d.position === undefined) return d.pointer === '' ? '/' : d.pointer;
  const { file, line, column } = d.position;
  return `${file === '' ? 'body' : file}:${line}:${column}`;
}

/** One line for people: `shop.yaml:12:9 Error [TULLE0201] (HTTPRoute default/reviews) message; hint`. */
export function formatDiagnostic(d: Diagnostic): string {
  const what = d.severity === 'error' ? 'Error' : d.severity === 'warning' ? 'Warning' : 'Info';
  const where =
    d.resource === undefined ? '' : ` (${d.resource.kind} ${d.resource.namespace}/${d.resource.name})`;
  return `${formatPlace(d)} ${what} [${d.code}]${where} ${d.message}${d.hint === undefined ? '' : `; ${d.hint}`}`;
}

/** By file, line, column, pointer, code: the order in which they are shown. */
export function compareDiagnostics(a: Diagnostic, b: Diagnostic): number {
  return (
    compareText(a.position?.file ?? '', b.position?.file ?? '') ||
    (a.position?.line ?? 0) - (b.position?.line ?? 0) ||
    (a.position?.column ?? 0) - (b.position?.column ?? 0) ||
    compareText(a.pointer, b.pointer) ||
    compareText(a.code, b.code) ||
    compareText(a.message, b.message)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
