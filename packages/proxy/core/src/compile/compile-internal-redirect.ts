import { findInvalidName } from '@tulle/fields';
import type { InternalRedirect } from '@tulle/model';
import type { CompiledInternalRedirect } from './compiled.ts';
import type { Issues } from './issues.ts';

/** What requests cannot be given by an answer: what frames them, and what names their target, which `location` does. */
const NOT_COPIED: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'transfer-encoding',
]);

/** `null`: nothing is followed. */
export function compileInternalRedirect(
  config: InternalRedirect | undefined,
  path: string,
  issues: Issues,
): CompiledInternalRedirect | null {
  if (config === undefined) return null;
  const { max = 1, statuses = [302], schemes = 'same', routes, newRoutes = false, copyHeaders = [] } = config;
  const copied = copyHeaders.map((name) => name.toLowerCase());
  for (const [index, name] of copied.entries())
    if (findInvalidName(name) >= 0 || NOT_COPIED.has(name))
      issues.add(
        `${path}/copyHeaders/${index}`,
        `${JSON.stringify(name)} is no field that an answer can give to a request`,
      );
  return Object.freeze({
    max,
    statuses: new Set<number>(statuses),
    schemes,
    routes: routes === undefined ? null : new Set(routes),
    newRoutes,
    copyHeaders: copied,
  });
}
