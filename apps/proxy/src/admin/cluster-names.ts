import type { Cluster } from '@tulle/model';
import type { AdminHost } from './admin-host.ts';

/** What statistics call a cluster, by its name. */
export type ClusterNames = (name: string) => string;

type Named = Pick<Cluster, 'name' | 'statName'>;

/** Those that were discovered, and those of the bootstrap, which win. */
export function clustersOf(host: AdminHost): readonly Cluster[] {
  return [...(host.discovered()?.clusters ?? []), ...host.fixed().clusters];
}

/** By Envoy's `alt_stat_name` where there is one. */
export function givenNames(clusters: readonly Named[]): ClusterNames {
  const given = new Map(clusters.map(({ name, statName }) => [name, statName ?? name]));
  return (name) => given.get(name) ?? name;
}

/** Likewise, as `/stats` writes them: without colons. */
export function clusterNames(clusters: readonly Named[]): ClusterNames {
  const named = givenNames(clusters);
  return (name) => named(name).replaceAll(':', '_');
}
