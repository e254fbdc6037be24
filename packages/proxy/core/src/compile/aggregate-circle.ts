import type { Cluster } from '@tulle/model';

/** A way from an aggregate by its parts back to itself, as names; `undefined`: there is none. */
export function circleFrom(name: string, clusters: readonly Cluster[]): readonly string[] | undefined {
  const parts = new Map<string, readonly string[]>();
  // What stands in the list may be anything yet.
  for (const cluster of clusters as readonly (Partial<Cluster> | null)[]) {
    const discovery = cluster?.discovery;
    if (cluster?.name !== undefined && discovery?.kind === 'aggregate' && Array.isArray(discovery.clusters))
      parts.set(cluster.name, discovery.clusters);
  }
  const seen = new Set<string>();
  const waysOn: (readonly string[])[] = [[name]];
  for (let way = waysOn.pop(); way !== undefined; way = waysOn.pop()) {
    for (const next of parts.get(way.at(-1) as string) ?? []) {
      if (next === name) return [...way, next];
      if (seen.has(next)) continue;
      seen.add(next);
      waysOn.push([...way, next]);
    }
  }
  return undefined;
}
