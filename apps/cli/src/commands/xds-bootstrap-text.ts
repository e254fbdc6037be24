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

/** An Envoy bootstrap in plain text: listeners and clusters by ADS. */
export function rawBootstrap({
  server,
  node,
  protocol,
}: {
  readonly server: Target;
  readonly node: string;
  readonly protocol: string;
}): object {
  const ads = { ads: {}, resource_api_version: 'V3' };
  return {
    node: { id: node, cluster: 'tulle' },
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
    static_resources: { clusters: [clusterOf(server)] },
  };
}

const CONTROL_PLANE = 'tulle-control-plane';

function clusterOf(at: Target): object {
  return {
    name: CONTROL_PLANE,
    type: 'host' in at && !/^[\d.:]+$/.test(at.host) ? 'STRICT_DNS' : 'STATIC',
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: CONTROL_PLANE,
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
