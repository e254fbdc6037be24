import { GRPC_HTTP_STATUSES, type FaultFilterConfig, type FaultShare, type ValueMatch } from '@tulle/model';
import type { HTTPFault } from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import type { FractionalPercent } from '@tulle/xds-proto/envoy/type/v3/percent';
import type { DecodeContext } from './context.ts';
import { decodeHeaderMatch } from './matchers.ts';
import { denominatorOf, percentOf } from './percent.ts';
import { filled, milliseconds, present } from './values.ts';

export function decodeFault(context: DecodeContext, fault: HTTPFault, path: string): FaultFilterConfig {
  const { delay, abort, responseRateLimit: rate } = fault;
  const conditions = fault.headers.map((matcher, index) =>
    decodeHeaderMatch(context, matcher, `${path}.headers[${index}]`),
  );
  const specifier = delay?.faultDelaySecifier;
  const error = abort?.errorType;
  const limit = rate?.limitType;
  for (const [part, name] of [
    [specifier, 'delay'],
    [error, 'abort'],
    [limit, 'response_rate_limit'],
  ] as const)
    if (part && part.case === undefined) context.refuse(`${path}.${name}`, 'says nothing');
  const text = abort?.responseBody || undefined;
  const byHeader = present({
    delay: specifier?.case === 'headerDelay' ? shareOf(delay?.percentage) : undefined,
    abort: error?.case === 'headerAbort' ? present({ ...shareOf(abort?.percentage), body: text }) : undefined,
    responseRate: limit?.case === 'headerLimit' ? shareOf(rate?.percentage) : undefined,
  });
  return present({
    delay:
      specifier?.case === 'fixedDelay'
        ? present({ durationMs: milliseconds(specifier.value), percent: percentOf(delay?.percentage) })
        : undefined,
    abort:
      error?.case === 'httpStatus'
        ? present({ status: error.value, percent: percentOf(abort?.percentage), body: text })
        : error?.case === 'grpcStatus'
          ? present({
              status: httpStatusOf(context, error.value, `${path}.abort.grpc_status`),
              grpcStatus: error.value,
              percent: percentOf(abort?.percentage),
              body: text,
            })
          : undefined,
    responseRate:
      limit?.case === 'fixedLimit'
        ? present({ kibPerSecond: Number(limit.value.limitKbps), percent: percentOf(rate?.percentage) })
        : undefined,
    byHeader: Object.keys(byHeader).length === 0 ? undefined : byHeader,
    metadata: fault.filterMetadata,
    ...conditionsOf(conditions),
    cluster: fault.upstreamCluster || undefined,
    nodes: filled(fault.downstreamNodes),
    maxActiveFaults: fault.maxActiveFaults,
  });
}

function shareOf(percentage: FractionalPercent | undefined): FaultShare {
  return present({ percent: percentOf(percentage), denominator: denominatorOf(percentage) });
}

/** Exact values, each of another header, as a table; anything else as it stands. */
function conditionsOf(conditions: readonly ValueMatch[]): Pick<FaultFilterConfig, 'headers' | 'match'> {
  if (conditions.length === 0) return {};
  const exact = conditions.flatMap(({ name, match, invert }) =>
    match.kind === 'exact' && match.ignoreCase !== true && invert !== true
      ? [[name, match.value] as const]
      : [],
  );
  const table = Object.fromEntries(exact);
  return Object.keys(table).length === conditions.length ? { headers: table } : { match: conditions };
}

/** What other callers get, who speak no gRPC. */
function httpStatusOf(context: DecodeContext, status: number, path: string): number {
  const http = GRPC_HTTP_STATUSES[status];
  if (http === undefined) context.refuse(path, `must be 0 to 16, but is ${status}`);
  return http ?? 500;
}
