import { type CompileContext, compileRequestMatch } from '@tulle/match';
import type { Route, VirtualHost } from '@tulle/model';
import type { Meter } from '@tulle/telemetry';
import { type CountersOf, RouteMetrics } from '../upstream/route-metrics.ts';

/** Requests that are of no kind that is named are of this one (Envoy). */
const OTHER = 'other';

/**
 * What counts requests of a route; `undefined`: nothing does. Kinds of its virtual host are compiled for each route of that: there are
 * few of either where they are used.
 * @param path JSON pointer of the virtual host
 */
export function compileRouteMetrics(
  { statPrefix }: Route,
  { name, virtualClusters = [] }: VirtualHost,
  path: string,
  meter: Meter,
  context: CompileContext,
): CountersOf | undefined {
  const own = statPrefix === undefined ? [] : [new RouteMetrics(meter, name, 'route', statPrefix)];
  if (virtualClusters.length === 0) return own.length === 0 ? undefined : () => own;
  const kindOf = (kind: string): readonly RouteMetrics[] => [
    new RouteMetrics(meter, name, 'vcluster', kind),
    ...own,
  ];
  const kinds = virtualClusters.map(({ name: kind, headers }, index) => ({
    counters: kindOf(kind),
    tests: headers.map((condition, at) =>
      compileRequestMatch(condition, context, `${path}/virtualClusters/${index}/headers/${at}`),
    ),
  }));
  const other = kindOf(OTHER);
  return (request) => kinds.find(({ tests }) => tests.every((test) => test(request)))?.counters ?? other;
}
