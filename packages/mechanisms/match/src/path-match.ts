import type { PathMatch } from '@tulle/model';
import type { CompileContext } from './compile-context.ts';
import { normalizeConfiguredPath } from './path.ts';
import type { Regex } from './regex.ts';
import { parseUriTemplate } from './uri-template.ts';

/** A compiled path condition. `value` is canonical; for an element prefix without trailing slash (`''` for the root). */
export interface PathTest {
  readonly kind: PathMatch['kind'];
  /** In lower case where case is ignored. */
  readonly value: string;
  /** Of `regex` and `template`. */
  readonly regex: Pick<Regex, 'test'> | undefined;
  readonly ignoreCase: boolean;
}

/**
 * Compiles a path condition. Exact paths and element prefixes are brought to the canonical spelling that requests have;
 * a byte prefix stays as written, since a part of a segment has none.
 */
export function compilePathMatch(match: PathMatch, context: CompileContext, path: string): PathTest {
  const { kind, ignoreCase = false } = match;
  if (ignoreCase && !['exact', 'prefix', 'bytes-prefix'].includes(kind))
    context.issue(`${path}/ignoreCase`, `means nothing with ${kind}; leave it out`);
  if (kind === 'connect') return { kind, value: '', regex: undefined, ignoreCase: false };
  if (kind === 'regex') {
    const regex = context.regex(match.value, false, `${path}/value`);
    return { kind, value: match.value, regex, ignoreCase: false };
  }
  if (kind === 'template') {
    const template = parseUriTemplate(match.value);
    if (typeof template === 'string') context.issue(`${path}/value`, template);
    const regex = typeof template === 'string' ? undefined : template.pattern;
    return { kind, value: match.value, regex, ignoreCase: false };
  }
  if (kind === 'bytes-prefix')
    return { kind, value: fold(match.value, ignoreCase), regex: undefined, ignoreCase };
  const value = normalizeConfiguredPath(match.value);
  if (value === '') {
    context.issue(
      `${path}/value`,
      `no request can have the path ${JSON.stringify(match.value)}; write an absolute path like /orders without escaped slashes or backslashes`,
    );
  }
  return {
    kind,
    value: fold(kind === 'prefix' ? value.replace(/\/$/, '') : value, ignoreCase),
    regex: undefined,
    ignoreCase,
  };
}

const fold = (text: string, ignoreCase: boolean): string => (ignoreCase ? text.toLowerCase() : text);

/** Whether the canonical path of a request fulfils the condition. @param method `CONNECT` has no path */
export function testPath(test: PathTest, given: string, method: string = ''): boolean {
  const path = test.ignoreCase ? given.toLowerCase() : given;
  switch (test.kind) {
    case 'exact':
      return path === test.value;
    case 'connect':
      return method === 'CONNECT';
    case 'bytes-prefix':
      return path.startsWith(test.value);
    case 'regex':
    case 'template':
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
