import { usageError } from '../cli/exit-codes.ts';

/** Where something listens. */
export type Target = { readonly path: string } | { readonly host: string; readonly port: number };

/** @throws CliError 64 naming the option */
export function readTarget(text: string, option: string): Target {
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { path };
  const [, v6, host, port] = /^(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined)
    throw usageError(`${option} ${JSON.stringify(text)} is neither HOST:PORT nor unix:/PATH`);
  return { host: (v6 ?? host) as string, port: Number(port) };
}

/** `GRPC_XDS_BOOTSTRAP` (gRFC A27): plain text, since gRPC takes mutual TLS from files alone. */
export function grpcBootstrap({ server, node }: { readonly server: Target; readonly node: string }): object {
  const host = 'path' in server ? '' : server.host.includes(':') ? `[${server.host}]` : server.host;
  return {
    xds_servers: [
      {
        server_uri: 'path' in server ? `unix://${server.path}` : `${host}:${server.port}`,
        channel_creds: [{ type: 'insecure' }],
        server_features: ['xds_v3'],
      },
    ],
    node: { id: node, cluster: 'tulle' },
  };
}

/** What an Envoy of the mesh proves, and whom it believes. */
export interface MeshPart {
  /** Socket at which the agent serves the secrets `default` and `ROOTCA`. */
  readonly agentSocket: string;
  readonly spiffeId: string;
  readonly controlPlaneId: string;
}

/** An Envoy bootstrap: listeners and clusters by ADS. */
export function envoyBootstrap(options: {
  readonly server: Target;
  readonly node: string;
  readonly protocol: string;
  readonly mesh?: MeshPart;
}): object {
  const { server, protocol, mesh } = options;
  const ads = { ads: {}, resource_api_version: 'V3' };
  const id = mesh
    ? options.node.startsWith('spiffe://')
      ? options.node
      : `${mesh.spiffeId}~${options.node}`
    : options.node;
  return {
    node: {
      id,
      cluster: 'tulle',
      ...(mesh ? { metadata: { certificate: { sdsCluster: AGENT } } } : {}),
    },
    admin: { address: addressOf({ host: '127.0.0.1', port: 0 }) },
    dynamic_resources: {
      ads_config: {
        api_type: protocol === 'delta' ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: CONTROL_PLANE } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          ...cluster(CONTROL_PLANE, server),
          ...(mesh ? { transport_socket: meshTls(mesh) } : {}),
        },
        ...(mesh ? [cluster(AGENT, { path: mesh.agentSocket })] : []),
      ],
    },
  };
}

const CONTROL_PLANE = 'tulle-control-plane';
const AGENT = 'tulle-agent';

function cluster(name: string, at: Target): object {
  return {
    name,
    type: 'host' in at && !/^[\d.:]+$/.test(at.host) ? 'STRICT_DNS' : 'STATIC',
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(at) } }] }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: {
          // A control plane that went away without a word is noticed.
          http2_protocol_options: { connection_keepalive: { interval: '30s', timeout: '5s' } },
        },
      },
    },
  };
}

function addressOf(at: Target): object {
  return 'path' in at
    ? { pipe: { path: at.path } }
    : { socket_address: { address: at.host, port_value: at.port } };
}

function meshTls({ controlPlaneId }: MeshPart): object {
  const agent = {
    resource_api_version: 'V3',
    api_config_source: {
      api_type: 'GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: AGENT } }],
    },
  };
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
        alpn_protocols: ['h2'],
        tls_certificate_sds_secret_configs: [{ name: 'default', sds_config: agent }],
        combined_validation_context: {
          default_validation_context: {
            match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: controlPlaneId } }],
          },
          validation_context_sds_secret_config: { name: 'ROOTCA', sds_config: agent },
        },
      },
    },
  };
}
