import type { AnyConnFilter, AnyHttpFilter, ConnFilterUse, HttpFilterUse, Log } from '@tulle/filter';
import type {
  Cluster,
  Discover,
  EndpointSet,
  FilterChain,
  HttpHandler,
  IdentitySource,
  Listener,
  Locality,
  ProxyConfig,
  RouteConfig,
  TcpHandler,
} from '@tulle/model';
import type { TelemetryPlugin } from '@tulle/telemetry';
import type { Clock } from '@tulle/time';
import type { EngineLimits } from './limits.ts';
import type { OverloadOptions } from './overload/options.ts';
import type { ResourceMonitor, Transport } from './ports.ts';

/** A listener in code: filters stand as `authz({ … })`, not as entries of a registry. Made by `httpListener`, `tcpListener`. */
export interface CodeListener extends Omit<Listener, 'filterChains' | 'connectionFilters'> {
  readonly filterChains: readonly CodeFilterChain[];
  readonly connectionFilters?: readonly ConnFilterUse[];
}

/** A filter chain in code. */
export interface CodeFilterChain extends Omit<FilterChain, 'handler'> {
  readonly handler:
    | (Omit<HttpHandler, 'filters' | 'connectionFilters'> & {
        readonly filters: readonly HttpFilterUse[];
        readonly connectionFilters?: readonly ConnFilterUse[];
      })
    | (Omit<TcpHandler, 'filters'> & { readonly filters?: readonly ConnFilterUse[] });
}

/** Where the admin interface listens; see `docs` of the package for its pages. */
export type AdminAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** See {@link ProxyOptions.zone}. */
export interface ProxyZone {
  /** Absent: that of endpoints whose place nobody knows. */
  readonly locality?: Locality;
  readonly cluster: string;
}

/** What a proxy is made of. */
export interface ProxyOptions {
  /** A whole configuration as plain data, e.g. from a control plane; or give the parts below in code. */
  readonly config?: ProxyConfig;
  readonly listeners?: readonly (Listener | CodeListener)[];
  readonly routes?: readonly RouteConfig[];
  readonly clusters?: readonly Cluster[];
  readonly endpoints?: readonly EndpointSet[];
  /** Put in front of the filters of every HTTP listener that is given in code. */
  readonly filters?: readonly HttpFilterUse[];
  /** Filters that a configuration may name. Those used in code need not stand here. */
  readonly registry?: readonly (AnyHttpFilter | AnyConnFilter)[];
  readonly telemetry?: readonly TelemetryPlugin[];
  /** Who this process is, for TLS with `workload` certificates and `mesh` trust. */
  readonly identity?: IdentitySource;
  /** Default `nodeTransport({ identity })`. */
  readonly transport?: Transport;
  /** Default the system's. */
  readonly clock?: Clock;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
  /** Default: warnings and errors as JSON lines to stderr. */
  readonly log?: Log;
  /** Default false: no admin interface. A host must be a loopback address. */
  readonly admin?: AdminAddress | false;
  readonly limits?: Partial<EngineLimits>;
  /** How load is shed before the process runs out of something; `false`: never. Default: {@link OverloadOptions} as they are. */
  readonly overload?: OverloadOptions | false;
  /** Reads what the process uses. Default: Node's own, where the transport is; `false`: nobody. */
  readonly monitor?: ResourceMonitor | false;
  /**
   * What becomes of a configuration that names a cluster or route configuration it does not have. `refuse` (default):
   * it is a fault, which catches typing errors. `allow`: requests get 503 (404) until it comes, as xDS wants it.
   */
  readonly danglingReferences?: 'refuse' | 'allow';
  /**
   * Where this proxy is, and the cluster of which it is an endpoint, like others that call what it calls (Envoy `Node.locality`,
   * `local_cluster_name`): for clusters with `zoneRouting`. Default: nobody knows, and they balance as without it.
   */
  readonly zone?: ProxyZone;
  /** Looks for clusters and virtual hosts that handlers with `onDemand` let requests wait for. Default: nobody does. */
  readonly discover?: Discover;
}
