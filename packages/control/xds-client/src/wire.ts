import { AUTHZ_FILTER } from '@tulle/model';

/**
 * What the two ends agree on beside Envoy's messages. `@tulle/xds-server` has the same table; the round-trip property
 * test here proves them equal.
 */

/** The kinds of resources, one for each xDS type. */
export type ResourceKind =
  | 'listener'
  | 'route'
  | 'virtual-host'
  | 'scoped-route'
  | 'cluster'
  | 'endpoint'
  | 'secret'
  | 'extension';

/** Kinds that are asked for by the name under which another resource has them. */
export type NamedKind = 'route' | 'virtual-host' | 'scoped-route' | 'endpoint' | 'secret' | 'extension';
export const NAMED_KINDS: readonly NamedKind[] = [
  'endpoint',
  'secret',
  'extension',
  'scoped-route',
  'route',
  'virtual-host',
];

export function isNamed(kind: ResourceKind): kind is NamedKind {
  return kind !== 'listener' && kind !== 'cluster';
}

/** How a stream speaks: incremental xDS, or with everything each time, which every xDS server knows. */
export type XdsApi = 'delta' | 'state-of-the-world';

/** Prefix of every type URL. */
export const TYPE_PREFIX = 'type.googleapis.com/';

/** Type URL of each kind. */
export const TYPE_URLS: Readonly<Record<ResourceKind, string>> = {
  cluster: `${TYPE_PREFIX}envoy.config.cluster.v3.Cluster`,
  endpoint: `${TYPE_PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  extension: `${TYPE_PREFIX}envoy.config.core.v3.TypedExtensionConfig`,
  listener: `${TYPE_PREFIX}envoy.config.listener.v3.Listener`,
  route: `${TYPE_PREFIX}envoy.config.route.v3.RouteConfiguration`,
  'scoped-route': `${TYPE_PREFIX}envoy.config.route.v3.ScopedRouteConfiguration`,
  'virtual-host': `${TYPE_PREFIX}envoy.config.route.v3.VirtualHost`,
  secret: `${TYPE_PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret`,
};

/** Where each kind is polled over REST (`google.api.http` of Envoy's discovery services); virtual hosts nobody gives so. */
export const REST_PATHS: Readonly<Partial<Record<ResourceKind, string>>> = {
  cluster: '/v3/discovery:clusters',
  endpoint: '/v3/discovery:endpoints',
  extension: '/v3/discovery:extension_configs',
  listener: '/v3/discovery:listeners',
  route: '/v3/discovery:routes',
  'scoped-route': '/v3/discovery:scoped-routes',
  secret: '/v3/discovery:secrets',
};

export const KINDS: readonly ResourceKind[] = [
  'cluster',
  'endpoint',
  'secret',
  'extension',
  'listener',
  'scoped-route',
  'route',
  'virtual-host',
];

/** Something for each kind. */
export function byKind<Table extends Readonly<Record<ResourceKind, unknown>>>(
  make: (kind: ResourceKind) => Table[ResourceKind],
): Table {
  return Object.fromEntries(KINDS.map((kind) => [kind, make(kind)])) as Table;
}

/** @returns `undefined` for a type that is never asked for */
export function kindOfTypeUrl(typeUrl: string): ResourceKind | undefined {
  return KINDS.find((kind) => TYPE_URLS[kind] === typeUrl);
}

/** Namespace of `core.v3.Metadata.filter_metadata` for what Envoy has no field for. */
export const TULLE_METADATA = 'tulle.dev';
/** Namespace in which Envoy looks for labels of endpoints. */
export const LB_METADATA = 'envoy.lb';
/** Namespace by which Envoy picks one of a cluster's `transport_socket_matches`. */
export const TRANSPORT_SOCKET_METADATA = 'envoy.transport_socket_match';
/** Key and value there of endpoints that are reached in plain text although their cluster speaks TLS. */
export const TLS_MODE = 'tlsMode';
export const TLS_DISABLED = 'disabled';

/** Names in `TypedStruct.type_url` that are not filter ids. */
export const PEAK_EWMA = 'tulle.balance.peak_ewma';
export const DEFAULT_BALANCE = 'tulle.balance.default';
export const ROUTE_OVERRIDE = 'tulle.route.override';
export const UDP_PROXY = 'tulle.udp.proxy';

/** Slot of the half of the authorization filter that denies: each of Envoy's RBAC filters has one action. */
export const DENY_SLOT: string = `${AUTHZ_FILTER}/deny`;

/** Key under which a filter config that is no plain object travels in a `TypedStruct`. */
export const BARE_VALUE = '@value';

/** SDS names (Istio's): the workload's own certificate, and the mesh's roots. */
export const WORKLOAD_SECRET = 'default';
export const MESH_ROOTS_SECRET = 'ROOTCA';

/** The whole path, for the rewrite of a full path. */
export const WHOLE_PATH = '^/.*$';

/** `Node.client_features` of a client that holds what it gets back until a change is complete. */
export const ATOMIC_CHANGES = 'dev.tulle.atomic-changes';

/** `Node.client_features` of a client that reads resources as Tulle's data plane does, whatever the protocol of its stream. */
export const TULLE_MODEL = 'dev.tulle.model';
