import { VERIFIED_TOKENS, type VerifiedToken } from '@tulle/filter';
import type { CompileContext } from '@tulle/match';
import type { AuthzCondition } from '@tulle/model';
import type { Test } from './test.ts';

/** What a key reads of a token. */
type Read = (token: VerifiedToken) => readonly string[];

interface Condition {
  readonly read: Read;
  /** `undefined`: not asked. */
  readonly wanted: Pattern | undefined;
  readonly unwanted: Pattern | undefined;
}

type Pattern = (value: string) => boolean;

const KEY = /^request\.auth\.(?:(principal|audiences|presenter)|claims((?:\[[^[\]]+\])+))$/;
/** Claims that are lists written as one text (RFC 8693 §4.2, RFC 9068 §2.2.3). No other text is taken apart. */
const LISTS_OF_WORDS: ReadonlySet<string> = new Set(['scope', 'scp']);

/**
 * Compiles what a token must say. What is wanted must be said by one and the same token; what is unwanted allows only when no
 * token says it, and denies as soon as one does not.
 * @param path JSON pointer of the conditions
 */
export function compileConditions(
  conditions: readonly AuthzCondition[],
  context: CompileContext,
  path: string,
): Test {
  const compiled = conditions.map((condition, index) =>
    compileCondition(condition, context, `${path}/${index}`),
  );
  return (stream, certain) => {
    const tokens = stream.get(VERIFIED_TOKENS);
    // Who proved nothing might be anybody: that is enough to deny and not enough to allow.
    if (tokens === undefined || tokens.length === 0)
      return !certain && compiled.every(({ wanted }) => wanted === undefined);
    if (certain && !tokens.every((token) => compiled.every((condition) => isNotUnwanted(condition, token))))
      return false;
    return tokens.some((token) =>
      compiled.every((condition) => isWanted(condition, token) && isNotUnwanted(condition, token)),
    );
  };
}

function isWanted({ read, wanted }: Condition, token: VerifiedToken): boolean {
  return wanted === undefined || read(token).some(wanted);
}

function isNotUnwanted({ read, unwanted }: Condition, token: VerifiedToken): boolean {
  return unwanted === undefined || !read(token).some(unwanted);
}

function compileCondition(condition: AuthzCondition, context: CompileContext, path: string): Condition {
  const { key, values, notValues } = condition;
  if (values === undefined && notValues === undefined)
    context.issue(path, 'has neither values nor notValues, so it would judge nothing');
  return {
    read: compileKey(key, context, `${path}/key`),
    wanted: values === undefined ? undefined : compilePatterns(values, context, `${path}/values`),
    unwanted: notValues === undefined ? undefined : compilePatterns(notValues, context, `${path}/notValues`),
  };
}

function compileKey(key: string, context: CompileContext, path: string): Read {
  const [, field, claims] = KEY.exec(key) ?? [];
  if (claims !== undefined) return claimReader(claims.slice(1, -1).split(']['));
  switch (field) {
    case 'principal':
      return ({ principal }) => (principal === undefined ? [] : [principal]);
    case 'presenter':
      return ({ presenter }) => (presenter === undefined ? [] : [presenter]);
    case 'audiences':
      return ({ audiences }) => audiences;
    default:
      context.issue(
        path,
        `${JSON.stringify(key)} is no key; there are request.auth.principal, request.auth.audiences, request.auth.presenter and request.auth.claims[name]`,
      );
      return () => [];
  }
}

function claimReader(names: readonly string[]): Read {
  const isListOfWords = names.length === 1 && LISTS_OF_WORDS.has(names[0] as string);
  return ({ claims }) => {
    let value: unknown = claims;
    for (const name of names) {
      // Names come from the issuer: the prototype has none of them.
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return [];
      value = (value as Readonly<Record<string, unknown>>)[name];
    }
    if (isListOfWords && typeof value === 'string') return value.split(' ').filter((word) => word !== '');
    return (Array.isArray(value) ? value : [value]).flatMap((one: unknown) =>
      typeof one === 'string'
        ? [one]
        : typeof one === 'number' || typeof one === 'boolean'
          ? [String(one)]
          : [],
    );
  };
}

function compilePatterns(patterns: readonly string[], context: CompileContext, path: string): Pattern {
  const exact = new Set<string>();
  const tests: Pattern[] = [];
  for (const [index, pattern] of patterns.entries()) {
    const star = pattern.indexOf('*');
    if (star === -1) exact.add(pattern);
    else if (pattern === '*') tests.push((value) => value !== '');
    else if (star !== pattern.lastIndexOf('*') || (star > 0 && star < pattern.length - 1))
      context.issue(
        `${path}/${index}`,
        `${JSON.stringify(pattern)} may have one * only, at its beginning or end`,
      );
    else if (star === 0) {
      const end = pattern.slice(1);
      tests.push((value) => value.endsWith(end));
    } else {
      const start = pattern.slice(0, -1);
      tests.push((value) => value.startsWith(start));
    }
  }
  return (value) => exact.has(value) || tests.some((test) => test(value));
}
