import type { ProxyConfig } from '@tulle/model';
import { canonical } from './canonical.ts';

/** Canonical resources, by list. */
export type Form = Readonly<Record<'listeners' | 'routes' | 'clusters' | 'endpoints', readonly object[]>>;

/** What a configuration means: canonical resources by name, without its version. */
export function inForm({ listeners, routes, clusters, endpoints }: ProxyConfig): Form {
  const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
    a.name < b.name ? -1 : 1;
  return {
    listeners: listeners.map(canonical.listener).sort(byName),
    routes: routes.map(canonical.route).sort(byName),
    clusters: clusters.map(canonical.cluster).sort(byName),
    endpoints: endpoints.map(canonical.endpoint).sort(byName),
  };
}
