import { create } from '@bufbuild/protobuf';
import {
  GRPC_HTTP_STATUSES,
  type FaultFilterConfig,
  type FaultOverride,
  type FaultShare,
  type ValueMatch,
} from '@tulle/model';
import {
  type HTTPFault,
  HTTPFaultSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import type { FractionalPercent } from '@tulle/xds-proto/envoy/type/v3/percent';
import { encodeHeaderMatch } from './matchers.ts';
import { share, shareOf } from './percent.ts';
import { hasOnly, isCondition, isFilledList, isInteger, isObject, isPercent, isText } from './shape.ts';
import { canonicalObject, duration } from './values.ts';

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeFault(config: unknown): HTTPFault | undefined {
  if (!isFault(config)) return undefined;
  const { delay, abort, responseRate, byHeader = {}, headers, match = [], cluster, nodes } = config;
  return create(HTTPFaultSchema, {
    ...(delay && {
      delay: {
        faultDelaySecifier: { case: 'fixedDelay', value: duration(delay.durationMs) },
        percentage: share(delay.percent),
      },
    }),
    ...(byHeader.delay && {
      delay: {
        faultDelaySecifier: { case: 'headerDelay', value: {} },
        percentage: asked(byHeader.delay),
      },
    }),
    ...(abort && {
      abort: {
        errorType:
          abort.grpcStatus === undefined
            ? { case: 'httpStatus', value: abort.status }
            : { case: 'grpcStatus', value: abort.grpcStatus },
        percentage: share(abort.percent),
        responseBody: abort.body ?? '',
      },
    }),
    ...(byHeader.abort && {
      abort: {
        errorType: { case: 'headerAbort', value: {} },
        percentage: asked(byHeader.abort),
        responseBody: byHeader.abort.body ?? '',
      },
    }),
    ...(responseRate && {
      responseRateLimit: {
        limitType: { case: 'fixedLimit', value: { limitKbps: BigInt(responseRate.kibPerSecond) } },
        percentage: share(responseRate.percent),
      },
    }),
    ...(byHeader.responseRate && {
      responseRateLimit: {
        limitType: { case: 'headerLimit', value: {} },
        percentage: asked(byHeader.responseRate),
      },
    }),
    headers: [
      ...Object.entries(headers ?? {})
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => encodeHeaderMatch({ name, match: { kind: 'exact', value } })),
      ...match.map(encodeHeaderMatch),
    ],
    ...(config.metadata !== undefined && { filterMetadata: canonicalObject(config.metadata) }),
    upstreamCluster: cluster ?? '',
    downstreamNodes: [...(nodes ?? [])],
    ...(config.maxActiveFaults !== undefined && { maxActiveFaults: config.maxActiveFaults }),
  });
}

/** Checked before. */
function asked({ percent, denominator }: FaultShare): FractionalPercent {
  return shareOf(percent, denominator) ?? share(percent);
}

/**
 * Envoy puts it in the place of every other one.
 * @param own for Tulle's data plane, which has another form for one that changes what it names
 */
export function encodeFaultOverride(given: unknown, own: boolean): HTTPFault | undefined {
  const { replaces = false, ...config } = (isObject(given) ? given : {}) as FaultOverride;
  return isObject(given) && (replaces || !own) ? encodeFault(config) : undefined;
}

const KEYS = [
  'delay',
  'abort',
  'responseRate',
  'byHeader',
  'metadata',
  'headers',
  'match',
  'cluster',
  'nodes',
  'maxActiveFaults',
] as const;

function isFault(config: unknown): config is FaultFilterConfig {
  if (!isObject(config) || !hasOnly(config, KEYS)) return false;
  const { delay, abort, responseRate, byHeader, headers, match, cluster, nodes, maxActiveFaults } = config;
  return (
    (delay === undefined ||
      (isObject(delay) &&
        hasOnly(delay, ['durationMs', 'percent']) &&
        isInteger(delay['durationMs'], 0, 3_600_000) &&
        isPercent(delay['percent']))) &&
    (abort === undefined ||
      (isObject(abort) &&
        hasOnly(abort, ['status', 'grpcStatus', 'percent', 'body']) &&
        isBody(abort['body']) &&
        isInteger(abort['status'], 200, 599) &&
        // Envoy has one of them, and makes the other one of it.
        (abort['grpcStatus'] === undefined ||
          (isInteger(abort['grpcStatus'], 0, 16) &&
            GRPC_HTTP_STATUSES[abort['grpcStatus']] === abort['status'])) &&
        isPercent(abort['percent']))) &&
    (responseRate === undefined ||
      (isObject(responseRate) &&
        hasOnly(responseRate, ['kibPerSecond', 'percent']) &&
        isInteger(responseRate['kibPerSecond'], 1, 2 ** 32) &&
        isPercent(responseRate['percent']))) &&
    isByHeader(byHeader, config) &&
    (config['metadata'] === undefined || isObject(config['metadata'])) &&
    (headers === undefined ||
      (isObject(headers) &&
        Object.keys(headers).length > 0 &&
        Object.values(headers).every((value) => typeof value === 'string'))) &&
    // Exact values alone are read back as a table.
    (match === undefined ||
      (headers === undefined && isFilledList(match, isCondition) && !match.every(isExact))) &&
    (cluster === undefined || (isText(cluster) && cluster !== '')) &&
    (nodes === undefined || isFilledList(nodes, isText)) &&
    (maxActiveFaults === undefined || isInteger(maxActiveFaults, 0, 2 ** 32 - 1))
  );
}

/** An empty text is none there. */
function isBody(body: unknown): boolean {
  return body === undefined || (isText(body) && body !== '');
}

function isExact({ match, invert }: ValueMatch): boolean {
  return match.kind === 'exact' && match.ignoreCase !== true && invert !== true;
}

function isDenominator(value: unknown): value is 10_000 | 1_000_000 {
  return value === 10_000 || value === 1_000_000;
}

/** What a request may ask for stands in the place of what is said. */
function isByHeader(byHeader: unknown, config: Readonly<Record<string, unknown>>): boolean {
  if (byHeader === undefined) return true;
  return (
    isObject(byHeader) &&
    hasOnly(byHeader, ['delay', 'abort', 'responseRate']) &&
    Object.keys(byHeader).length > 0 &&
    Object.entries(byHeader).every(
      ([key, one]) =>
        config[key] === undefined &&
        isObject(one) &&
        hasOnly(one, ['percent', 'denominator', ...(key === 'abort' ? ['body'] : [])]) &&
        isBody(one['body']) &&
        isPercent(one['percent']) &&
        (one['denominator'] === undefined || isDenominator(one['denominator'])) &&
        // What a request asks for is a part of the denominator, so it must be the one that is meant.
        shareOf(one['percent'] as number | undefined, one['denominator']) !== undefined,
    )
  );
}
