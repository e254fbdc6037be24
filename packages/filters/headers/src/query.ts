import type { QueryStep, QueryValue } from '@tulle/model';

/** One edit of a query; what is written is encoded already. */
export interface QueryEdit {
  readonly way: KeysOf<QueryStep>;
  readonly name: string;
  readonly text: string;
}

export function compileQueryStep(step: QueryStep): QueryEdit {
  if ('remove' in step) return { way: 'remove', name: step.remove, text: '' };
  const [[way, { name, value }]] = Object.entries(step) as [
    [Exclude<KeysOf<QueryStep>, 'remove'>, QueryValue],
  ];
  return { way, name, text: `${encodeURIComponent(name)}=${encodeURIComponent(value)}` };
}

/**
 * A query after edits. Names are compared decoded, as services read them; what stays is written as it came, in its order.
 * @returns `undefined` for none
 */
export function editQuery(query: string | undefined, edits: readonly QueryEdit[]): string | undefined {
  let parts = (query ?? '').split('&').filter((part) => part !== '');
  for (const { way, name, text } of edits) {
    if (way === 'remove') {
      parts = parts.filter((part) => nameOf(part) !== name);
      continue;
    }
    const place = parts.findIndex((part) => nameOf(part) === name);
    const isThere = place >= 0;
    if (way === 'add' || (way === 'addIfAbsent' && !isThere) || (way === 'set' && !isThere)) parts.push(text);
    else if (isThere && way !== 'addIfAbsent')
      parts = parts.flatMap((part, index) =>
        index === place ? [text] : nameOf(part) === name ? [] : [part],
      );
  }
  return parts.length === 0 ? undefined : parts.join('&');
}

type KeysOf<Union> = Union extends unknown ? keyof Union : never;

function nameOf(part: string): string {
  const equals = part.indexOf('=');
  const name = equals < 0 ? part : part.slice(0, equals);
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}
