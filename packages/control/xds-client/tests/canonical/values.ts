import type { HeaderMatch } from '@tulle/model';

/** Removes keys whose value is `undefined`, or one of `defaults` for that key. */
export function without<T extends object>(value: T, defaults: Readonly<Record<string, unknown>> = {}): T {
  return Object.fromEntries(
    Object.entries(value).filter(
      ([key, one]) =>
        one !== undefined && !(key in defaults && JSON.stringify(one) === JSON.stringify(defaults[key])),
    ),
  ) as T;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function edits(value: unknown): unknown {
  if (!isObject(value)) return value;
  const kept = without(value, { set: [], setIfPresent: [], add: [], addIfAbsent: [], remove: [] });
  return Object.keys(kept).length === 0 ? undefined : kept;
}

export const stringMatch = <T extends { match: object }>(value: T): T =>
  without(
    { ...value, match: caseless(without(value.match, { ignoreCase: false }) as Record<string, unknown>) },
    { invert: false },
  );

/** An absent field: default and `fails` are the same where nothing is inverted, default and `empty` where it is, unless `''` fits. */
export function headerMatch(value: HeaderMatch): HeaderMatch {
  const one = stringMatch(value);
  const { match, invert, absent } = one;
  const mayFitEmpty =
    match.kind !== 'range' && match.kind !== 'present' && (match.kind === 'regex' || match.value === '');
  const meansNothing =
    match.kind === 'present' ||
    (invert === true ? absent === 'empty' && !mayFitEmpty : absent === 'fails' || !mayFitEmpty);
  return meansNothing ? without({ ...one, absent: undefined } as unknown as HeaderMatch) : one;
}

function caseless(match: Record<string, unknown>): Record<string, unknown> {
  const { kind, value } = match;
  return kind === 'regex' && typeof value === 'string' && value.startsWith('(?i)') && !match['ignoreCase']
    ? { kind, value: value.slice(4), ignoreCase: true }
    : match;
}

export const cidr = (text: string): string =>
  text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`;
