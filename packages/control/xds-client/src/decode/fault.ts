import { GRPC_HTTP_STATUSES, type FaultFilterConfig } from '@tulle/model';
import type { HTTPFault } from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import {
  type FractionalPercent,
  FractionalPercent_DenominatorType as Denominator,
} from '@tulle/xds-proto/envoy/type/v3/percent';
import type { DecodeContext } from './context.ts';
import { decodeHeaderMatch } from './matchers.ts';
import { milliseconds, present } from './values.ts';

export function decodeFault(context: DecodeContext, fault: HTTPFault, path: string): FaultFilterConfig {
  const { delay, abort } = fault;
  const headers: [string, string][] = [];
  for (const [index, matcher] of fault.headers.entries()) {
    const { name, match, invert } = decodeHeaderMatch(context, matcher, `${path}.headers[${index}]`);
    if (match.kind === 'exact' && match.ignoreCase !== true && invert !== true)
      headers.push([name, match.value]);
    else context.refuse(`${path}.headers[${index}]`, 'must be an exact match');
  }
  if (new Set(headers.map(([name]) => name)).size < headers.length)
    context.refuse(`${path}.headers`, 'must not name a header twice');
  const specifier = delay?.faultDelaySecifier;
  const error = abort?.errorType;
  return present({
    delay:
      specifier?.case === 'fixedDelay'
        ? present({ durationMs: milliseconds(specifier.value), percent: percentOf(delay?.percentage) })
        : undefined,
    abort:
      error?.case === 'httpStatus'
        ? present({ status: error.value, percent: percentOf(abort?.percentage) })
        : error?.case === 'grpcStatus'
          ? present({
              status: httpStatusOf(context, error.value, `${path}.abort.grpc_status`),
              grpcStatus: error.value,
              percent: percentOf(abort?.percentage),
            })
          : undefined,
    headers: headers.length === 0 ? undefined : Object.fromEntries(headers),
    maxActiveDelays: fault.maxActiveFaults,
  });
}

/** What other callers get, who speak no gRPC. */
function httpStatusOf(context: DecodeContext, status: number, path: string): number {
  const http = GRPC_HTTP_STATUSES[status];
  if (http === undefined) context.refuse(path, `must be 0 to 16, but is ${status}`);
  return http ?? 500;
}

const PARTS: ReadonlyMap<number, number> = new Map([
  [Denominator.HUNDRED, 100],
  [Denominator.TEN_THOUSAND, 10_000],
  [Denominator.MILLION, 1_000_000],
]);

/** 100 is the default here, 0 the default there. @returns `undefined` for 100 */
export function percentOf(share: FractionalPercent | undefined): number | undefined {
  if (!share) return 0;
  const percent = (share.numerator * 100) / (PARTS.get(share.denominator) ?? 100);
  return percent >= 100 ? undefined : percent;
}
