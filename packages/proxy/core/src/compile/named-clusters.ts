import type { RouteConfig } from '@tulle/model';

/** Clusters that a route configuration names, each with the JSON pointer of the name. @param path of the configuration */
export function* namedClusters(
  { virtualHosts }: RouteConfig,
  path: string,
): Generator<readonly [name: string, path: string]> {
  for (const [h, host] of virtualHosts.entries())
    for (const [r, { action }] of host.routes.entries()) {
      if (action.kind !== 'forward') continue;
      const at = `${path}/virtualHosts/${h}/routes/${r}/action`;
      for (const [c, { name }] of action.clusters.entries())
        if (name !== undefined) yield [name, `${at}/clusters/${c}/name`];
      for (const [m, { cluster }] of (action.mirrors ?? []).entries())
        if (cluster !== undefined) yield [cluster, `${at}/mirrors/${m}/cluster`];
    }
}
