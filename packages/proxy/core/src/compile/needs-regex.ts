import type { ProxyConfig } from '@tulle/model';
import type { SoundParts } from './check-model.ts';
import { usesRegex } from './compile-routes.ts';

/**
 * Whether anything sound of a configuration has a pattern. Filters that are made, or merged with an override, find the
 * engine loaded then, so that a wrong pattern is refused with the rest.
 */
export function needsRegex({ routes, listeners, clusters }: ProxyConfig, sound: SoundParts): boolean {
  const chains = listeners
    .filter((_, index) => sound.listeners.has(index))
    .flatMap(({ filterChains }) => filterChains);
  const inForce = [
    ...routes.filter((_, index) => sound.routes.has(index)),
    ...chains.flatMap(({ handler }) =>
      handler.kind === 'http'
        ? [handler, ...(handler.scopes?.scopes ?? [])].flatMap(({ routes: own }) =>
            'virtualHosts' in own ? [own] : [],
          )
        : [],
    ),
  ];
  return (
    listeners.some((one, index) => sound.listeners.has(index) && hasPattern(one.chainChoice)) ||
    inForce.some((config) => usesRegex(config) || hasPattern(config)) ||
    chains.some(
      ({ handler, tls }) =>
        hasPattern(handler.filters) ||
        (handler.kind === 'http' && hasPattern(handler.connectionFilters)) ||
        hasPattern(handler.accessLogs) ||
        hasPattern(tls),
    ) ||
    clusters.some(
      (cluster, index) =>
        sound.clusters.has(index) &&
        [
          cluster.tls,
          cluster.tlsMatches,
          cluster.healthCheck,
          cluster.moreHealthChecks,
          cluster.hashPolicy,
          cluster.retry,
          cluster.mirrors,
          cluster.failedAnswers,
        ].some(hasPattern),
    )
  );
}

/** Whether a part of a configuration has a condition with a pattern, whoever reads it. */
function hasPattern(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return ('kind' in value && value.kind === 'regex') || Object.values(value).some(hasPattern);
}
