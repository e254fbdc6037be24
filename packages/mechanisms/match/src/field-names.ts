/** Decides by a header's name, lower case. */
export type NameTest = (name: string) => boolean;

/** Compiles names: exact ones, starts of names (`x-*`), ends (`*-id`), and what is anywhere in them (`*secret*`). */
export function compileNames(patterns: readonly string[]): NameTest {
  const exact = new Set<string>();
  const starts: string[] = [];
  const ends: string[] = [];
  const parts: string[] = [];
  for (const pattern of patterns) {
    const lower = pattern.toLowerCase();
    if (lower.length > 1 && lower.startsWith('*')) {
      if (lower.endsWith('*')) parts.push(lower.slice(1, -1));
      else ends.push(lower.slice(1));
    } else if (lower.endsWith('*')) starts.push(lower.slice(0, -1));
    else exact.add(lower);
  }
  const byStart: NameTest = (name) => exact.has(name) || starts.some((start) => name.startsWith(start));
  if (ends.length + parts.length === 0) return byStart;
  return (name) =>
    byStart(name) || ends.some((end) => name.endsWith(end)) || parts.some((part) => name.includes(part));
}

/** Names that are listed, but for those that are withheld. @param listed `undefined` for all */
export function compileSent(listed: readonly string[] | undefined, withheld: readonly string[]): NameTest {
  const wanted = listed === undefined ? (): boolean => true : compileNames(listed);
  const unwanted = compileNames(withheld);
  return (name) => wanted(name) && !unwanted(name);
}
