import type { Cluster } from '@tulle/model';

/** What statistics call a cluster, by its name. */
export type ClusterNames = (name: string) => string;

/** As Envoy names them: by `alt_stat_name` where there is one, and without colons. */
export function clusterNames(clusters: readonly Pick<Cluster, 'name' | 'statName'>[]): ClusterNames {
  const given = new Map(clusters.map(({ name, statName }) => [name, statName ?? name]));
  return (name) => (given.get(name) ?? name).replaceAll(':', '_');
}
