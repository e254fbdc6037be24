import type { FilterEntry, TcpHandler, TcpTunnel } from '@tulle/model';
import type { BackoffStrategy } from '@tulle/xds-proto/envoy/config/core/v3/backoff';
import type {
  TcpProxy,
  TcpProxy_TunnelingConfig as TunnelingConfig,
} from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { decodeAccessLogs } from './access-logs.ts';
import type { DecodeContext } from './context.ts';
import { decodeRouteEdits } from './header-edits.ts';
import { decodeTcpLogMoments } from './log-moments.ts';
import { percentValue } from './percent.ts';
import { decodeTcpTlvs } from './proxy-protocol.ts';
import { subsetsOf } from './labels.ts';
import { filled, milliseconds, present } from './values.ts';

/** A chain that ends with TcpProxy. @param path of its configuration */
export function decodeTcpHandler(
  context: DecodeContext,
  proxy: TcpProxy,
  filters: readonly FilterEntry[],
  listenerName: string,
  path: string,
): TcpHandler {
  const { clusterSpecifier: chosen } = proxy;
  if (chosen.case === undefined) context.refuse(path, 'names no cluster: give cluster or weighted_clusters');
  const subsetAt = subsetsOf(context, proxy.metadataMatch);
  const clusters =
    chosen.case === 'cluster'
      ? [present({ name: chosen.value, subset: subsetAt(undefined, path) })]
      : chosen.case === 'weightedClusters'
        ? chosen.value.clusters.map(({ name, weight, metadataMatch }, index) =>
            present({
              name,
              weight: weight === 1 ? undefined : weight,
              subset: subsetAt(metadataMatch, `${path}.weighted_clusters.clusters[${index}]`),
            }),
          )
        : [];
  return present({
    kind: 'tcp' as const,
    statPrefix: proxy.statPrefix === listenerName || proxy.statPrefix === '' ? undefined : proxy.statPrefix,
    clusters,
    filters: filled(filters),
    hash: decodeHash(context, proxy, path),
    // As in Envoy; Tulle's own control plane always says how many (docs/decisions/034).
    maxConnectAttempts: proxy.maxConnectAttempts ?? 1,
    connectBackoff: decodeBackoff(context, proxy.backoffOptions, `${path}.backoff_options`),
    maxDurationMs: milliseconds(proxy.maxDownstreamConnectionDuration),
    maxDurationJitterPercent: percentValue(
      context,
      proxy.maxDownstreamConnectionDurationJitterPercentage,
      `${path}.max_downstream_connection_duration_jitter_percentage`,
    ),
    idleTimeoutMs: milliseconds(proxy.idleTimeout),
    proxyTlvs: decodeTcpTlvs(context, proxy, path),
    tunnel: decodeTunnel(context, proxy.tunnelingConfig, `${path}.tunneling_config`),
    accessLogs: decodeAccessLogs(context, proxy.accessLog, `${path}.access_log`, 'tcp'),
    logMoments: decodeTcpLogMoments(context, proxy, path),
  });
}

function decodeBackoff(
  context: DecodeContext,
  options: BackoffStrategy | undefined,
  path: string,
): TcpHandler['connectBackoff'] {
  if (options === undefined) return undefined;
  const [baseMs = 0, maxMs] = [milliseconds(options.baseInterval), milliseconds(options.maxInterval)];
  if (baseMs < 1) context.refuse(`${path}.base_interval`, 'must be at least 1ms');
  else if (maxMs !== undefined && maxMs < baseMs)
    context.refuse(`${path}.max_interval`, `is ${maxMs}ms: must be at least base_interval, ${baseMs}ms`);
  return present({ baseMs, maxMs });
}

function decodeHash(context: DecodeContext, { hashPolicy }: TcpProxy, path: string): TcpHandler['hash'] {
  for (const [index, { policySpecifier }] of hashPolicy.entries())
    if (policySpecifier.case !== 'sourceIp')
      context.refuse(`${path}.hash_policy[${index}]`, 'must be a source_ip');
  return hashPolicy.length === 0 ? undefined : 'source-ip';
}

function decodeTunnel(
  context: DecodeContext,
  config: TunnelingConfig | undefined,
  path: string,
): TcpTunnel | undefined {
  if (config === undefined) return undefined;
  const { hostname, usePost, postPath, headersToAdd, propagateResponseHeaders, propagateResponseTrailers } =
    config;
  if (hostname === '') context.refuse(`${path}.hostname`, 'is missing');
  if (postPath !== '' && !usePost) context.refuse(`${path}.post_path`, 'must stand with use_post');
  return present({
    authority: hostname,
    post: usePost ? present({ path: postPath === '' ? undefined : postPath }) : undefined,
    headers: decodeRouteEdits(context, headersToAdd, [], `${path}.headers_to_add`),
    keeps: filled([
      ...(propagateResponseHeaders ? ['head' as const] : []),
      ...(propagateResponseTrailers ? ['trailers' as const] : []),
    ]),
  });
}
