import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type {
  Mirror,
  DirectResponseAction as ModelDirectResponse,
  FilterConfigs,
  ForwardAction,
  PathMatch,
  RedirectAction as ModelRedirect,
  Rewrite,
  Route,
  WeightedCluster,
} from '@tulle/model';
import { RETRY_FILTER } from '@tulle/model';
import {
  type DirectResponseAction,
  DirectResponseActionSchema,
  type RedirectAction,
  RedirectAction_RedirectResponseCode as RedirectCode,
  RedirectActionSchema,
  type RouteAction,
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  RouteActionSchema,
  type RouteAction_RequestMirrorPolicySchema as MirrorSchema,
  type WeightedCluster_ClusterWeightSchema as ClusterWeightSchema,
  WeightedClusterSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { RoutingPriority } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { LB_METADATA } from '../wire.ts';
import { share } from './percent.ts';
import { UriTemplateRewriteConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite';
import { encodeOverrides } from './filters.ts';
import type { EncodeForm } from './form.ts';
import { encodeEditsOf } from './header-edits.ts';
import { encodeFormat } from './local-replies.ts';
import { encodeRateLimits } from './rate-limit-actions.ts';
import { encodeHashPolicy } from './hash-policy.ts';
import { encodeRegexRewrite } from './regex-rewrite.ts';
import { encodeUpgrades } from './route-upgrades.ts';
import { refuseNotSent, refuseNotSentOfMirror } from './not-sent.ts';
import { encodeRetry, encodeRetryPolicy } from './retry.ts';
import { duration, type Fields, metadata } from './values.ts';

/** The whole path, for the rewrite of a full path. */
export const WHOLE_PATH = '^/.*$';

/** The retry slot, when its override of this route travels as `RouteAction.retry_policy`. */
export function overrideInRetryPolicy({ action, filterConfigs }: Route): readonly string[] {
  return action.kind === 'forward' && encodeRetry(filterConfigs?.[RETRY_FILTER]) !== undefined
    ? [RETRY_FILTER]
    : [];
}

const NOT_FOUND = {
  404: NotFoundCode.NOT_FOUND,
  500: NotFoundCode.INTERNAL_SERVER_ERROR,
  503: NotFoundCode.SERVICE_UNAVAILABLE,
} as const;

/** @param match of the route's path */
export function encodeForward(
  action: ForwardAction,
  match: PathMatch,
  overrides: FilterConfigs | undefined,
  form: EncodeForm,
): RouteAction {
  refuseNotSent(action);
  const retry = overrides?.[RETRY_FILTER];
  const retryPolicy = encodeRetryPolicy(encodeRetry(retry) === undefined ? undefined : retry, action);
  return create(RouteActionSchema, {
    clusterSpecifier: clusterSpecifier(action, form),
    ...subsetOfOnly(action),
    ...(action.requestTimeoutMs !== undefined && { timeout: duration(action.requestTimeoutMs) }),
    ...(hasDuration(action) && {
      maxStreamDuration: {
        ...(action.maxGrpcTimeoutMs !== undefined && {
          grpcTimeoutHeaderMax: duration(action.maxGrpcTimeoutMs),
        }),
        ...(action.grpcTimeoutOffsetMs !== undefined && {
          grpcTimeoutHeaderOffset: duration(action.grpcTimeoutOffsetMs),
        }),
        ...(action.maxStreamDurationMs !== undefined && {
          maxStreamDuration: duration(action.maxStreamDurationMs),
        }),
      },
    }),
    rateLimits: encodeRateLimits(action.rateLimits),
    ...(action.includeHostRateLimits === true && { includeVhRateLimits: true }),
    ...(action.idleTimeoutMs !== undefined && { idleTimeout: duration(action.idleTimeoutMs) }),
    ...(retryPolicy && { retryPolicy }),
    ...rewrite(action.rewrite, match),
    upgradeConfigs: encodeUpgrades(action),
    requestMirrorPolicies: (action.mirrors ?? []).map(encodeMirror),
    priority: action.circuitPriority === 'high' ? RoutingPriority.HIGH : RoutingPriority.DEFAULT,
    hashPolicy: (action.hashPolicy ?? []).map(encodeHashPolicy),
    clusterNotFoundResponseCode: NOT_FOUND[action.clusterNotFoundStatus ?? 503],
  });
}

function encodeMirror(mirror: Mirror): Fields<typeof MirrorSchema> {
  refuseNotSentOfMirror(mirror);
  const { cluster = '', clusterHeader = '', percent, shadowHost = false } = mirror;
  return {
    cluster,
    clusterHeader,
    ...(percent !== undefined && { runtimeFraction: { defaultValue: share(percent) } }),
    disableShadowHostSuffixAppend: !shadowHost,
  };
}

/** Whether a route says how long streams may last. */
function hasDuration({ maxGrpcTimeoutMs, maxStreamDurationMs, grpcTimeoutOffsetMs }: ForwardAction): boolean {
  return [maxGrpcTimeoutMs, maxStreamDurationMs, grpcTimeoutOffsetMs].some((one) => one !== undefined);
}

/** Whether a timeout holds beside what Envoy takes in its place. */
export function isBoundTwice(action: ForwardAction): boolean {
  return hasDuration(action) && action.requestTimeoutMs !== 0;
}

function clusterSpecifier(
  { clusters, splitHeader, clusterHeader }: ForwardAction,
  form: EncodeForm,
): RouteAction['clusterSpecifier'] {
  if (clusterHeader !== undefined) return { case: 'clusterHeader', value: clusterHeader };
  const [only, ...more] = clusters;
  if (only && more.length === 0 && isPlain(only) && splitHeader === undefined)
    return { case: 'cluster', value: only.name ?? '' };
  return {
    case: 'weightedClusters',
    value: create(WeightedClusterSchema, {
      clusters: clusters.map((cluster) => clusterWeight(cluster, form)),
      ...(splitHeader !== undefined && {
        randomValueSpecifier: { case: 'headerName', value: splitHeader } as const,
      }),
    }),
  };
}

/** Labels asked for where one cluster stands by its name alone. */
function subsetOfOnly({ clusters, splitHeader }: ForwardAction): Fields<typeof RouteActionSchema> {
  const [only, ...more] = clusters;
  const alone = only && more.length === 0 && isPlain(only) && splitHeader === undefined;
  const match = alone ? metadata({ [LB_METADATA]: only.subset }) : undefined;
  return match ? { metadataMatch: match } : {};
}

function isPlain(share: WeightedCluster): boolean {
  const { clusterHeader, weight, host, requestHeaders, responseHeaders, filterConfigs } = share;
  return (
    clusterHeader === undefined &&
    (weight ?? 1) === 1 &&
    host === undefined &&
    requestHeaders === undefined &&
    responseHeaders === undefined &&
    filterConfigs === undefined
  );
}

function clusterWeight(cluster: WeightedCluster, form: EncodeForm): Fields<typeof ClusterWeightSchema> {
  const match = metadata({ [LB_METADATA]: cluster.subset });
  return {
    name: cluster.name ?? '',
    clusterHeader: cluster.clusterHeader ?? '',
    weight: cluster.weight ?? 1,
    ...(match && { metadataMatch: match }),
    ...(cluster.host !== undefined && {
      hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: cluster.host } as const,
    }),
    ...encodeEditsOf(cluster, form.release),
    typedPerFilterConfig: encodeOverrides(cluster.filterConfigs, form),
  };
}

function hostSpecifier({ host, hostFrom }: Rewrite): Fields<typeof RouteActionSchema> {
  if (host !== undefined) return { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: host } };
  if (hostFrom === undefined) return {};
  if (hostFrom.kind === 'endpoint')
    return { hostRewriteSpecifier: { case: 'autoHostRewrite', value: { value: true } } };
  if (hostFrom.kind === 'format')
    return { hostRewriteSpecifier: { case: 'hostRewrite', value: hostFrom.value } };
  return {
    hostRewriteSpecifier:
      hostFrom.kind === 'header'
        ? { case: 'hostRewriteHeader', value: hostFrom.name }
        : { case: 'hostRewritePathRegex', value: encodeRegexRewrite(hostFrom) },
  };
}

function rewrite(rewritten: Rewrite | undefined, match: PathMatch): Fields<typeof RouteActionSchema> {
  const path = rewritten?.path;
  return {
    ...(rewritten && hostSpecifier(rewritten)),
    ...(rewritten?.forwardHost === true && { appendXForwardedHost: true }),
    ...(path?.kind === 'regex' && { regexRewrite: encodeRegexRewrite(path) }),
    ...(path?.kind === 'format' && { pathRewrite: path.value }),
    ...(path?.kind === 'template' && {
      pathRewritePolicy: {
        name: 'envoy.path.rewrite.uri_template.uri_template_rewriter',
        typedConfig: anyPack(
          UriTemplateRewriteConfigSchema,
          create(UriTemplateRewriteConfigSchema, { pathTemplateRewrite: path.value }),
        ),
      },
    }),
    // '' would be no rewrite at all; taking a prefix away leaves a path that begins with a slash.
    ...(path?.kind === 'prefix' && { prefixRewrite: inPlaceOf(match, path.value) || '/' }),
    ...(path?.kind === 'full' && {
      regexRewrite: { pattern: { regex: WHOLE_PATH }, substitution: path.value.replaceAll('\\', '\\\\') },
    }),
  };
}

/**
 * What takes the place of a prefix. Envoy writes `prefix` of the root, the only one of segments that ends with a slash, as bytes: what
 * takes its place ends with one too.
 */
function inPlaceOf({ kind, value }: PathMatch, put: string): string {
  return kind === 'prefix' && value === '/' && put !== '' && !put.endsWith('/') ? `${put}/` : put;
}

const CODES = {
  301: RedirectCode.MOVED_PERMANENTLY,
  302: RedirectCode.FOUND,
  303: RedirectCode.SEE_OTHER,
  307: RedirectCode.TEMPORARY_REDIRECT,
  308: RedirectCode.PERMANENT_REDIRECT,
} as const;

/** @param match of the route's path */
export function encodeRedirect(action: ModelRedirect, match: PathMatch): RedirectAction {
  const { path } = action;
  return create(RedirectActionSchema, {
    ...(action.scheme !== undefined && {
      schemeRewriteSpecifier: { case: 'schemeRedirect', value: action.scheme } as const,
    }),
    ...(action.host !== undefined && { hostRedirect: action.host }),
    ...(typeof action.port === 'number' && { portRedirect: action.port }),
    stripQuery: action.stripQuery ?? false,
    ...(path && {
      pathRewriteSpecifier:
        path.kind === 'regex'
          ? ({ case: 'regexRewrite', value: encodeRegexRewrite(path) } as const)
          : path.kind === 'format'
            ? ({ case: 'pathRewrite', value: path.value } as const)
            : path.kind === 'full'
              ? ({ case: 'pathRedirect', value: path.value } as const)
              : ({ case: 'prefixRewrite', value: inPlaceOf(match, path.value) } as const),
    }),
    responseCode: CODES[action.status ?? 302],
  });
}

export function encodeDirectResponse(action: ModelDirectResponse): DirectResponseAction {
  return create(DirectResponseActionSchema, {
    status: action.status,
    ...(action.body !== undefined && {
      body: { specifier: { case: 'inlineString', value: action.body } as const },
    }),
    ...(action.format && { bodyFormat: encodeFormat(action.format) }),
  });
}
