import type { ConfigIssue } from '@tulle/filter';
import type { ProxyConfig } from '@tulle/model';

/** Static and discovered resources as one configuration. */
export interface MergedConfig {
  /** Discovered resources stand first, at the places that they have where they come from. */
  readonly config: ProxyConfig;
  /** Discovered resources that would replace static ones, which Envoy does not let them either. */
  readonly issues: readonly ConfigIssue[];
}

/** @param discovered `undefined` while nothing came */
export function mergeConfig(fixed: ProxyConfig, discovered: ProxyConfig | undefined): MergedConfig {
  if (discovered === undefined) return { config: fixed, issues: [] };
  return {
    config: {
      version: `${fixed.version}+${discovered.version}`,
      listeners: [...discovered.listeners, ...fixed.listeners],
      routes: [...discovered.routes, ...fixed.routes],
      clusters: [...discovered.clusters, ...fixed.clusters],
      endpoints: [...discovered.endpoints, ...fixed.endpoints],
    },
    issues: [
      ...clashes('listeners', fixed.listeners, discovered.listeners),
      ...clashes('clusters', fixed.clusters, discovered.clusters),
    ],
  };
}

function clashes(
  kind: 'listeners' | 'clusters',
  fixed: readonly { readonly name: string }[],
  discovered: readonly { readonly name: string }[],
): ConfigIssue[] {
  const names = new Set(fixed.map(({ name }) => name));
  return discovered.flatMap(({ name }, index) =>
    names.has(name)
      ? [
          {
            path: `/${kind}/${index}`,
            message: `${JSON.stringify(name)} is static in the bootstrap and cannot be replaced`,
          },
        ]
      : [],
  );
}
