/** How an Envoy's streams speak. */
export type RawProtocol = 'delta' | 'state-of-the-world';

/** An Envoy bootstrap: everything by ADS from a server in plain text, and load reports to it. */
export function rawBootstrap(options: {
  /** `host:port` */
  readonly target: string;
  readonly node: string;
  readonly protocol: RawProtocol;
  /** Each type over a service of its own, as {@link singleSource} says. Default: all over ADS. */
  readonly single?: boolean;
  /** Whether load is reported. Default: it is. */
  readonly loadReports?: boolean;
}): object {
  const [address = '', port = ''] = options.target.split(':');
  const from = options.single ? singleSource(options.protocol) : { ads: {}, resource_api_version: 'V3' };
  const source = {
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
  };
  return {
    node: { id: options.node, cluster: 'interop' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    ...(options.loadReports === false
      ? {}
      : { cluster_manager: { load_stats_config: { api_type: 'GRPC', ...source } } }),
    dynamic_resources: {
      ...(options.single ? {} : { ads_config: { api_type: API_TYPES[options.protocol], ...source } }),
      cds_config: from,
      lds_config: from,
    },
    static_resources: {
      clusters: [
        {
          name: 'xds',
          type: 'STATIC',
          connect_timeout: '5s',
          load_assignment: {
            cluster_name: 'xds',
            endpoints: [
              {
                lb_endpoints: [
                  { endpoint: { address: { socket_address: { address, port_value: Number(port) } } } },
                ],
              },
            ],
          },
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
        },
      ],
    },
  };
}

const API_TYPES: Readonly<Record<RawProtocol, string>> = {
  delta: 'DELTA_GRPC',
  'state-of-the-world': 'GRPC',
};

/** A `ConfigSource` for the discovery service of a resource's type alone, at the cluster of {@link rawBootstrap}. */
export function singleSource(protocol: RawProtocol): object {
  return {
    resource_api_version: 'V3',
    api_config_source: {
      api_type: API_TYPES[protocol],
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
    },
  };
}
