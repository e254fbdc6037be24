import type { Headers } from '@tulle/filter';
import type { FaultFilterConfig, FaultShare } from '@tulle/model';

/** Faults that are in force for one request: what the configuration says, or what the request asks for. */
export type Faults = Pick<FaultFilterConfig, 'delay' | 'abort' | 'responseRate'>;

const START = 'x-envoy-fault-';

/** What a request asks for, where the configuration lets it; a value that means nothing asks for nothing. */
export function faultsOf(config: FaultFilterConfig, headers: Headers): Faults {
  const { byHeader } = config;
  if (byHeader === undefined) return config;
  const { delay, abort, responseRate } = byHeader;
  return {
    ...(delay === undefined ? pick(config, 'delay') : askedDelay(headers, delay)),
    ...(abort === undefined ? pick(config, 'abort') : askedAbort(headers, abort)),
    ...(responseRate === undefined ? pick(config, 'responseRate') : askedRate(headers, responseRate)),
  };
}

function pick<Key extends keyof Faults>(config: FaultFilterConfig, key: Key): Faults {
  const value = config[key];
  return value === undefined ? {} : { [key]: value };
}

function askedDelay(headers: Headers, share: FaultShare): Faults {
  const durationMs = numberOf(headers, 'delay-request', 0, 3_600_000);
  return durationMs === undefined
    ? {}
    : { delay: { durationMs, percent: percentOf(headers, 'delay-request', share) } };
}

function askedAbort(
  headers: Headers,
  share: NonNullable<FaultFilterConfig['byHeader']>['abort'] & {},
): Faults {
  const body = share.body === undefined ? {} : { body: share.body };
  const percent = percentOf(headers, 'abort-request', share);
  const status = numberOf(headers, 'abort-request', 200, 599);
  if (status !== undefined) return { abort: { status, percent, ...body } };
  const grpcStatus = numberOf(headers, 'abort-grpc-request', 0, 16);
  return grpcStatus === undefined ? {} : { abort: { status: 200, grpcStatus, percent, ...body } };
}

function askedRate(headers: Headers, share: FaultShare): Faults {
  const kibPerSecond = numberOf(headers, 'throughput-response', 1, 2 ** 32);
  return kibPerSecond === undefined
    ? {}
    : { responseRate: { kibPerSecond, percent: percentOf(headers, 'throughput-response', share) } };
}

function numberOf(headers: Headers, name: string, least: number, most: number): number | undefined {
  const text = headers.get(START + name) ?? '';
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  return value >= least && value <= most ? value : undefined;
}

/** A request may ask for a smaller share than it is allowed, never for a larger one; of what the share is said in. */
function percentOf(headers: Headers, name: string, { percent = 100, denominator }: FaultShare): number {
  const asked = numberOf(headers, `${name}-percentage`, 0, 2 ** 32 - 1);
  return asked === undefined ? percent : Math.min((asked * 100) / (denominator ?? 100), percent);
}
