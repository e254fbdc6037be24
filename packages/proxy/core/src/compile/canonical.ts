/**
 * One spelling for configurations that mean the same: keys sorted, absent and `undefined` alike. Two configs with one
 * text drain nothing.
 */
export function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, part: unknown) => {
      if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
      return Object.fromEntries(
        Object.entries(part)
          .filter(([, entry]) => entry !== undefined)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    }) ?? 'undefined'
  );
}
