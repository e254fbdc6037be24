import { isMessage } from '@bufbuild/protobuf';
import type { Cluster as ModelCluster, PoolOptions, TcpKeepalive } from '@tulle/model';
import {
  type Cluster,
  Cluster_ClusterProtocolSelection as ProtocolSelection,
  UpstreamConnectionOptions_FirstAddressFamilyVersion as FirstFamily,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import type { BindConfig } from '@tulle/xds-proto/envoy/config/core/v3/address';
import type { UpstreamHttpProtocolOptions } from '@tulle/xds-proto/envoy/config/core/v3/protocol';
import {
  type HttpProtocolOptions,
  HttpProtocolOptionsSchema,
} from '@tulle/xds-proto/envoy/extensions/upstreams/http/v3/http_protocol_options';
import {
  type Http1ProtocolOptions,
  HttpProtocolOptions_HeadersWithUnderscoresAction as Underscores,
} from '@tulle/xds-proto/envoy/config/core/v3/protocol';
import { TcpProtocolOptionsSchema } from '@tulle/xds-proto/envoy/extensions/upstreams/tcp/v3/tcp_protocol_options';
import type { DecodeContext } from './context.ts';
import { decodePolicies } from './cluster-policies.ts';
import type { Extras } from './extras.ts';
import { decodeHashPolicies } from './hash-policy.ts';
import { decodeHttp2 } from './http2.ts';
import { checkKeyFormat } from './key-format.ts';
import { decodeSocketOptions } from './socket-options.ts';
import { milliseconds, present } from './values.ts';

/** How long a connection is kept that no connection of a caller has, which none here is. */
const TCP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions';
const HTTP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

type Policies = { readonly hashPolicy?: ModelCluster['hashPolicy'] | undefined } & ReturnType<
  typeof decodePolicies
>;

export function decodePool(
  context: DecodeContext,
  cluster: Cluster,
  extras: Extras,
): {
  readonly pool: PoolOptions | undefined;
  readonly serverNames: ModelCluster['serverNameFrom'];
  /** What stands in the place of what routes say. */
  readonly policies: Policies;
} {
  const { pool: newer, policies = {}, names: newerNames } = decodeOptions(context, cluster);
  // Where the newer options are, Envoy (1.40) looks at none of the older: not at names either.
  const names = newer === undefined ? cluster.upstreamHttpProtocolOptions : newerNames;
  const own = newer ?? decodeDeprecated(context, cluster);
  const pool: PoolOptions = present({
    ...own,
    maxIdlePerEndpoint: extras.number('maxIdlePerEndpoint'),
    perDownstreamConnection: cluster.connectionPoolPerDownstreamConnection || undefined,
    bufferLimitBytes: cluster.perConnectionBufferLimitBytes,
    tcpKeepalive: decodeSocketOptions(
      context,
      cluster.upstreamBindConfig?.socketOptions ?? [],
      'upstream_bind_config.socket_options',
      decodeKeepalive(cluster),
    ),
    sourceAddress: decodeSource(context, cluster.upstreamBindConfig, 'upstream_bind_config'),
    addressOrder: decodeOrder(context, cluster),
    drainsOnSetChange: cluster.commonLbConfig?.closeConnectionsOnHostSetChange || undefined,
    closesOnFailure: cluster.closeConnectionsOnHostHealthFailure || undefined,
  });
  if (names?.autoSanValidation === true && !names.autoSni)
    context.refuse('upstream_http_protocol_options.auto_san_validation', 'needs auto_sni');
  return {
    pool: own === undefined && Object.keys(pool).length === 0 ? undefined : pool,
    serverNames: names?.autoSni
      ? present({
          header: names.overrideAutoSniHeader.toLowerCase() || undefined,
          verified: names.autoSanValidation || undefined,
        })
      : undefined,
    policies,
  };
}

/** @returns `undefined` where there are none */
function decodeOptions(
  context: DecodeContext,
  { typedExtensionProtocolOptions: options }: Cluster,
): {
  readonly pool?: PoolOptions | undefined;
  readonly names?: UpstreamHttpProtocolOptions | undefined;
  readonly policies?: Policies;
} {
  let pool: PoolOptions | undefined;
  let names: UpstreamHttpProtocolOptions | undefined;
  let policies: Policies = {};
  for (const [key, any] of Object.entries(options)) {
    const path = `typed_extension_protocol_options[${JSON.stringify(key)}]`;
    if (key !== HTTP_PROTOCOL_OPTIONS && key !== TCP_PROTOCOL_OPTIONS) {
      context.refuse(
        path,
        `is not known; this proxy reads ${HTTP_PROTOCOL_OPTIONS} and ${TCP_PROTOCOL_OPTIONS}`,
      );
      continue;
    }
    const message = context.open(any, path);
    if (key === TCP_PROTOCOL_OPTIONS) {
      if (message && !isMessage(message, TcpProtocolOptionsSchema))
        context.refuse(path, `must be a ${TCP_PROTOCOL_OPTIONS}`);
      continue;
    }
    if (!message) continue;
    if (!isMessage(message, HttpProtocolOptionsSchema)) {
      context.refuse(path, `must be a ${HTTP_PROTOCOL_OPTIONS}`);
      continue;
    }
    const { commonHttpProtocolOptions: common, upstreamProtocolOptions: chosen } = message;
    names = message.upstreamHttpProtocolOptions;
    policies = {
      hashPolicy: decodeHashPolicies(context, message.hashPolicy, path),
      ...decodePolicies(context, message, path),
    };
    const protocol = decodeProtocol(context, chosen, path);
    if (protocol === undefined)
      context.refuse(
        path,
        'names no protocol: give explicit_http_config, auto_config or use_downstream_protocol_config',
      );
    pool = present({
      ...decodeCommon(context, common, `${path}.common_http_protocol_options`),
      ...protocol,
    });
  }
  return { pool, names, policies };
}

/** The fields of the cluster itself in which this stood before; Envoy reads them where there is nothing newer. */
function decodeDeprecated(context: DecodeContext, cluster: Cluster): PoolOptions | undefined {
  const {
    commonHttpProtocolOptions: common,
    http2ProtocolOptions: http2,
    maxRequestsPerConnection,
    protocolSelection,
  } = cluster;
  checkHttp1(context, cluster.httpProtocolOptions, 'http_protocol_options');
  const asItCame = protocolSelection === ProtocolSelection.USE_DOWNSTREAM_PROTOCOL;
  if (common === undefined && http2 === undefined && maxRequestsPerConnection === undefined && !asItCame)
    return undefined;
  return present({
    maxRequestsPerConnection,
    ...decodeCommon(context, common, 'common_http_protocol_options'),
    protocol: asItCame ? ('downstream' as const) : http2 && ('http2' as const),
    http2: decodeHttp2(context, http2, 'http2_protocol_options'),
  });
}

function decodeCommon(
  context: DecodeContext,
  common: HttpProtocolOptions['commonHttpProtocolOptions'],
  path: string,
): Pick<PoolOptions, 'idleTimeoutMs' | 'maxRequestsPerConnection'> {
  if (common?.maxHeadersCount !== undefined)
    context.refuse(`${path}.max_headers_count`, 'is honoured for listeners only');
  if (common?.maxConnectionDuration !== undefined)
    context.refuse(`${path}.max_connection_duration`, 'is honoured for listeners only');
  if (common?.maxStreamDuration !== undefined)
    context.refuse(`${path}.max_stream_duration`, 'is honoured for listeners and routes only');
  if (common !== undefined && common.headersWithUnderscoresAction !== Underscores.ALLOW)
    context.refuse(`${path}.headers_with_underscores_action`, 'is honoured for listeners only');
  return present({
    idleTimeoutMs: milliseconds(common?.idleTimeout),
    maxRequestsPerConnection: common?.maxRequestsPerConnection,
  });
}

/** @returns `undefined` where none is named that this proxy speaks */
function decodeProtocol(
  context: DecodeContext,
  chosen: HttpProtocolOptions['upstreamProtocolOptions'],
  path: string,
): Pick<PoolOptions, 'protocol' | 'http2'> | undefined {
  if (chosen.case === 'autoConfig') {
    checkHttp1(context, chosen.value.httpProtocolOptions, `${path}.auto_config.http_protocol_options`);
    const http2 = decodeHttp2(
      context,
      chosen.value.http2ProtocolOptions,
      `${path}.auto_config.http2_protocol_options`,
    );
    return { protocol: 'auto', ...(http2 && { http2 }) };
  }
  if (chosen.case === 'useDownstreamProtocolConfig') {
    const at = `${path}.use_downstream_protocol_config`;
    checkHttp1(context, chosen.value.httpProtocolOptions, `${at}.http_protocol_options`);
    const http2 = decodeHttp2(context, chosen.value.http2ProtocolOptions, `${at}.http2_protocol_options`);
    return { protocol: 'downstream', ...(http2 && { http2 }) };
  }
  const explicit = chosen.case === 'explicitHttpConfig' ? chosen.value.protocolConfig : undefined;
  if (explicit?.case === 'httpProtocolOptions') {
    checkHttp1(context, explicit.value, `${path}.explicit_http_config.http_protocol_options`);
    return {};
  }
  if (explicit?.case !== 'http2ProtocolOptions') return undefined;
  const http2 = decodeHttp2(context, explicit.value, `${path}.explicit_http_config.http2_protocol_options`);
  return { protocol: 'http2', ...(http2 && { http2 }) };
}

/** What is about callers says nothing of endpoints. */
function checkHttp1(context: DecodeContext, options: Http1ProtocolOptions | undefined, path: string): void {
  if (options === undefined) return;
  checkKeyFormat(context, options, `${path}.header_key_format`);
  const given: Readonly<Record<string, boolean>> = {
    allow_absolute_url: options.allowAbsoluteUrl !== undefined,
    accept_http_10: options.acceptHttp10,
    default_host_for_http_10: options.defaultHostForHttp10 !== '',
    allow_chunked_length: options.allowChunkedLength,
    override_stream_error_on_invalid_http_message:
      options.overrideStreamErrorOnInvalidHttpMessage !== undefined,
    allow_custom_methods: options.allowCustomMethods,
  };
  for (const [field, set] of Object.entries(given))
    if (set) context.refuse(`${path}.${field}`, 'is honoured for listeners only');
}

/** Seconds on the wire. */
function decodeKeepalive({ upstreamConnectionOptions }: Cluster): TcpKeepalive | undefined {
  const keepalive = upstreamConnectionOptions?.tcpKeepalive;
  const ms = (seconds: number | undefined): number | undefined => seconds && seconds * 1_000;
  return (
    keepalive &&
    present({
      idleMs: ms(keepalive.keepaliveTime),
      intervalMs: ms(keepalive.keepaliveInterval),
      probes: keepalive.keepaliveProbes === 0 ? undefined : keepalive.keepaliveProbes,
    })
  );
}

/** Without what says no more than what holds anyway. */
function decodeOrder(
  context: DecodeContext,
  { upstreamConnectionOptions }: Cluster,
): PoolOptions['addressOrder'] {
  const config = upstreamConnectionOptions?.happyEyeballsConfig;
  const { firstAddressFamilyVersion: version, firstAddressFamilyCount: count } = config ?? {};
  if (count === 0)
    context.refuse(
      'upstream_connection_options.happy_eyeballs_config.first_address_family_count',
      'must be at least 1',
    );
  const order = present({ first: version === undefined ? undefined : FIRST[version], count });
  return Object.keys(order).length === 0 ? undefined : order;
}

const FIRST: { readonly [V in FirstFamily]?: 'v4' | 'v6' } = {
  [FirstFamily.V4]: 'v4',
  [FirstFamily.V6]: 'v6',
};

function decodeSource(
  context: DecodeContext,
  bind: BindConfig | undefined,
  path: string,
): string | undefined {
  if (bind?.freebind === true)
    context.refuse(
      `${path}.freebind`,
      'must be false: connections come from an address that this machine has',
    );
  // There may be options of sockets alone.
  const source = bind?.sourceAddress;
  if (source === undefined) return undefined;
  if (source.portSpecifier.case === 'portValue' && source.portSpecifier.value !== 0)
    context.refuse(
      `${path}.source_address.port_value`,
      'must be 0: of one port there could be one connection to an endpoint',
    );
  return source.address;
}
