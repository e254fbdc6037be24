import { RETRY_FILTER } from '@tulle/model';
import type {
  DirectResponseAction as ModelDirectResponse,
  ForwardAction,
  Mirror,
  RedirectAction as ModelRedirect,
  RetryFilterConfig,
  Rewrite,
  WeightedCluster,
} from '@tulle/model';
import {
  type DirectResponseAction,
  type RedirectAction,
  RedirectAction_RedirectResponseCode as RedirectCode,
  type RouteAction,
  type RouteAction_RequestMirrorPolicy,
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { Metadata } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { LB_METADATA, WHOLE_PATH } from '../wire.ts';
import type { DecodeContext } from './context.ts';
import { percentOf } from './fault.ts';
import { decodeOverrides } from './filters.ts';
import { decodeHashPolicies } from './hash-policy.ts';
import { decodeHeaderEdits } from './header-edits.ts';
import { decodeLabels } from './labels.ts';
import { decodeRateLimits } from './rate-limit-actions.ts';
import { decodeRetry } from './retry.ts';
import { filled, milliseconds, namespaceOf, present } from './values.ts';

/** A forward action, and what it says about retries, which belongs to the retry slot. */
export function decodeForward(
  context: DecodeContext,
  action: RouteAction,
  path: string,
): { action: ForwardAction; overrides: { [RETRY_FILTER]?: RetryFilterConfig } } {
  const retry = decodeRetry(context, action.retryPolicy, `${path}.retry_policy`);
  return {
    action: present({
      kind: 'forward' as const,
      clusters: decodeClusters(context, action, path),
      requestTimeoutMs: milliseconds(action.timeout),
      maxGrpcTimeoutMs: decodeMaxGrpcTimeout(context, action, path),
      perTryTimeoutMs: milliseconds(action.retryPolicy?.perTryTimeout),
      idleTimeoutMs: milliseconds(action.idleTimeout),
      rewrite: decodeRewrite(context, action, path),
      mirrors: filled(
        action.requestMirrorPolicies.map((mirror, index) =>
          decodeMirror(context, mirror, `${path}.request_mirror_policies[${index}]`),
        ),
      ),
      hashPolicy: decodeHashPolicies(context, action.hashPolicy, path),
      clusterNotFoundStatus: decodeNotFound(context, action, path),
      allowUpgrades: decodeUpgrades(context, action, path),
      rateLimits: decodeRateLimits(context, action.rateLimits, `${path}.rate_limits`),
      includeHostRateLimits: action.includeVhRateLimits === true ? true : undefined,
    }),
    overrides: retry ? { [RETRY_FILTER]: retry } : {},
  };
}

/**
 * `max_grpc_timeout` is the older form, which Istio sends with `timeout` for its value. There it takes the place of the route's
 * timeout for gRPC calls, here it only caps what callers ask for: the same where the two are equal, or `timeout` is off.
 */
function decodeMaxGrpcTimeout(
  context: DecodeContext,
  { maxStreamDuration, maxGrpcTimeout, timeout }: RouteAction,
  path: string,
): number | undefined {
  const max = milliseconds(maxStreamDuration?.grpcTimeoutHeaderMax);
  const older = milliseconds(maxGrpcTimeout);
  if (older === undefined) return max;
  const route = milliseconds(timeout);
  if (route !== older && route !== 0)
    context.refuse(`${path}.max_grpc_timeout`, 'must be equal to timeout, unless that is 0');
  if (max === undefined || max === 0) return older === 0 ? max : older;
  return older === 0 ? max : Math.min(max, older);
}

function decodeClusters(
  context: DecodeContext,
  { clusterSpecifier, metadataMatch }: RouteAction,
  path: string,
): WeightedCluster[] {
  const common = namespaceOf(metadataMatch, LB_METADATA);
  const subsetAt = (own: Metadata | undefined, here: string): WeightedCluster['subset'] =>
    decodeLabels(
      context,
      { ...common, ...namespaceOf(own, LB_METADATA) },
      `${here}.metadata_match["${LB_METADATA}"]`,
    );
  if (clusterSpecifier.case === 'cluster')
    return [present({ name: clusterSpecifier.value, subset: subsetAt(undefined, path) })];
  if (clusterSpecifier.case === 'weightedClusters') {
    return clusterSpecifier.value.clusters.map((cluster, index): WeightedCluster => {
      const here = `${path}.weighted_clusters.clusters[${index}]`;
      if (cluster.name === '') context.refuse(`${here}.name`, 'is missing');
      return present({
        name: cluster.name,
        weight: cluster.weight === 1 ? undefined : (cluster.weight ?? 0),
        subset: subsetAt(cluster.metadataMatch, here),
        requestHeaders: decodeHeaderEdits(
          context,
          cluster.requestHeadersToAdd,
          cluster.requestHeadersToRemove,
          `${here}.request_headers_to_add`,
        ),
        responseHeaders: decodeHeaderEdits(
          context,
          cluster.responseHeadersToAdd,
          cluster.responseHeadersToRemove,
          `${here}.response_headers_to_add`,
        ),
        filterConfigs: decodeOverrides(
          context,
          cluster.typedPerFilterConfig,
          `${here}.typed_per_filter_config`,
        ),
      });
    });
  }
  if (clusterSpecifier.case === undefined)
    context.refuse(path, 'names no cluster: give cluster or weighted_clusters');
  return []; // other specifiers are reported by the field walk
}

/** A key of Envoy's runtime names nothing here, so its default holds. */
function decodeMirror(
  context: DecodeContext,
  { cluster, runtimeFraction, disableShadowHostSuffixAppend }: RouteAction_RequestMirrorPolicy,
  path: string,
): Mirror {
  if (cluster === '') context.refuse(`${path}.cluster`, 'is missing');
  return present({
    cluster,
    percent: runtimeFraction && percentOf(runtimeFraction.defaultValue),
    shadowHost: disableShadowHostSuffixAppend ? undefined : true,
  });
}

function decodeNotFound(
  context: DecodeContext,
  { clusterNotFoundResponseCode: code }: RouteAction,
  path: string,
): ForwardAction['clusterNotFoundStatus'] {
  switch (code) {
    case NotFoundCode.SERVICE_UNAVAILABLE:
      return undefined;
    case NotFoundCode.NOT_FOUND:
      return 404;
    case NotFoundCode.INTERNAL_SERVER_ERROR:
      return 500;
    default:
      context.refuse(`${path}.cluster_not_found_response_code`, `${String(code)} is not honoured`);
      return undefined;
  }
}

function decodeRewrite(context: DecodeContext, action: RouteAction, path: string): Rewrite | undefined {
  const host =
    action.hostRewriteSpecifier.case === 'hostRewriteLiteral' ? action.hostRewriteSpecifier.value : undefined;
  let newPath: Rewrite['path'];
  if (action.prefixRewrite !== '') newPath = { kind: 'prefix', value: action.prefixRewrite };
  if (action.regexRewrite) {
    const { pattern, substitution } = action.regexRewrite;
    if (newPath) context.refuse(`${path}.regex_rewrite`, 'must not stand beside prefix_rewrite');
    if (pattern?.regex !== WHOLE_PATH)
      context.refuse(
        `${path}.regex_rewrite.pattern.regex`,
        `must be ${WHOLE_PATH}, which replaces the whole path`,
      );
    const value = substitution.replaceAll('\\\\', '\u0000');
    if (value.includes('\\'))
      context.refuse(`${path}.regex_rewrite.substitution`, 'must not refer to groups');
    newPath = { kind: 'full', value: value.replaceAll('\u0000', '\\') };
  }
  return host === undefined && !newPath ? undefined : present({ host, path: newPath });
}

function decodeUpgrades(
  context: DecodeContext,
  { upgradeConfigs }: RouteAction,
  path: string,
): readonly string[] | undefined {
  if (upgradeConfigs.length === 0) return undefined;
  const allowed: string[] = [];
  for (const [index, { upgradeType, enabled }] of upgradeConfigs.entries()) {
    if (upgradeType.toUpperCase() === 'CONNECT')
      context.refuse(`${path}.upgrade_configs[${index}]`, 'CONNECT can only be allowed by the listener');
    else if (enabled !== false) allowed.push(upgradeType.toLowerCase());
  }
  return allowed;
}

const STATUSES: ReadonlyMap<number, 301 | 302 | 303 | 307 | 308> = new Map([
  [RedirectCode.MOVED_PERMANENTLY, 301],
  [RedirectCode.FOUND, 302],
  [RedirectCode.SEE_OTHER, 303],
  [RedirectCode.TEMPORARY_REDIRECT, 307],
  [RedirectCode.PERMANENT_REDIRECT, 308],
]);

export function decodeRedirect(context: DecodeContext, action: RedirectAction, path: string): ModelRedirect {
  const status = STATUSES.get(action.responseCode);
  if (!status)
    context.refuse(`${path}.response_code`, `must be one of Envoy's, but is ${action.responseCode}`);
  const target = action.pathRewriteSpecifier;
  return present({
    kind: 'redirect' as const,
    scheme: decodeScheme(context, action, path),
    host: action.hostRedirect === '' ? undefined : action.hostRedirect,
    port: action.portRedirect === 0 ? undefined : action.portRedirect,
    path:
      target.case === 'pathRedirect'
        ? { kind: 'full' as const, value: target.value }
        : target.case === 'prefixRewrite'
          ? { kind: 'prefix' as const, value: target.value }
          : undefined,
    status: status === 302 ? undefined : status,
  });
}

function decodeScheme(
  context: DecodeContext,
  { schemeRewriteSpecifier: specifier }: RedirectAction,
  path: string,
): 'http' | 'https' | undefined {
  if (specifier.case === 'httpsRedirect') return specifier.value ? 'https' : undefined;
  if (specifier.case === undefined) return undefined;
  const scheme = specifier.value.toLowerCase();
  if (scheme === 'http' || scheme === 'https') return scheme;
  context.refuse(`${path}.scheme_redirect`, `must be http or https, but is "${specifier.value}"`);
  return undefined;
}

/** @param code from the route's metadata */
export function decodeDirectResponse(
  context: DecodeContext,
  action: DirectResponseAction,
  code: string | undefined,
  path: string,
): ModelDirectResponse {
  if (action.status < 200 || action.status > 599)
    context.refuse(`${path}.status`, `must be 200 to 599, but is ${action.status}`);
  const body = action.body?.specifier;
  if (body && body.case !== 'inlineString') context.refuse(`${path}.body`, 'must be an inline_string');
  return present({
    kind: 'direct' as const,
    status: action.status,
    body: body?.case === 'inlineString' ? body.value : undefined,
    code,
  });
}
