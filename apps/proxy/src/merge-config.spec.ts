import { readBootstrap, translateBootstrap } from '@tulle/envoy-bootstrap';
import { RETRY_FILTER, type Cluster, type ProxyConfig } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { fixedNames, mergeConfig } from './merge-config.ts';

/** A listener of its own, clusters of a server. */
const BOOTSTRAP = `
node: { id: a, cluster: b }
dynamic_resources:
  cds_config: { resource_api_version: V3, api_config_source: { api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [ { envoy_grpc: { cluster_name: xds } } ] } }
static_resources:
  listeners:
    - name: own
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: own
                http_filters: [ { name: router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } } ]
                route_config:
                  name: routes
                  validate_clusters: false
                  virtual_hosts: [ { name: all, domains: ["*"], routes: [ { match: { prefix: / }, route: { cluster: found } } ] } ]
  clusters:
    - name: xds
      type: STATIC
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }
      load_assignment: { cluster_name: xds, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: 1 } } } } ] } ] }
`;

/** Names of the filters of the listener, once a server said this of a cluster. */
function filtersWith(found: Partial<Cluster>): string[] | undefined {
  const translation = translateBootstrap(
    readBootstrap({ inline: { name: 'x', text: BOOTSTRAP } }, { allowUnknownFields: false }),
  );
  expect(translation.issues).toEqual([]);
  const names = translation.discovery === undefined ? undefined : fixedNames(translation.discovery);
  const { config } = translation;
  const whole: ProxyConfig = {
    ...config,
    clusters: [...config.clusters, { name: 'found', discovery: { kind: 'static', endpoints: [] }, ...found }],
  };
  const merged = names && mergeConfig(translation, whole, names);
  const handler = merged?.listeners[0]?.filterChains[0]?.handler;
  return handler?.kind === 'http' ? handler.filters.map(({ name }) => name) : undefined;
}

describe('a static listener', () => {
  it('retries what a cluster that was discovered asks for', () => {
    expect(filtersWith({ retry: { policy: { retries: 2 } } })).toEqual([RETRY_FILTER]);
    expect(filtersWith({})).toEqual([]);
  });
});
