import { isIP } from 'node:net';
import { type Address, isUnixAddress, type Locality } from '@tulle/model';
import { controlPlaneId } from '@tulle/spiffe';
import { CERTIFICATE_SECRET } from './secrets.ts';

/** Name of the agent's cluster in a bootstrap: what `Node.metadata.certificate.sdsCluster` says to the control plane. */
export const AGENT_CLUSTER = 'tulle-agent';
/** Name of the control plane's cluster in a bootstrap. */
export const CONTROL_PLANE_CLUSTER = 'tulle-control-plane';

/** Name of the collector's cluster in a bootstrap. */
export const OTLP_CLUSTER = 'tulle-otlp';

/** What an Envoy reports beside its own statistics. */
export interface EnvoyTelemetry {
  /** Absolute path: a line of JSON a request or connection, with the keys of Tulle's own access log. */
  readonly accessLogFile?: string;
  readonly traces?: {
    /** Base URL of an OTLP/HTTP collector, as `OTEL_EXPORTER_OTLP_ENDPOINT`; traces go to `/v1/traces` below it. */
    readonly endpoint: string;
    /** `service.name`. */
    readonly serviceName: string;
    /** Share of the traces that begin here, 0 to 1. */
    readonly ratio: number;
  };
}

/** Who an Envoy is, and where it finds what it needs. */
export interface EnvoyBootstrapOptions {
  /** Unix socket of the agent. */
  readonly agentSocket: string;
  /** Control planes, `host:port`; IPv6 in brackets. */
  readonly xds: readonly string[];
  /** Unix socket that leads there; default: directly. TLS goes through it from end to end. */
  readonly xdsRelay?: string;
  readonly trustDomain: string;
  readonly spiffeId: string;
  /** Tells this Envoy from others of the same identity. */
  readonly instance: string;
  /** `Node.cluster`: the workload's name. */
  readonly workload: string;
  /** Where it runs, for what it prefers itself. */
  readonly locality?: Locality;
  /** What the control plane is told of the workload (`SidecarMetadata` of `@tulle/control-plane`). */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Where Envoy's own admin interface is: a Unix socket (mode 0600), or an address. */
  readonly admin: Address;
  /** Default: nothing. */
  readonly telemetry?: EnvoyTelemetry;
}

/**
 * A bootstrap (`envoy.config.bootstrap.v3.Bootstrap`, as JSON) for an Envoy of the mesh: everything else comes by delta ADS
 * from Tulle's control plane over mutual TLS 1.3, with the certificate and the roots of the agent's SDS.
 */
export function envoyBootstrap(options: EnvoyBootstrapOptions): object {
  const { locality, telemetry } = options;
  const xds = options.xds.map(splitAddress);
  const ads = { ads: {}, resource_api_version: 'V3' };
  return {
    node: {
      id: `${options.spiffeId}~${options.instance}`,
      cluster: options.workload,
      ...(locality === undefined
        ? {}
        : { locality: { region: locality.region, zone: locality.zone, sub_zone: locality.subZone } }),
      metadata: {
        ...options.metadata,
        certificate: { sdsCluster: AGENT_CLUSTER, roots: true },
        ...(telemetry === undefined ? {} : { telemetry: telemetryMetadata(telemetry) }),
      },
    },
    admin: { address: envoyAddress(options.admin) },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: CONTROL_PLANE_CLUSTER } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      clusters: [
        {
          name: AGENT_CLUSTER,
          type: 'STATIC',
          connect_timeout: '1s',
          ...endpoints(AGENT_CLUSTER, [{ path: options.agentSocket }]),
          ...HTTP2,
        },
        {
          name: CONTROL_PLANE_CLUSTER,
          type: options.xdsRelay === undefined ? typeOf(xds) : 'STATIC',
          connect_timeout: '5s',
          ...endpoints(
            CONTROL_PLANE_CLUSTER,
            options.xdsRelay === undefined ? xds : [{ path: options.xdsRelay }],
          ),
          ...HTTP2,
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
                tls_certificate_sds_secret_configs: [secret(CERTIFICATE_SECRET)],
                combined_validation_context: {
                  default_validation_context: {
                    match_typed_subject_alt_names: [
                      { san_type: 'URI', matcher: { exact: controlPlaneId(options.trustDomain) } },
                    ],
                  },
                  validation_context_sds_secret_config: secret('ROOTCA'),
                },
              },
            },
          },
        },
        ...(telemetry?.traces === undefined ? [] : [collectorCluster(telemetry.traces.endpoint)]),
      ],
    },
  };
}

/** As the control plane reads it (`ClientTelemetry` of `@tulle/xds-server`). */
function telemetryMetadata({ accessLogFile, traces }: EnvoyTelemetry): object {
  return {
    ...(accessLogFile === undefined ? {} : { accessLogFile }),
    ...(traces === undefined
      ? {}
      : {
          tracing: {
            cluster: OTLP_CLUSTER,
            url: `${traces.endpoint.replace(/\/+$/, '')}/v1/traces`,
            serviceName: traces.serviceName,
            ratio: traces.ratio,
          },
        }),
  };
}

/** @throws TypeError for what is no URL */
function collectorCluster(endpoint: string): object {
  const url = new URL(endpoint);
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const address = { host, port: url.port === '' ? (secure ? 443 : 80) : Number(url.port) };
  return {
    name: OTLP_CLUSTER,
    type: typeOf([address]),
    connect_timeout: '5s',
    ...endpoints(OTLP_CLUSTER, [address]),
    ...(secure
      ? {
          transport_socket: {
            name: 'envoy.transport_sockets.tls',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
              sni: host,
              common_tls_context: {
                validation_context: {
                  system_root_certs: {},
                  match_typed_subject_alt_names: [
                    { san_type: isIP(host) === 0 ? 'DNS' : 'IP_ADDRESS', matcher: { exact: host } },
                  ],
                },
              },
            },
          },
        }
      : {}),
  };
}

function typeOf(addresses: readonly { readonly host: string }[]): 'STATIC' | 'STRICT_DNS' {
  return addresses.every(({ host }) => isIP(host) !== 0) ? 'STATIC' : 'STRICT_DNS';
}

const HTTP2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: {
        // An Envoy whose control plane went away without a word notices within a minute.
        http2_protocol_options: { connection_keepalive: { interval: '30s', timeout: '10s' } },
      },
    },
  },
};

function secret(name: string): object {
  return {
    name,
    sds_config: {
      resource_api_version: 'V3',
      api_config_source: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: AGENT_CLUSTER } }],
      },
    },
  };
}

function endpoints(cluster: string, addresses: readonly Address[]): object {
  return {
    load_assignment: {
      cluster_name: cluster,
      endpoints: [
        { lb_endpoints: addresses.map((address) => ({ endpoint: { address: envoyAddress(address) } })) },
      ],
    },
  };
}

function envoyAddress(address: Address): object {
  return isUnixAddress(address)
    ? { pipe: { path: address.path, mode: 0o600 } }
    : { socket_address: { address: address.host, port_value: address.port } };
}

/**
 * `host:port`, IPv6 in brackets.
 * @throws TypeError
 */
export function splitAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(text);
  if (match === null)
    throw new TypeError(`${JSON.stringify(text)} is not host:port, such as 127.0.0.1:15012 or [::1]:15012`);
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}
