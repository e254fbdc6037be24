import type { FilterChain, HttpHandler, Listener, ProxyConfig } from '@tulle/model';
import type { ClusterRef } from '../upstream/cluster.ts';
import { telemetryClusters } from './chain-telemetry.ts';
import { findScopes, type FoundRoutes, type FoundScope } from './compile-scopes.ts';
import type { Issues } from './issues.ts';
import { namedClusters } from './named-clusters.ts';

/** Where the clusters of a name are kept, and whether a name that nothing defines is a fault. */
export interface ReferenceBase {
  readonly refuseDangling: boolean;
  ref(name: string): ClusterRef;
}

/** What a configuration names: clusters and tables of routes, each followed to what is meant by it. */
export class References {
  /** Names of clusters that something refers to. */
  readonly clusters: Set<string> = new Set<string>();
  readonly #config: ProxyConfig;
  readonly #base: ReferenceBase;
  readonly #issues: Issues;
  readonly #warnings: string[];
  #names: ReadonlySet<string> | undefined;

  constructor(config: ProxyConfig, base: ReferenceBase, issues: Issues, warnings: string[]) {
    this.#config = config;
    this.#base = base;
    this.#issues = issues;
    this.#warnings = warnings;
  }

  /** Names of the clusters there are. */
  get #defined(): ReadonlySet<string> {
    this.#names ??= new Set(
      this.#config.clusters.map((cluster) => cluster?.name).filter((name) => typeof name === 'string'),
    );
    return this.#names;
  }

  /** Notes a cluster that `path` names, and says so where nothing defines it. */
  cluster(name: string, path: string): ClusterRef {
    this.clusters.add(name);
    if (!this.#defined.has(name)) {
      const message = `TULLE_CONFIG_REFERENCE: no cluster is named ${JSON.stringify(name)}; there is ${[...this.#defined].join(', ') || 'none'}`;
      if (this.#base.refuseDangling) this.#issues.add(path, message);
      else this.#warnings.push(`${path} ${message}`);
    }
    return this.#base.ref(name);
  }

  /** The routes of a handler: its own, or those that it names. */
  routes(handler: HttpHandler, path: string): FoundRoutes | undefined {
    return this.#routesOf(handler.routes, `${path}/handler/routes`);
  }

  /** Those of its scopes. */
  scopes({ scopes }: HttpHandler, path: string): FoundScope[] {
    if (scopes === undefined) return [];
    return findScopes(scopes, `${path}/handler/scopes`, this.#issues, (routes, at) =>
      this.#routesOf(routes, at),
    );
  }

  #routesOf(routes: HttpHandler['routes'], path: string): FoundRoutes | undefined {
    if ('virtualHosts' in routes) return { config: routes, path };
    const name = routes.routeConfigName;
    const index = this.#config.routes.findIndex((one) => one.name === name);
    const config = this.#config.routes[index];
    if (config !== undefined) return { config, path: `/routes/${index}` };
    const message = `TULLE_CONFIG_REFERENCE: no route configuration is named ${JSON.stringify(name)}; there is ${this.#config.routes.map((one) => one.name).join(', ') || 'none'}`;
    if (this.#base.refuseDangling) this.#issues.add(`${path}/routeConfigName`, message);
    else this.#warnings.push(`${path}/routeConfigName ${message}; requests get 404 until it comes`);
    return { config: { name, virtualHosts: [] }, path };
  }

  /** What a listener names that is not made, since the schema found faults in it: all is said at once. */
  ofListener(listener: Listener, path: string): void {
    try {
      for (const [index, chain] of listener.filterChains.entries()) {
        const at = `${path}/filterChains/${index}`;
        const routes = chain.handler.kind === 'http' ? this.routes(chain.handler, at) : undefined;
        const scopes = chain.handler.kind === 'http' ? this.scopes(chain.handler, at) : [];
        this.ofChain(chain, [...(routes ? [routes] : []), ...scopes], at);
      }
    } catch {
      // Its shape is among the faults.
    }
  }

  /** A chain that is taken over still has to name clusters that exist. */
  ofChain(chain: FilterChain, routes: readonly FoundRoutes[], path: string): void {
    for (const [name, at] of telemetryClusters(chain.handler)) this.cluster(name, `${path}/handler${at}`);
    const [bytes, at] =
      chain.handler.kind === 'tcp' ? [chain.handler, ''] : [chain.handler.otherwise, '/otherwise'];
    for (const [index, share] of (bytes?.clusters ?? []).entries())
      this.cluster(share.name, `${path}/handler${at}/clusters/${index}/name`);
    for (const { config, path: where } of routes)
      for (const [name, pointer] of namedClusters(config, where)) this.cluster(name, pointer);
  }
}
