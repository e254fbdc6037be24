/**
 * A query without the parameters of these names, and with those that are set, at its end. Names are compared decoded, as services
 * read them; what stays is written as it came.
 * @returns `undefined` for none
 */
export function editQuery(
  query: string | undefined,
  remove: readonly string[],
  set: readonly (readonly [name: string, value: string])[],
): string | undefined {
  const gone = new Set([...remove, ...set.map(([name]) => name)]);
  const kept = (query ?? '').split('&').filter((part) => {
    const equals = part.indexOf('=');
    return part !== '' && !gone.has(decode(equals < 0 ? part : part.slice(0, equals)));
  });
  const added = set.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  const parts = [...kept, ...added];
  return parts.length === 0 ? undefined : parts.join('&');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
