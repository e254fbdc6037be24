import type { Issues } from './issues.ts';

/** Every name of a list once. */
export function unique(
  issues: Issues,
  list: readonly ({ readonly name?: unknown } | null | undefined)[],
  path: string,
): void {
  const names = new Set<unknown>();
  for (const [index, part] of list.entries()) {
    const name = part?.name;
    if (name !== undefined && names.has(name))
      issues.add(`${path}/${index}/name`, `${JSON.stringify(name)} stands twice; names are unique`);
    names.add(name);
  }
}
