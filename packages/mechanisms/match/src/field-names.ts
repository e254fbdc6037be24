/** Decides by a header's name, lower case. */
export type NameTest = (name: string) => boolean;

/** Compiles names: exact ones, and the starts of names that end in `*`. */
export function compileNames(patterns: readonly string[]): NameTest {
  const exact = new Set<string>();
  const starts: string[] = [];
  for (const pattern of patterns) {
    const lower = pattern.toLowerCase();
    if (lower.endsWith('*')) starts.push(lower.slice(0, -1));
    else exact.add(lower);
  }
  return (name) => exact.has(name) || starts.some((start) => name.startsWith(start));
}

/** Names that are listed, but for those that are withheld. @param listed `undefined` for all */
export function compileSent(listed: readonly string[] | undefined, withheld: readonly string[]): NameTest {
  const wanted = listed === undefined ? (): boolean => true : compileNames(listed);
  const unwanted = compileNames(withheld);
  return (name) => wanted(name) && !unwanted(name);
}
