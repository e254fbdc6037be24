/** Where Envoy finds its control plane, and who it is. */
export interface BootstrapOptions {
  /** Control plane, `host:port`. */
  readonly xds: string;
  readonly controlPlaneId: string;
  /** Who this Envoy is, as its certificate says. */
  readonly spiffeId: string;
  /** PEM files. */
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
  /** What the control plane is told of the workload. */
  readonly metadata: object;
  /** `DELTA_GRPC`, or `GRPC` for the state of the world. */
  readonly apiType: 'DELTA_GRPC' | 'GRPC';
}

/** An Envoy bootstrap: everything by ADS from Tulle's control plane, over mutual TLS with files. */
export function bootstrap(options: BootstrapOptions): object {
  const [address = '', port = ''] = options.xds.split(':');
  const ads = { ads: {}, resource_api_version: 'V3' };
  return {
    node: { id: `${options.spiffeId}~one`, cluster: 'envoy', metadata: options.metadata },
    admin: { address: socketAddress('127.0.0.1', 0) },
    dynamic_resources: {
      ads_config: {
        api_type: options.apiType,
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'control-plane' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: 'control-plane',
          type: 'STATIC',
          connect_timeout: '5s',
          load_assignment: {
            cluster_name: 'control-plane',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(address, Number(port)) } }] }],
          },
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          transport_socket: {
            name: 'envoy.transport_sockets.tls',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
              common_tls_context: {
                tls_params: {
                  tls_minimum_protocol_version: 'TLSv1_3',
                  tls_maximum_protocol_version: 'TLSv1_3',
                },
                alpn_protocols: ['h2'],
                tls_certificates: [
                  {
                    certificate_chain: { filename: options.certificate },
                    private_key: { filename: options.key },
                  },
                ],
                validation_context: {
                  trusted_ca: { filename: options.roots },
                  match_typed_subject_alt_names: [
                    { san_type: 'URI', matcher: { exact: options.controlPlaneId } },
                  ],
                },
              },
            },
          },
        },
      ],
    },
  };
}

function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}
