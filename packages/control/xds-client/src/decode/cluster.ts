import { isMessage } from '@bufbuild/protobuf';
import type {
  CircuitLimits,
  Cluster as ModelCluster,
  ClusterDiscovery,
  OutlierDetection,
  PoolOptions,
  RetryBudget,
  UpstreamTls,
} from '@tulle/model';
import {
  type Cluster,
  Cluster_DiscoveryType as DiscoveryType,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import type { OutlierDetection as EnvoyOutlier } from '@tulle/xds-proto/envoy/config/cluster/v3/outlier_detection';
import {
  type HttpProtocolOptions,
  HttpProtocolOptionsSchema,
} from '@tulle/xds-proto/envoy/extensions/upstreams/http/v3/http_protocol_options';
import { RoutingPriority } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { TLS_DISABLED, TLS_MODE } from '../wire.ts';
import { decodeBalance } from './balance.ts';
import { checkSource } from './config-source.ts';
import type { DecodeContext } from './context.ts';
import { decodeAssignment } from './endpoints.ts';
import { decodeHttp2 } from './http2.ts';
import { decodeHealthCheck } from './health-check.ts';
import { type Extras, readExtras, readObject, readTexts } from './extras.ts';
import { decodeUpstreamTls } from './tls.ts';
import { milliseconds, present } from './values.ts';

const METADATA = 'metadata["tulle.dev"]';
const HTTP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

export function decodeCluster(context: DecodeContext, cluster: Cluster): ModelCluster {
  const extras = readExtras(context, cluster.metadata, '');
  const decoded: ModelCluster = present({
    name: cluster.name,
    discovery: decodeDiscovery(context, cluster),
    balance: decodeBalance(context, cluster),
    panicThresholdPercent: cluster.commonLbConfig?.healthyPanicThreshold?.value,
    localityWeighted:
      cluster.commonLbConfig?.localityConfigSpecifier.case === 'localityWeightedLbConfig' ? true : undefined,
    connectTimeoutMs: milliseconds(cluster.connectTimeout),
    limits: decodeLimits(context, cluster, extras),
    healthCheck: decodeHealthCheck(context, cluster.healthChecks),
    outlier: decodeOutlier(context, cluster.outlierDetection, extras),
    tls: decodeTls(context, cluster),
    pool: decodePool(context, cluster, extras),
    labels: readTexts(context, extras.object('labels'), `${METADATA}.labels`),
  });
  extras.end();
  return decoded;
}

function decodeDiscovery(context: DecodeContext, cluster: Cluster): ClusterDiscovery {
  const kind = cluster.clusterDiscoveryType;
  const type = kind.case === 'type' ? kind.value : DiscoveryType.STATIC; // a cluster_type is reported by the field walk
  const endpoints = cluster.loadAssignment
    ? decodeAssignment(context, cluster.loadAssignment, 'load_assignment')
    : [];
  switch (type) {
    case DiscoveryType.STATIC:
      return { kind: 'static', endpoints };
    case DiscoveryType.EDS: {
      checkSource(context, cluster.edsClusterConfig?.edsConfig, 'eds_cluster_config.eds_config');
      if (cluster.loadAssignment)
        context.refuse('load_assignment', 'must not be set on a cluster of type EDS');
      const serviceName = cluster.edsClusterConfig?.serviceName ?? '';
      return serviceName === '' ? { kind: 'eds' } : { kind: 'eds', serviceName };
    }
    case DiscoveryType.STRICT_DNS:
    case DiscoveryType.LOGICAL_DNS:
      return present({
        kind: 'dns' as const,
        endpoints,
        use: type === DiscoveryType.STRICT_DNS ? ('all' as const) : ('first' as const),
        refreshMs: milliseconds(cluster.dnsRefreshRate),
      });
    default:
      context.refuse('type', 'must be STATIC, EDS, STRICT_DNS or LOGICAL_DNS');
      return { kind: 'static', endpoints: [] };
  }
}

function decodeLimits(
  context: DecodeContext,
  { circuitBreakers }: Cluster,
  extras: Extras,
): CircuitLimits | undefined {
  const floor = extras.object('retryBudget');
  if (!circuitBreakers) return undefined;
  const { thresholds } = circuitBreakers;
  for (const [index, { priority }] of thresholds.entries()) {
    if (priority !== RoutingPriority.DEFAULT || index > 0) {
      context.refuse(
        `circuit_breakers.thresholds[${index}]`,
        'must be the only one, for priority DEFAULT; this proxy has one priority',
      );
    }
  }
  const [limits] = thresholds;
  if (!limits) return {};
  const { maxConnections, maxPendingRequests, maxRequests, retryBudget } = limits;
  return present({
    maxConnections,
    maxPendingRequests,
    maxRequests,
    retryBudget: retryBudget && decodeBudget(context, retryBudget.budgetPercent?.value, floor),
  });
}

function decodeBudget(
  context: DecodeContext,
  percent: number | undefined,
  floor: Readonly<Record<string, unknown>> | undefined,
): RetryBudget {
  const read = readObject(context, floor ?? {}, `${METADATA}.retryBudget`);
  const budget: RetryBudget = present({
    percent,
    minPerSecond: read.number('minPerSecond'),
    intervalMs: read.number('intervalMs'),
  });
  read.end();
  return budget;
}

function decodeOutlier(
  context: DecodeContext,
  outlier: EnvoyOutlier | undefined,
  extras: Extras,
): OutlierDetection | undefined {
  const exact = extras.object('successRate');
  if (!outlier) return undefined;
  const path = 'outlier_detection';
  for (const [field, value] of [
    ['enforcing_consecutive_5xx', outlier.enforcingConsecutive5xx],
    ['enforcing_failure_percentage', outlier.enforcingFailurePercentage],
  ] as const) {
    if (value !== undefined && value !== 0 && value !== 100)
      context.refuse(`${path}.${field}`, `must be 0 or 100, but is ${value}`);
  }
  if ((outlier.enforcingSuccessRate ?? 0) !== 0)
    context.refuse(`${path}.enforcing_success_rate`, 'must be 0; this proxy has no rule by deviation');
  return present({
    consecutiveFailures: outlier.enforcingConsecutive5xx === 0 ? 0 : outlier.consecutive5xx,
    successRate: decodeSuccessRate(context, outlier, exact),
    intervalMs: milliseconds(outlier.interval),
    baseEjectionMs: milliseconds(outlier.baseEjectionTime),
    maxEjectionMs: milliseconds(outlier.maxEjectionTime),
    maxEjectionPercent: outlier.maxEjectionPercent,
  });
}

/** The exact figures where the control plane gave them, else Envoy's failure percentage with Envoy's defaults. */
function decodeSuccessRate(
  context: DecodeContext,
  outlier: EnvoyOutlier,
  exact: Readonly<Record<string, unknown>> | undefined,
): OutlierDetection['successRate'] | undefined {
  if (exact) {
    const read = readObject(context, exact, `${METADATA}.successRate`);
    const rate = {
      belowPercent: read.number('belowPercent') ?? 0,
      windowMs: read.number('windowMs') ?? 0,
      minimumRequests: read.number('minimumRequests') ?? 0,
    };
    read.end();
    return rate;
  }
  if ((outlier.enforcingFailurePercentage ?? 0) === 0) return undefined;
  return {
    belowPercent: 100 - (outlier.failurePercentageThreshold ?? 85),
    windowMs: milliseconds(outlier.interval) ?? 10_000,
    minimumRequests: outlier.failurePercentageRequestVolume ?? 50,
  };
}

function decodePool(
  context: DecodeContext,
  { typedExtensionProtocolOptions: options }: Cluster,
  extras: Extras,
): PoolOptions | undefined {
  const maxIdlePerEndpoint = extras.number('maxIdlePerEndpoint');
  let pool: PoolOptions | undefined;
  for (const [key, any] of Object.entries(options)) {
    const path = `typed_extension_protocol_options[${JSON.stringify(key)}]`;
    if (key !== HTTP_PROTOCOL_OPTIONS) {
      context.refuse(path, `is not known; this proxy reads ${HTTP_PROTOCOL_OPTIONS}`);
      continue;
    }
    const message = context.open(any, path);
    if (!message) continue;
    if (!isMessage(message, HttpProtocolOptionsSchema)) {
      context.refuse(path, `must be a ${HTTP_PROTOCOL_OPTIONS}`);
      continue;
    }
    const { commonHttpProtocolOptions: common, upstreamProtocolOptions: chosen } = message;
    if (common?.maxHeadersCount !== undefined)
      context.refuse(
        `${path}.common_http_protocol_options.max_headers_count`,
        'is honoured for listeners only',
      );
    const protocol = decodeProtocol(context, chosen, path);
    if (protocol === undefined)
      context.refuse(path, 'names no protocol: give explicit_http_config or auto_config');
    pool = present({
      idleTimeoutMs: milliseconds(common?.idleTimeout),
      maxRequestsPerConnection: common?.maxRequestsPerConnection,
      ...protocol,
    });
  }
  return maxIdlePerEndpoint === undefined ? pool : { ...pool, maxIdlePerEndpoint };
}

/** @returns `undefined` where none is named that this proxy speaks */
function decodeProtocol(
  context: DecodeContext,
  chosen: HttpProtocolOptions['upstreamProtocolOptions'],
  path: string,
): Pick<PoolOptions, 'protocol' | 'http2'> | undefined {
  if (chosen.case === 'autoConfig') {
    const http2 = decodeHttp2(
      context,
      chosen.value.http2ProtocolOptions,
      `${path}.auto_config.http2_protocol_options`,
    );
    return { protocol: 'auto', ...(http2 && { http2 }) };
  }
  const explicit = chosen.case === 'explicitHttpConfig' ? chosen.value.protocolConfig : undefined;
  if (explicit?.case === 'httpProtocolOptions') return {};
  if (explicit?.case !== 'http2ProtocolOptions') return undefined;
  const http2 = decodeHttp2(context, explicit.value, `${path}.explicit_http_config.http2_protocol_options`);
  return { protocol: 'http2', ...(http2 && { http2 }) };
}

/** One TLS context, and at most the way to switch it off for single endpoints. */
function decodeTls(context: DecodeContext, cluster: Cluster): UpstreamTls | undefined {
  const tls = decodeUpstreamTls(context, cluster.transportSocket, 'transport_socket');
  for (const [index, { match, transportSocket }] of cluster.transportSocketMatches.entries()) {
    const path = `transport_socket_matches[${index}]`;
    const plain = decodeUpstreamTls(context, transportSocket, `${path}.transport_socket`) === undefined;
    const switchedOff =
      match !== undefined && Object.keys(match).length === 1 && match[TLS_MODE] === TLS_DISABLED;
    if (!plain || !switchedOff || index > 0)
      context.refuse(path, `must be the only one: a raw buffer for ${TLS_MODE}: ${TLS_DISABLED}`);
  }
  return tls;
}
