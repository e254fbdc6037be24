import type { PathMatch } from '@tulle/model';
import type { CompileContext } from './compile-context.ts';
import { normalizeConfiguredPath } from './path.ts';
import type { Regex } from './regex.ts';

/** A compiled path condition. `value` is canonical; for an element prefix without trailing slash (`''` for the root). */
export interface PathTest {
  readonly kind: PathMatch['kind'];
  readonly value: string;
  readonly regex: Regex | undefined;
}

/**
 * Compiles a path condition. Exact paths and element prefixes are brought to the canonical spelling that requests have;
 * a byte prefix stays as written, since a part of a segment has none.
 */
export function compilePathMatch(match: PathMatch, context: CompileContext, path: string): PathTest {
  if (match.kind === 'regex')
    return { kind: 'regex', value: match.value, regex: context.regex(match.value, false, `${path}/value`) };
  if (match.kind === 'bytes-prefix') return { kind: match.kind, value: match.value, regex: undefined };
  const value = normalizeConfiguredPath(match.value);
  if (value === '') {
    context.issue(
      `${path}/value`,
      `no request can have the path ${JSON.stringify(match.value)}; write an absolute path like /orders without escaped slashes or backslashes`,
    );
  }
  return {
    kind: match.kind,
    value: match.kind === 'prefix' ? value.replace(/\/$/, '') : value,
    regex: undefined,
  };
}

/** Whether a canonical path fulfils the condition. */
export function testPath(test: PathTest, path: string): boolean {
  switch (test.kind) {
    case 'exact':
      return path === test.value;
    case 'bytes-prefix':
      return path.startsWith(test.value);
    case 'regex':
      return test.regex !== undefined && test.regex.test(path);
    case 'prefix':
      return isElementPrefix(test.value, path);
  }
}

/** Gateway API PathPrefix: `/a` is a prefix of `/a` and `/a/b`, never of `/ab`; the root of everything. */
export function isElementPrefix(prefix: string, path: string): boolean {
  if (prefix === '') return true;
  return (
    path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
  );
}
