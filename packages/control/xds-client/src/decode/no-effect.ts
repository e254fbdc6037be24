/**
 * Filters of other data planes whose work Tulle's engine does by itself, or has no need of: they are taken, and nothing is
 * put into the chain. None of them decides over a request.
 */
const NO_EFFECT: ReadonlySet<string> = new Set([
  // Calls and messages of gRPC are counted for every chain.
  'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig',
  // A cluster that is a forward proxy looks names up itself.
  'envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig',
  // Requests are counted, and peers told apart, by the engine's own telemetry (Istio's `istio.stats`).
  'stats.PluginConfig',
  // Who calls is what a peer has proven, not what it writes into a header or before its bytes (Istio's metadata exchange).
  'io.istio.http.peer_metadata.Config',
  'envoy.tcp.metadataexchange.config.MetadataExchange',
  'envoy.extensions.network_filters.peer_metadata.Config',
  'envoy.extensions.network_filters.peer_metadata.UpstreamConfig',
  // What is offered by ALPN is the cluster's affair (Istio's `istio.alpn`).
  'istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig',
]);

/** @param typeName full name of the config's message */
export function hasNoEffect(typeName: string): boolean {
  return NO_EFFECT.has(typeName);
}
