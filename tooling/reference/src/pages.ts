import { errorsPage } from './errors-page.ts';

/** Every generated page: path below `docs/reference`, and its text. */
export function pages(): ReadonlyMap<string, string> {
  return new Map([['errors.md', errorsPage()]]);
}
