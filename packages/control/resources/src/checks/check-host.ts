import type { RegexEngine } from '@tulle/match';
import type { DiagnosticCode } from '../codes.ts';
import type { FilterCatalogue } from '../filter-catalogue.ts';

/** What the checks of a kind report to. Pointers are into the resource. */
export interface CheckHost {
  report(code: DiagnosticCode, pointer: string, message: string, hint?: string, at?: 'key' | 'value'): void;
  /** RE2; `undefined` when no text of the batch has a pattern. */
  readonly regex: RegexEngine | undefined;
  readonly filters: FilterCatalogue;
  /** Namespace of the resource, default filled in. */
  readonly namespace: string;
}

/** Checks what a schema cannot say: fields that depend on each other. Runs on values that keep the schema. */
export type KindCheck<R> = (resource: R, host: CheckHost) => void;

/** Reports entries whose key was there before. `undefined` keys are not compared. */
export function noRepeats<T>(
  host: CheckHost,
  items: readonly T[],
  key: (item: T) => string | undefined,
  pointer: (i: number) => string,
  what: (key: string) => string,
): void {
  const seen = new Set<string>();
  for (const [i, item] of items.entries()) {
    const k = key(item);
    if (k === undefined) continue;
    if (seen.has(k)) host.report('TULLE0207', pointer(i), what(k));
    seen.add(k);
  }
}

/** Checks an RE2 pattern. */
export function checkPattern(host: CheckHost, pattern: string, pointer: string): void {
  if (host.regex === undefined) return;
  try {
    host.regex.compile(pattern);
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ');
    host.report(
      'TULLE0210',
      pointer,
      `${JSON.stringify(pattern)} is no RE2 pattern: ${reason}`,
      'look-around and back-references do not exist in RE2',
    );
  }
}
