/** How an Envoy's streams speak. */
export type RawProtocol = 'delta' | 'state-of-the-world';

/** An Envoy bootstrap: everything by ADS from a server in plain text, and load reports to it. */
export function rawBootstrap(options: {
  /** `host:port` */
  readonly target: string;
  readonly node: string;
  readonly protocol: RawProtocol;
}): object {
  const [address = '', port = ''] = options.target.split(':');
  const ads = { ads: {}, resource_api_version: 'V3' };
  const source = {
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
  };
  return {
    node: { id: options.node, cluster: 'interop' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    cluster_manager: { load_stats_config: { api_type: 'GRPC', ...source } },
    dynamic_resources: {
      ads_config: { api_type: options.protocol === 'delta' ? 'DELTA_GRPC' : 'GRPC', ...source },
      cds_config: ads,
      lds_config: ads,
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
