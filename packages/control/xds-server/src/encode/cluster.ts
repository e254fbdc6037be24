import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type {
  CircuitLimits,
  Cluster as ModelCluster,
  HashOptions,
  Passthrough,
  PoolOptions,
  ProxyHeaderOptions,
  ProxyProtocolVersion,
  UpstreamTls,
} from '@tulle/model';
import type {
  CircuitBreakers_ThresholdsSchema as ThresholdsSchema,
  CircuitBreakersSchema,
} from '@tulle/xds-proto/envoy/config/cluster/v3/circuit_breaker';
import { RoutingPriority } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  type Cluster,
  type Cluster_CommonLbConfigSchema as CommonLbConfigSchema,
  ClusterSchema,
  UpstreamConnectionOptions_FirstAddressFamilyVersion as FirstFamily,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { HttpProtocolOptionsSchema } from '@tulle/xds-proto/envoy/extensions/upstreams/http/v3/http_protocol_options';
import { PLAIN_ENDPOINT, TULLE_METADATA } from '../wire.ts';
import { encodeBalance, withSubsets } from './balance.ts';
import { encodeInner, withHostOverride } from './host-override.ts';
import { encodeZones } from './zone-routing.ts';
import { discovery, isProvided } from './discovery.ts';
import type { EncodeForm } from './form.ts';
import { encodeHashPolicy } from './hash-policy.ts';
import { encodeHttp2 } from './http2.ts';
import { encodeHealthCheck } from './health-check.ts';
import { outlierDetection } from './outlier.ts';
import type { TransportSocket } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { toldOf, withPassthrough } from './passthrough.ts';
import { withProxyHeader } from './proxy-protocol.ts';
import { encodeUpstreamTls, rawBuffer } from './tls.ts';
import { localOnly } from './local-only.ts';
import { refuseNotSentOfCluster } from './not-sent.ts';
import { canonicalObject, duration, type Fields, metadata } from './values.ts';

/** Key of HttpProtocolOptions in `typed_extension_protocol_options`. */
const HTTP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

type ClusterInit = Fields<typeof ClusterSchema>;

export function encodeCluster(cluster: ModelCluster, form: EncodeForm): Cluster {
  const { serverNameFrom, limits, highLimits, healthCheck, outlier, pool, hashPolicy, labels } = cluster;
  refuseNotSentOfCluster(cluster);
  localOnly(pool?.network, 'pool.network');
  const own = {
    labels: labels && canonicalObject(labels),
    maxHosts: cluster.discovery.kind === 'original-dst' ? cluster.discovery.maxHosts : undefined,
    retryBudget: ownBudget(cluster, form),
    highRetryBudget:
      highLimits && (highLimits.maxRetries ?? highLimits.retryConcurrency) === undefined ? true : undefined,
    successRate: outlier?.successRate,
    failurePercentage: outlier?.successRate && outlier.failurePercentage ? true : undefined,
    maxIdlePerEndpoint: pool?.maxIdlePerEndpoint,
    failOnPanic: cluster.failOnPanic === true && cluster.localityWeighted === true ? true : undefined,
  };
  const told = toldOf([cluster, ...(cluster.tlsMatches ?? [])].map(({ passthrough }) => passthrough));
  const described = metadata({ ...told, [TULLE_METADATA]: own });
  return create(ClusterSchema, {
    name: cluster.name,
    altStatName: cluster.statName ?? '',
    ...(!isProvided(cluster) && balancing(cluster)),
    ...discovery(cluster, form),
    ...commonLbConfig(cluster, form),
    ...(cluster.connectTimeoutMs !== undefined && { connectTimeout: duration(cluster.connectTimeoutMs) }),
    ...((limits ?? highLimits) && { circuitBreakers: circuitBreakers(cluster) }),
    ...(healthCheck && {
      healthChecks: [healthCheck, ...(cluster.moreHealthChecks ?? [])].map(encodeHealthCheck),
    }),
    ...(outlier && { outlierDetection: outlierDetection(outlier) }),
    ...(pool && connections(pool)),
    ...((pool ?? serverNameFrom ?? hashPolicy) && {
      typedExtensionProtocolOptions: {
        [HTTP_PROTOCOL_OPTIONS]: protocolOptions(pool ?? {}, cluster, form),
      },
    }),
    ...transportSockets(cluster, form),
    ...(described && { metadata: described }),
  });
}

function balancing(cluster: ModelCluster): ClusterInit {
  const { balance, subsets, hostOverride } = cluster;
  if (hostOverride === undefined) return withSubsets(encodeBalance(balance, encodeZones(cluster)), subsets);
  return withHostOverride(withSubsets(encodeInner(cluster), subsets), hostOverride);
}

/** What the kernel is told about connections. */
function connections({
  bufferLimitBytes,
  tcpKeepalive,
  sourceAddress,
  perDownstreamConnection = false,
  addressOrder,
  closesOnFailure = false,
}: PoolOptions): ClusterInit {
  const seconds = (ms: number | undefined): number => Math.round((ms ?? 0) / 1_000);
  return {
    connectionPoolPerDownstreamConnection: perDownstreamConnection,
    closeConnectionsOnHostHealthFailure: closesOnFailure,
    ...(bufferLimitBytes !== undefined && { perConnectionBufferLimitBytes: bufferLimitBytes }),
    ...((tcpKeepalive ?? addressOrder) && {
      upstreamConnectionOptions: {
        ...(tcpKeepalive && {
          tcpKeepalive: {
            ...(tcpKeepalive.idleMs !== undefined && { keepaliveTime: seconds(tcpKeepalive.idleMs) }),
            ...(tcpKeepalive.intervalMs !== undefined && {
              keepaliveInterval: seconds(tcpKeepalive.intervalMs),
            }),
            ...(tcpKeepalive.probes !== undefined && { keepaliveProbes: tcpKeepalive.probes }),
          },
        }),
        ...(addressOrder && {
          happyEyeballsConfig: {
            firstAddressFamilyVersion: FIRST_FAMILY[addressOrder.first ?? 'same'],
            ...(addressOrder.count !== undefined && { firstAddressFamilyCount: addressOrder.count }),
          },
        }),
      },
    }),
    ...(sourceAddress !== undefined && {
      upstreamBindConfig: {
        sourceAddress: { address: sourceAddress, portSpecifier: { case: 'portValue', value: 0 } as const },
      },
    }),
  };
}

const FIRST_FAMILY = { same: FirstFamily.DEFAULT, v4: FirstFamily.V4, v6: FirstFamily.V6 } as const;

function commonLbConfig(cluster: ModelCluster, { release }: EncodeForm): ClusterInit {
  const { balance, panicThresholdPercent } = cluster;
  // The release before never panics.
  const panics = panicThresholdPercent !== undefined && (release !== 'before' || panicThresholdPercent !== 0);
  const hashes = balance?.policy === 'ring-hash' || balance?.policy === 'maglev';
  const { useHostname = false, balanceFactorPercent }: HashOptions = hashes ? balance : {};
  const fields = {
    ...(panics && { healthyPanicThreshold: { value: panicThresholdPercent } }),
    ...localities(cluster),
    ...(cluster.pool?.drainsOnSetChange === true && { closeConnectionsOnHostSetChange: true }),
    ...((useHostname || balanceFactorPercent !== undefined) && {
      consistentHashingLbConfig: {
        useHostnameForHashing: useHostname,
        ...(balanceFactorPercent !== undefined && { hashBalanceFactor: balanceFactorPercent }),
      },
    }),
  };
  return Object.keys(fields).length === 0 ? {} : { commonLbConfig: fields };
}

/** One of the two is all that there is room for; a zone-aware one for no request does nothing but what it says of panic. */
function localities(cluster: ModelCluster): Fields<typeof CommonLbConfigSchema> {
  const { localityWeighted = false, failOnPanic: failTrafficOnPanic = false } = cluster;
  if (localityWeighted) return { localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} } };
  const zones = encodeZones(cluster) ?? (failTrafficOnPanic && { routingEnabled: { value: 0 } });
  return zones === false
    ? {}
    : {
        localityConfigSpecifier: { case: 'zoneAwareLbConfig', value: { ...zones, failTrafficOnPanic } },
      };
}

function circuitBreakers({ limits = {}, highLimits }: ModelCluster): Fields<typeof CircuitBreakersSchema> {
  const { retryBudget, maxConnectionsPerEndpoint } = limits;
  const own = {
    ...threshold(limits),
    // The percentage means the same, the rest does not.
    ...(retryBudget && {
      retryBudget: retryBudget.percent === undefined ? {} : { budgetPercent: { value: retryBudget.percent } },
    }),
  };
  return {
    thresholds: [
      ...(Object.keys(own).length === 0 ? [] : [own]),
      ...(highLimits ? [{ priority: RoutingPriority.HIGH, ...threshold(highLimits) }] : []),
    ],
    perHostThresholds:
      maxConnectionsPerEndpoint === undefined ? [] : [{ maxConnections: maxConnectionsPerEndpoint }],
  };
}

function threshold(limits: CircuitLimits): Fields<typeof ThresholdsSchema> {
  const { maxConnections, maxPendingRequests, maxRequests, maxRetries, retryConcurrency: share } = limits;
  return {
    ...(maxConnections !== undefined && { maxConnections }),
    ...(maxPendingRequests !== undefined && { maxPendingRequests }),
    ...(maxRequests !== undefined && { maxRequests }),
    ...(maxRetries !== undefined && { maxRetries }),
    ...(limits.trackRemaining && { trackRemaining: true }),
    ...(share && {
      retryBudget: {
        ...(share.percent !== undefined && { budgetPercent: { value: share.percent } }),
        ...(share.least !== undefined && { minRetryConcurrency: share.least }),
        ...(share.intervalMs !== undefined && { budgetInterval: duration(share.intervalMs) }),
      },
    }),
  };
}

/**
 * Where Tulle goes by a budget over a window, also the one it has by itself, it is told so: Envoy counts retries that are
 * under way. One of the release before has no other way.
 */
function ownBudget({ limits = {} }: ModelCluster, { release }: EncodeForm): object | undefined {
  const { retryBudget: budget, maxRetries, retryConcurrency } = limits;
  if (budget && (budget.minPerSecond !== undefined || budget.intervalMs !== undefined))
    return { minPerSecond: budget.minPerSecond, intervalMs: budget.intervalMs };
  return release === 'before' || (maxRetries ?? retryConcurrency) !== undefined ? undefined : {};
}

function protocolOptions(
  pool: PoolOptions,
  { serverNameFrom: names, hashPolicy = [] }: ModelCluster,
  form: EncodeForm,
): Any {
  const { idleTimeoutMs, maxRequestsPerConnection } = pool;
  const common = {
    ...(idleTimeoutMs !== undefined && { idleTimeout: duration(idleTimeoutMs) }),
    ...(maxRequestsPerConnection !== undefined && { maxRequestsPerConnection }),
  };
  const options = create(HttpProtocolOptionsSchema, {
    ...(Object.keys(common).length > 0 && { commonHttpProtocolOptions: common }),
    ...(names && {
      upstreamHttpProtocolOptions: {
        autoSni: true,
        autoSanValidation: names.verified ?? false,
        overrideAutoSniHeader: names.header ?? '',
      },
    }),
    upstreamProtocolOptions: protocolOf(pool, form),
    hashPolicy: hashPolicy.map(encodeHashPolicy),
  });
  return anyPack(HttpProtocolOptionsSchema, options);
}

/**
 * Envoy refuses to choose by ALPN where some endpoints are reached in clear, and the release before knows no choice:
 * both keep to HTTP/1.1 there, which every endpoint that leaves it to ALPN takes.
 */
function protocolOf(
  { protocol, http2 = {} }: PoolOptions,
  { release, workloadCertificate }: EncodeForm,
): NonNullable<Fields<typeof HttpProtocolOptionsSchema>['upstreamProtocolOptions']> {
  const older = release === 'before';
  const http2ProtocolOptions = older ? {} : encodeHttp2(http2);
  if (protocol === 'auto' && !older && workloadCertificate.kind === 'own')
    return { case: 'autoConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions } };
  if (protocol === 'downstream' && !older)
    return { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions } };
  return {
    case: 'explicitHttpConfig',
    value: {
      protocolConfig:
        protocol === 'http2'
          ? { case: 'http2ProtocolOptions', value: http2ProtocolOptions }
          : { case: 'httpProtocolOptions', value: {} },
    },
  };
}

/** Envoy offers what it is told to, whatever it speaks then; Tulle what it speaks. */
function alpnOf(tls: UpstreamTls, pool: PoolOptions | undefined, form: EncodeForm): UpstreamTls {
  return form.workloadCertificate.kind !== 'own' && tls.alpn === undefined && pool?.protocol === 'http2'
    ? { ...tls, alpn: ['h2'] }
    : tls;
}

/** TLS for every kind of endpoint but those that say they have none. */
function transportSockets(
  { tls, tlsMatches = [], proxyProtocol, proxyHeader, passthrough, pool }: ModelCluster,
  form: EncodeForm,
): ClusterInit {
  const isPlain = (tls ?? proxyProtocol ?? passthrough) === undefined;
  if (isPlain && tlsMatches.length === 0) return {};
  const socket = (
    one: UpstreamTls | undefined,
    version: ProxyProtocolVersion | undefined,
    header: ProxyHeaderOptions | undefined,
    told: Passthrough | undefined,
  ): TransportSocket => {
    const inner = one === undefined ? rawBuffer() : encodeUpstreamTls(alpnOf(one, pool, form), form);
    const outward = version === undefined ? inner : withProxyHeader(inner, version, header);
    return told === undefined ? outward : withPassthrough(outward, told);
  };
  return {
    ...(!isPlain && { transportSocket: socket(tls, proxyProtocol, proxyHeader, passthrough) }),
    transportSocketMatches: [
      { name: 'plain', match: { ...PLAIN_ENDPOINT }, transportSocket: rawBuffer() },
      ...tlsMatches.map((match) => ({
        name: match.name,
        match: canonicalObject(match.labels),
        transportSocket: socket(match.tls, match.proxyProtocol, match.proxyHeader, match.passthrough),
      })),
    ],
  };
}
