import { AUTHZ_FILTER } from '@tulle/model';
import type { ResourceKind } from './provider.ts';

/**
 * What the two ends agree on beside Envoy's messages. `@tulle/xds-client` has the same table; the round-trip property
 * test there proves them equal.
 */

/** Namespace of `core.v3.Metadata.filter_metadata` for what Envoy has no field for. */
export const TULLE_METADATA = 'tulle.dev';
/** Namespace in which Envoy looks for labels of endpoints. */
export const LB_METADATA = 'envoy.lb';
/** Namespace by which Envoy picks one of a cluster's `transport_socket_matches`. */
export const TRANSPORT_SOCKET_METADATA = 'envoy.transport_socket_match';
/** Set on endpoints that are reached in plain text although their cluster speaks TLS. */
export const PLAIN_ENDPOINT: Readonly<Record<string, string>> = { tlsMode: 'disabled' };

/** Prefix of every type URL. */
export const TYPE_PREFIX = 'type.googleapis.com/';

/** Names in `TypedStruct.type_url` that are not filter ids. */
export const PEAK_EWMA = 'tulle.balance.peak_ewma';
export const DEFAULT_BALANCE = 'tulle.balance.default';
export const ROUTE_OVERRIDE = 'tulle.route.override';
export const UDP_PROXY = 'tulle.udp.proxy';

/** Slot of the half of the authorization filter that denies: each of Envoy's RBAC filters has one action. */
export const DENY_SLOT: string = `${AUTHZ_FILTER}/deny`;
/** Name of the filter that clients which are not Tulle's get for paths that Tulle's engine refuses by itself. */
export const REFUSED_PATHS_SLOT = 'tulle.dev/refused-paths';

/** Key under which a filter config that is no plain object travels in a `TypedStruct`. */
export const BARE_VALUE = '@value';

/** SDS names (Istio's): the workload's own certificate, and the mesh's roots. */
export const WORKLOAD_SECRET = 'default';
export const MESH_ROOTS_SECRET = 'ROOTCA';

/** `Node.client_features` of a client that holds what it gets back until a change is complete. */
export const ATOMIC_CHANGES = 'dev.tulle.atomic-changes';

/** `Node.client_features` of a client that reads resources as Tulle's data plane does, whatever the protocol of its stream. */
export const TULLE_MODEL = 'dev.tulle.model';

/** Trust bundles and certificates (SDS). */
export const SECRET_TYPE_URL: string = `${TYPE_PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret`;

/** Type URL of each kind. */
export const TYPE_URLS: Readonly<Record<ResourceKind, string>> = {
  cluster: `${TYPE_PREFIX}envoy.config.cluster.v3.Cluster`,
  endpoint: `${TYPE_PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  listener: `${TYPE_PREFIX}envoy.config.listener.v3.Listener`,
  route: `${TYPE_PREFIX}envoy.config.route.v3.RouteConfiguration`,
};

/** Order in which additions are sent, so that nothing points at what is not there yet (xDS "eventual consistency considerations"). */
export const ADD_ORDER: readonly ResourceKind[] = ['cluster', 'endpoint', 'listener', 'route'];
/** Order in which removals are sent, after all additions: first what points, then what is pointed at. */
export const REMOVE_ORDER: readonly ResourceKind[] = ['listener', 'route', 'cluster', 'endpoint'];

/** @returns `undefined` for a type that is not served */
export function kindOfTypeUrl(typeUrl: string): ResourceKind | undefined {
  return ADD_ORDER.find((kind) => TYPE_URLS[kind] === typeUrl);
}
