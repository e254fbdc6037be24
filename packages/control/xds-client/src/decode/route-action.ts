import { RETRY_FILTER } from '@tulle/model';
import type {
  DirectResponseAction as ModelDirectResponse,
  ForwardAction,
  Mirror,
  RedirectAction as ModelRedirect,
  RetryFilterConfig,
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
import { RoutingPriority } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { DecodeContext } from './context.ts';
import { percentOf } from './percent.ts';
import { decodeOverrides } from './filters.ts';
import { decodeHashPolicies } from './hash-policy.ts';
import { checkEarlyData } from './early-data.ts';
import { decodeEditsOf } from './edits-of.ts';
import { decodeInternalRedirect } from './internal-redirect.ts';
import { subsetsOf } from './labels.ts';
import { decodeFormat } from './local-replies.ts';
import { decodeMutations } from './mutations.ts';
import { decodeRateLimits } from './rate-limit-actions.ts';
import { decodeAttempts, decodeRetry, type OwnRetry } from './retry.ts';
import { decodeRewrite, decodeTarget } from './route-rewrite.ts';
import { decodeUpgrades } from './route-upgrades.ts';
import { filled, milliseconds, present } from './values.ts';

/**
 * A forward action, and what it says about retries, which belongs to the retry slot.
 * @param own what Envoy's words do not say, from the route's metadata
 */
export function decodeForward(
  context: DecodeContext,
  action: RouteAction,
  own: OwnForward,
  path: string,
): { action: ForwardAction; overrides: { [RETRY_FILTER]?: RetryFilterConfig } } {
  const retry = decodeRetry(context, action.retryPolicy, own.retry, `${path}.retry_policy`);
  checkEarlyData(context, action.earlyDataPolicy, `${path}.early_data_policy`);
  return {
    action: present({
      kind: 'forward' as const,
      clusters: decodeClusters(context, action, path),
      clusterHeader:
        action.clusterSpecifier.case === 'clusterHeader'
          ? action.clusterSpecifier.value.toLowerCase()
          : undefined,
      ...decodeSplit(context, action, path),
      requestTimeoutMs: decodeTimeout(action, own),
      maxGrpcTimeoutMs: decodeMaxGrpcTimeout(context, action, path),
      grpcTimeoutOffsetMs: milliseconds(
        action.maxStreamDuration?.grpcTimeoutHeaderOffset ?? action.grpcTimeoutOffset,
      ),
      maxStreamDurationMs: milliseconds(action.maxStreamDuration?.maxStreamDuration),
      ...decodeAttempts(context, action.retryPolicy, `${path}.retry_policy`),
      idleTimeoutMs: milliseconds(action.idleTimeout),
      rewrite: decodeRewrite(context, action, path),
      mirrors: decodeMirrors(context, action.requestMirrorPolicies, path),
      hashPolicy: decodeHashPolicies(context, action.hashPolicy, path),
      clusterNotFoundStatus: decodeNotFound(context, action, path),
      ...decodeUpgrades(context, action, path),
      rateLimits: decodeRateLimits(context, action.rateLimits, `${path}.rate_limits`),
      includeHostRateLimits: action.includeVhRateLimits === true ? true : undefined,
      internalRedirect: decodeInternalRedirect(
        context,
        action.internalRedirectPolicy,
        `${path}.internal_redirect_policy`,
      ),
      circuitPriority: action.priority === RoutingPriority.HIGH ? ('high' as const) : undefined,
    }),
    overrides: retry ? { [RETRY_FILTER]: retry } : {},
  };
}

/** What only Tulle's own control plane says of a forward action. */
export interface OwnForward {
  readonly retry: OwnRetry;
  /** A stream's longest duration is said beside a timeout that holds as well. */
  readonly isBoundTwice: boolean;
}

/** In Envoy `max_stream_duration`, whatever it says, stands in the place of `timeout`, also of the one that nobody wrote. */
function decodeTimeout(
  { timeout, maxStreamDuration }: RouteAction,
  { isBoundTwice }: OwnForward,
): number | undefined {
  return maxStreamDuration === undefined || isBoundTwice ? milliseconds(timeout) : 0;
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
  const subsetAt = subsetsOf(context, metadataMatch);
  if (clusterSpecifier.case === 'cluster')
    return [present({ name: clusterSpecifier.value, subset: subsetAt(undefined, path) })];
  if (clusterSpecifier.case === 'weightedClusters') {
    return clusterSpecifier.value.clusters.map((cluster, index): WeightedCluster => {
      const here = `${path}.weighted_clusters.clusters[${index}]`;
      checkNamed(context, cluster.name, cluster.clusterHeader, 'name', here);
      return present({
        ...(cluster.clusterHeader === ''
          ? { name: cluster.name }
          : { clusterHeader: cluster.clusterHeader.toLowerCase() }),
        weight: cluster.weight === 1 ? undefined : (cluster.weight ?? 0),
        subset: subsetAt(cluster.metadataMatch, here),
        host:
          cluster.hostRewriteSpecifier.case === 'hostRewriteLiteral'
            ? cluster.hostRewriteSpecifier.value
            : undefined,
        ...decodeEditsOf(context, cluster, here),
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

/** A cluster is named here, or by a request field. @param field that names it here */
function checkNamed(
  context: DecodeContext,
  name: string,
  clusterHeader: string,
  field: 'name' | 'cluster',
  path: string,
): void {
  if (name === '' && clusterHeader === '')
    context.refuse(`${path}.${field}`, 'is missing, and so is cluster_header');
  if (name !== '' && clusterHeader !== '')
    context.refuse(`${path}.cluster_header`, `must not stand beside ${field}`);
}

function decodeSplit(
  context: DecodeContext,
  { clusterSpecifier }: RouteAction,
  path: string,
): Pick<ForwardAction, 'splitHeader' | 'splitByHash'> {
  if (clusterSpecifier.case !== 'weightedClusters') return {};
  const { clusters, totalWeight, randomValueSpecifier: random } = clusterSpecifier.value;
  const sum = clusters.reduce((total, { weight = 0 }) => total + weight, 0);
  if (totalWeight !== undefined && totalWeight !== sum)
    context.refuse(
      `${path}.weighted_clusters.total_weight`,
      `is ${totalWeight}, but the weights add up to ${sum}`,
    );
  if (random.case === 'headerName') return { splitHeader: random.value.toLowerCase() };
  return random.case === 'useHashPolicy' && random.value.value ? { splitByHash: true } : {};
}

/** @param path of the message that has them, `''` for a resource */
export function decodeMirrors(
  context: DecodeContext,
  policies: readonly RouteAction_RequestMirrorPolicy[],
  path: string,
): readonly Mirror[] | undefined {
  const base = path === '' ? '' : `${path}.`;
  return filled(
    policies.map((mirror, index) =>
      decodeMirror(context, mirror, `${base}request_mirror_policies[${index}]`),
    ),
  );
}

/** A key of Envoy's runtime names nothing here, so its default holds. */
function decodeMirror(context: DecodeContext, policy: RouteAction_RequestMirrorPolicy, path: string): Mirror {
  const { cluster, clusterHeader, runtimeFraction, disableShadowHostSuffixAppend, traceSampled } = policy;
  const host = policy.hostRewriteLiteral === '' ? undefined : policy.hostRewriteLiteral;
  if (traceSampled === false)
    context.refuse(`${path}.trace_sampled`, 'must be true: a copy says of its trace what its request says');
  checkNamed(context, cluster, clusterHeader, 'cluster', path);
  return present({
    ...(clusterHeader === '' ? { cluster } : { clusterHeader: clusterHeader.toLowerCase() }),
    percent: runtimeFraction && percentOf(runtimeFraction.defaultValue),
    // A host of its own is said as it stands.
    shadowHost: disableShadowHostSuffixAppend || host !== undefined ? undefined : true,
    host,
    edits: filled(
      decodeMutations(context, policy.requestHeadersMutations, `${path}.request_headers_mutations`),
    ),
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

const STATUSES: ReadonlyMap<number, 301 | 302 | 303 | 307 | 308> = new Map([
  [RedirectCode.MOVED_PERMANENTLY, 301],
  [RedirectCode.FOUND, 302],
  [RedirectCode.SEE_OTHER, 303],
  [RedirectCode.TEMPORARY_REDIRECT, 307],
  [RedirectCode.PERMANENT_REDIRECT, 308],
]);

/** @param port `derived` where the route's metadata says that it is found as Tulle does */
export function decodeRedirect(
  context: DecodeContext,
  action: RedirectAction,
  port: string | undefined,
  path: string,
): ModelRedirect {
  const status = STATUSES.get(action.responseCode);
  if (!status)
    context.refuse(`${path}.response_code`, `must be one of Envoy's, but is ${action.responseCode}`);
  return present({
    kind: 'redirect' as const,
    scheme: decodeScheme(context, action, path),
    host: action.hostRedirect === '' ? undefined : action.hostRedirect,
    port:
      action.portRedirect === 0 ? (port === 'derived' ? undefined : ('asked' as const)) : action.portRedirect,
    path: decodeTarget(action),
    stripQuery: action.stripQuery ? true : undefined,
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

function decodeUtf8(context: DecodeContext, bytes: Uint8Array, path: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    context.refuse(path, 'must be UTF-8 text');
    return undefined;
  }
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
  if (body?.case === 'filename' || body?.case === 'environmentVariable')
    context.refuse(
      `${path}.body`,
      'must be an inline_string or inline_bytes: what lies on this machine is not for its control plane to show',
    );
  else if (body && body.case !== 'inlineString' && body.case !== 'inlineBytes')
    context.refuse(`${path}.body`, 'must be an inline_string or inline_bytes');
  return present({
    kind: 'direct' as const,
    status: action.status,
    body:
      body?.case === 'inlineString'
        ? body.value
        : body?.case === 'inlineBytes'
          ? decodeUtf8(context, body.value, `${path}.body.inline_bytes`)
          : undefined,
    format: decodeFormat(context, action.bodyFormat, `${path}.body_format`),
    code,
  });
}
