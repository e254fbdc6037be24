import type { AdminPage } from './admin-host.ts';

/** Every page with what it does. */
export function helpOf(pages: readonly AdminPage[]): string {
  return pages
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, method, help }) => `  ${path}${method === 'POST' ? ' (POST)' : ''}: ${help}\n`)
    .join('');
}
