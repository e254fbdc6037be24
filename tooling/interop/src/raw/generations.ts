import type { ResourceInput } from '@tulle/xds-server';

/** A place where a listener is, or an origin. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** A certificate that a listener may show, by the name in it. */
export interface ListenerCertificate {
  readonly name: string;
  readonly certificate: string;
  readonly key: string;
}

/** What generations are made of. */
export interface Ingredients {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Places for listeners; the last one speaks TLS where there are certificates. */
  readonly listeners: readonly Place[];
  readonly origins: readonly Place[];
  readonly certificates?: readonly ListenerCertificate[];
  /** Where resources say that others come from (`ConfigSource`). Default ADS. */
  readonly source?: object;
}

/** What one listener answers in one generation. */
export interface ListenerAnswers {
  /** Changes whenever its routes do; routes add it to responses as `x-routes`. */
  readonly routes: string;
  /** What its route configuration is called: a listener for which that changes is another one. */
  readonly routeName: string;
  /** Cluster by path. */
  readonly clusters: ReadonlyMap<string, string>;
  /** Name in the certificate that it shows; absent in plain text. */
  readonly certificate?: string;
}

/** One snapshot, and what whoever has it answers. */
export interface Generation {
  readonly version: string;
  readonly resources: readonly ResourceInput[];
  /** By place in {@link Ingredients.listeners}; absent where there is no listener. */
  readonly answers: ReadonlyMap<number, ListenerAnswers>;
  /** Origins of each cluster, as `host:port`. */
  readonly origins: ReadonlyMap<string, ReadonlySet<string>>;
  /** What was done to the one before. */
  readonly changes: readonly string[];
}

export const PATHS: readonly string[] = ['/a', '/b', '/'];

interface ClusterState {
  readonly name: string;
  eds: boolean;
  /** Name of its endpoints, where it is EDS. */
  service: string;
  origins: number[];
  timeoutMs: number;
}

interface ListenerState {
  routeName: string;
  revision: number;
  clusters: Map<string, string>;
  secret: string;
}

const TYPE = 'type.googleapis.com/';
const ADS: object = { ads: {}, resource_api_version: 'V3' };
/** Clusters at most, and changes from one generation to the next. */
const MAX_CLUSTERS = 6;
const MAX_CHANGES = 4;

/**
 * Generations of snapshots, each made of the one before by a few changes of chance: listeners, routes, clusters, endpoints
 * and secrets come, change and go, route configurations get other names, clusters move between EDS and their own endpoints.
 * Every one is consistent.
 */
export function* generations({
  random,
  listeners,
  origins,
  certificates = [],
  source = ADS,
}: Ingredients): Generator<Generation> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const clusters = new Map<string, ClusterState>();
  const active = new Map<number, ListenerState>();
  const secrets = new Map(certificates.map(({ name }) => [name, name]));
  let made = 0;

  const someOrigins = (): number[] => {
    const all = origins.map((_, i) => i).filter(() => random() < 0.4);
    return all.length > 0 ? all : [Math.floor(random() * origins.length)];
  };
  const speaksTls = (at: number): boolean => certificates.length > 0 && at === listeners.length - 1;

  function addCluster(): string {
    const name = `cluster-${++made}`;
    const eds = random() < 0.6;
    clusters.set(name, {
      name,
      eds,
      service: random() < 0.5 ? name : `endpoints-${made}`,
      origins: someOrigins(),
      timeoutMs: 5_000,
    });
    return `cluster ${name} added`;
  }

  function routeAnew(at: number): string {
    const listener = active.get(at) as ListenerState;
    const names = [...clusters.keys()];
    listener.clusters = new Map(PATHS.map((path) => [path, pick(names)]));
    listener.revision = ++made;
    return `routes of listener ${at} changed`;
  }

  function addListener(at: number): string {
    active.set(at, {
      routeName: `routes-${++made}`,
      revision: 0,
      clusters: new Map(),
      secret: speaksTls(at) ? pick([...secrets.keys()]) : '',
    });
    routeAnew(at);
    return `listener ${at} added`;
  }

  /** Takes a cluster away, with the routes that lead to it. */
  function removeCluster(): string | undefined {
    if (clusters.size < 2) return undefined;
    const name = pick([...clusters.keys()]);
    clusters.delete(name);
    for (const [at, listener] of active) if ([...listener.clusters.values()].includes(name)) routeAnew(at);
    return `cluster ${name} removed`;
  }

  function changeCluster(): string {
    const cluster = pick([...clusters.values()]);
    switch (Math.floor(random() * 4)) {
      case 0:
        cluster.eds = !cluster.eds;
        return `${cluster.name} is ${cluster.eds ? 'EDS' : 'static'} now`;
      case 1:
        cluster.service = `endpoints-${++made}`;
        return `endpoints of ${cluster.name} are called ${cluster.service}`;
      case 2:
        cluster.timeoutMs = 1_000 + Math.floor(random() * 9) * 1_000;
        return `${cluster.name} has another connect timeout`;
      default:
        cluster.origins = someOrigins();
        return `endpoints of ${cluster.name} changed`;
    }
  }

  function change(): string | undefined {
    const kind = Math.floor(random() * 7);
    const present = [...active.keys()];
    if (kind === 0 && clusters.size < MAX_CLUSTERS) return addCluster();
    if (kind === 1) return removeCluster();
    if (kind === 2) {
      const at = Math.floor(random() * listeners.length);
      if (!active.has(at)) return addListener(at);
      // Without any nothing could be asked.
      if (active.size === 1) return undefined;
      active.delete(at);
      return `listener ${at} removed`;
    }
    if (kind === 3 && present.length > 0) return routeAnew(pick(present));
    if (kind === 4 && present.length > 0) {
      const at = pick(present);
      const listener = active.get(at) as ListenerState;
      listener.routeName = `routes-${++made}`;
      return `routes of listener ${at} are called ${listener.routeName}`;
    }
    if (kind === 5 && secrets.size > 0) {
      const name = pick([...secrets.keys()]);
      secrets.set(name, pick(certificates).name);
      return `secret ${name} holds ${secrets.get(name)}`;
    }
    return changeCluster();
  }

  function certificateOf(at: number): string | undefined {
    const listener = active.get(at);
    return listener && speaksTls(at) ? secrets.get(listener.secret) : undefined;
  }

  function generation(version: string, changes: readonly string[]): Generation {
    const used = new Set([...active].filter(([at]) => speaksTls(at)).map(([, { secret }]) => secret));
    return {
      version,
      changes,
      resources: [
        ...[...active].flatMap(([at, listener]) => [
          listenerOf(at, listeners[at] as Place, listener, speaksTls(at), source),
          routesOf(listener),
        ]),
        ...[...clusters.values()].flatMap((cluster) => {
          const places = cluster.origins.map((i) => origins[i] as Place);
          return cluster.eds
            ? [clusterOf(cluster, source), endpointsOf(cluster.service, places)]
            : [clusterOf(cluster, source, places)];
        }),
        ...[...used].map((name) =>
          secretOf(name, certificates.find((one) => one.name === secrets.get(name)) as ListenerCertificate),
        ),
      ],
      answers: new Map(
        [...active].map(([at, { revision, routeName, clusters: paths }]) => {
          const certificate = certificateOf(at);
          return [
            at,
            {
              routes: String(revision),
              routeName,
              clusters: new Map(paths),
              ...(certificate === undefined ? {} : { certificate }),
            },
          ];
        }),
      ),
      origins: new Map(
        [...clusters.values()].map(({ name, origins: own }) => [
          name,
          new Set(own.map((i) => `${origins[i]?.host}:${origins[i]?.port}`)),
        ]),
      ),
    };
  }

  addCluster();
  addCluster();
  for (const at of listeners.keys()) addListener(at);
  yield generation('g0', ['the first']);
  for (let number = 1; ; number++) {
    const changes: string[] = [];
    const wanted = 1 + Math.floor(random() * MAX_CHANGES);
    while (changes.length < wanted) {
      const done = change();
      if (done !== undefined) changes.push(done);
    }
    yield generation(`g${number}`, changes);
  }
}

function listenerOf(
  at: number,
  { host, port }: Place,
  { routeName, secret }: ListenerState,
  tls: boolean,
  source: object,
): ResourceInput {
  return {
    '@type': `${TYPE}envoy.config.listener.v3.Listener`,
    name: `listener-${at}`,
    address: { socket_address: { address: host, port_value: port } },
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: `listener_${at}`,
              rds: { config_source: source, route_config_name: routeName },
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: { '@type': `${TYPE}envoy.extensions.filters.http.router.v3.Router` },
                },
              ],
            },
          },
        ],
        ...(tls
          ? {
              transport_socket: {
                name: 'envoy.transport_sockets.tls',
                typed_config: {
                  '@type': `${TYPE}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
                  common_tls_context: {
                    tls_certificate_sds_secret_configs: [{ name: secret, sds_config: source }],
                  },
                },
              },
            }
          : {}),
      },
    ],
  };
}

function routesOf({ routeName, revision, clusters }: ListenerState): ResourceInput {
  return {
    '@type': `${TYPE}envoy.config.route.v3.RouteConfiguration`,
    name: routeName,
    virtual_hosts: [
      {
        name: 'all',
        domains: ['*'],
        routes: [...clusters].map(([path, cluster]) => ({
          match: { prefix: path },
          route: { cluster },
          response_headers_to_add: [
            {
              header: { key: 'x-routes', value: String(revision) },
              append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
            },
          ],
        })),
      },
    ],
  };
}

function clusterOf(
  { name, service, timeoutMs }: ClusterState,
  source: object,
  places?: readonly Place[],
): ResourceInput {
  return {
    '@type': `${TYPE}envoy.config.cluster.v3.Cluster`,
    name,
    connect_timeout: `${timeoutMs / 1_000}s`,
    ...(places
      ? { type: 'STATIC', load_assignment: { cluster_name: name, endpoints: endpointsIn(places) } }
      : {
          type: 'EDS',
          eds_cluster_config: { eds_config: source, ...(service === name ? {} : { service_name: service }) },
        }),
  };
}

function endpointsOf(name: string, places: readonly Place[]): ResourceInput {
  return {
    '@type': `${TYPE}envoy.config.endpoint.v3.ClusterLoadAssignment`,
    cluster_name: name,
    endpoints: endpointsIn(places),
  };
}

function endpointsIn(places: readonly Place[]): object[] {
  return [
    {
      lb_endpoints: places.map(({ host, port }) => ({
        endpoint: { address: { socket_address: { address: host, port_value: port } } },
      })),
    },
  ];
}

function secretOf(name: string, { certificate, key }: ListenerCertificate): ResourceInput {
  return {
    '@type': `${TYPE}envoy.extensions.transport_sockets.tls.v3.Secret`,
    name,
    tls_certificate: {
      certificate_chain: { inline_string: certificate },
      private_key: { inline_string: key },
    },
  };
}
