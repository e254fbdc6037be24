import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import {
  RateLimitResponse_Code as Code,
  RateLimitResponse_DescriptorStatusSchema as StatusSchema,
  RateLimitResponse_RateLimit_Unit as UnitCode,
  RateLimitResponseSchema,
  type RateLimitRequest,
  type RateLimitResponse,
  type RateLimitResponse_DescriptorStatus as Status,
} from '@tulle/xds-proto/envoy/service/ratelimit/v3/rls';
import type { Counters, Hit } from './counters.ts';
import { limitOf, UNIT_SECONDS, type Domains, type Limit, type Unit } from './limits-file.ts';

type Descriptor = RateLimitRequest['descriptors'][number];

export interface DecideOptions {
  readonly domains: Domains;
  readonly counters: Counters;
  /** Tell callers limit, rest and seconds to the next window in `x-ratelimit-…`. */
  readonly headers: boolean;
  /** What is said when nothing can be counted; `undefined`: the failure is the answer, and the proxy decides. */
  readonly onError?: 'allow' | 'deny' | undefined;
  /** Wall clock in milliseconds, which should be the same on all machines that count together. Default `Date.now`. */
  readonly nowMs?: () => number;
}

/** A request's units are `envoy.type.v3.RateLimitUnit`, whose numbers are those of the response's. */
const UNITS = new Map<number, Unit>([
  [UnitCode.SECOND, 'second'],
  [UnitCode.MINUTE, 'minute'],
  [UnitCode.HOUR, 'hour'],
  [UnitCode.DAY, 'day'],
]);
const CODES: Readonly<Record<Unit, 1 | 2 | 3 | 4>> = {
  second: UnitCode.SECOND,
  minute: UnitCode.MINUTE,
  hour: UnitCode.HOUR,
  day: UnitCode.DAY,
};

/** Longer keys are kept as their hash: callers choose the values. */
const MAX_KEY_LENGTH = 200;

/**
 * Counts a request in the current window of every limit that its descriptors have, and says whether all let it pass. A
 * request that is refused is counted too, by all of them. Without a limit a descriptor passes.
 * @throws what the counters throw, unless `onError` says what to answer
 */
export async function decide(request: RateLimitRequest, options: DecideOptions): Promise<RateLimitResponse> {
  const { domains, counters, headers, onError, nowMs = Date.now } = options;
  const tree = domains.get(request.domain);
  const limits = request.descriptors.map((descriptor) =>
    tree === undefined ? undefined : (overrideOf(descriptor) ?? limitOf(tree, descriptor.entries)),
  );
  const seconds = Math.floor(nowMs() / 1_000);
  const hits = request.descriptors.flatMap(({ entries }, index): Hit[] => {
    const limit = limits[index];
    if (limit === undefined) return [];
    const ttlSeconds = UNIT_SECONDS[limit.unit];
    return [
      {
        key: keyOf(request.domain, entries, limit, seconds - (seconds % ttlSeconds)),
        add: request.hitsAddend || 1,
        ttlSeconds,
      },
    ];
  });
  let counts: readonly number[] = [];
  try {
    if (hits.length > 0) counts = await counters.raise(hits);
  } catch (error) {
    if (onError === undefined) throw error;
    counts = hits.map(() => (onError === 'allow' ? 0 : Number.POSITIVE_INFINITY));
  }
  let next = 0;
  const statuses = limits.map((limit) =>
    limit === undefined
      ? create(StatusSchema, { code: Code.OK })
      : statusOf(limit, counts[next++] as number, seconds),
  );
  const over = statuses.some(({ code }) => code === Code.OVER_LIMIT);
  return create(RateLimitResponseSchema, {
    overallCode: over ? Code.OVER_LIMIT : Code.OK,
    statuses,
    responseHeadersToAdd: headers ? headersOf(statuses) : [],
  });
}

/** What a descriptor brings with it (Envoy `RateLimitDescriptor.limit`) goes before the file. */
function overrideOf({ limit }: Descriptor): Limit | undefined {
  const unit = limit && UNITS.get(limit.unit);
  return limit && unit && { unit, requestsPerUnit: limit.requestsPerUnit };
}

function keyOf(domain: string, entries: Descriptor['entries'], { unit }: Limit, window: number): string {
  const what = JSON.stringify([domain, ...entries.map(({ key, value }) => [key, value])]);
  const short = what.length <= MAX_KEY_LENGTH ? what : createHash('sha256').update(what).digest('base64url');
  return `ratelimit:${unit}:${window}:${short}`;
}

function statusOf({ unit, requestsPerUnit }: Limit, count: number, nowSeconds: number): Status {
  const length = UNIT_SECONDS[unit];
  return create(StatusSchema, {
    code: count > requestsPerUnit ? Code.OVER_LIMIT : Code.OK,
    currentLimit: { requestsPerUnit, unit: CODES[unit] },
    limitRemaining: Math.max(0, requestsPerUnit - count),
    durationUntilReset: create(DurationSchema, { seconds: BigInt(length - (nowSeconds % length)) }),
  });
}

/** Of the limit with the least left; of equals the one that takes longest to come back. */
function headersOf(statuses: readonly Status[]): { key: string; value: string }[] {
  const resetOf = ({ durationUntilReset }: Status): number => Number(durationUntilReset?.seconds ?? 0n);
  const [least] = statuses
    .filter(({ currentLimit }) => currentLimit !== undefined)
    .toSorted((a, b) => a.limitRemaining - b.limitRemaining || resetOf(b) - resetOf(a));
  if (least === undefined) return [];
  return [
    { key: 'x-ratelimit-limit', value: String(least.currentLimit?.requestsPerUnit) },
    { key: 'x-ratelimit-remaining', value: String(least.limitRemaining) },
    { key: 'x-ratelimit-reset', value: String(resetOf(least)) },
  ];
}
