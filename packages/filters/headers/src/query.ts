import type { QueryStep, QueryValue } from '@tulle/model';

/**
 * A query after edits. Names are compared decoded, as services read them; what stays is written as it came, in its order.
 * @returns `undefined` for none
 */
export function editQuery(query: string | undefined, steps: readonly QueryStep[]): string | undefined {
  let parts = (query ?? '').split('&').filter((part) => part !== '');
  for (const step of steps) {
    if ('remove' in step) {
      parts = parts.filter((part) => nameOf(part) !== step.remove);
      continue;
    }
    const [[way, field]] = Object.entries(step) as [[Exclude<KeysOf<QueryStep>, 'remove'>, QueryValue]];
    const place = parts.findIndex((part) => nameOf(part) === field.name);
    const isThere = place >= 0;
    if (way === 'add' || (way === 'addIfAbsent' && !isThere) || (way === 'set' && !isThere))
      parts.push(written(field));
    else if (isThere && way !== 'addIfAbsent')
      parts = parts.flatMap((part, index) =>
        index === place ? [written(field)] : nameOf(part) === field.name ? [] : [part],
      );
  }
  return parts.length === 0 ? undefined : parts.join('&');
}

type KeysOf<Union> = Union extends unknown ? keyof Union : never;

function written({ name, value }: QueryValue): string {
  return `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
}

function nameOf(part: string): string {
  const equals = part.indexOf('=');
  const name = equals < 0 ? part : part.slice(0, equals);
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return name;
  }
}
