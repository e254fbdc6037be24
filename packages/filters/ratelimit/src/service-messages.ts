import { create, fromBinary, type JsonObject, toBinary } from '@bufbuild/protobuf';
import type { MetadataValues } from '@tulle/filter';
import type { Descriptor } from './descriptors.ts';
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
  RateLimitResponseSchema,
} from './gen/envoy/service/ratelimit/v3/rls_pb.js';
import { RateLimitUnit } from './gen/envoy/type/v3/ratelimit_unit_pb.js';

/** Package, service and method of Envoy's API. */
export const METHOD = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

/** What the service said of a descriptor (Envoy `RateLimitResponse.DescriptorStatus`), as far as it is looked at. */
export interface LimitStatus {
  readonly code: number;
  /** The limit that it is under; none, if it is under none. */
  readonly currentLimit?:
    | {
        readonly requestsPerUnit: number;
        readonly unit: number;
        /** `''` for none. */
        readonly name: string;
      }
    | undefined;
  readonly limitRemaining: number;
  readonly durationUntilReset?: { readonly seconds: bigint } | undefined;
}

/** What the service said. */
export interface Answer {
  readonly limited: boolean;
  /** Flat `[name, value, …]` */
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly body: Uint8Array;
  /** What later filters are told; `undefined`: nothing. */
  readonly metadata: MetadataValues | undefined;
  /** Of each descriptor that was asked about, in that order. */
  readonly statuses: readonly LimitStatus[];
}

/** `x-ratelimit-limit`, `-remaining` and `-reset`. */
export type RateFields = readonly [limit: string, remaining: string, reset: string];

export function encodeRequest(domain: string, descriptors: readonly Descriptor[]): Uint8Array {
  const message = create(RateLimitRequestSchema, {
    domain,
    descriptors: descriptors.map(({ entries, limit, hits, giveBack }) => ({
      entries: entries.map(({ key, value }) => ({ key, value })),
      ...(hits !== undefined && { hitsAddend: BigInt(hits) }),
      isNegativeHits: giveBack,
      ...(limit && { limit: { requestsPerUnit: limit.requestsPerUnit, unit: RateLimitUnit[limit.unit] } }),
    })),
    hitsAddend: 1,
  });
  return toBinary(RateLimitRequestSchema, message);
}

/** @returns `undefined` for what is no answer */
export function decodeResponse(bytes: Uint8Array): Answer | undefined {
  try {
    const message = fromBinary(RateLimitResponseSchema, bytes);
    if (message.overallCode === Code.UNKNOWN) return undefined;
    return {
      limited: message.overallCode === Code.OVER_LIMIT,
      requestHeaders: fieldsOf(message.requestHeadersToAdd),
      responseHeaders: fieldsOf(message.responseHeadersToAdd),
      body: message.rawBody,
      metadata: metadataOf(message.dynamicMetadata),
      statuses: message.statuses,
    };
  } catch {
    return undefined;
  }
}

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** RFC 9110 §5.5; what would end the line or the message is not among it. */
const VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;
/** Fields of framing and of one hop (RFC 9110 §7.6.1). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What a service says is not believed to be valid. */
function fieldsOf(
  headers: readonly { readonly key: string; readonly value: string; readonly rawValue: Uint8Array }[],
): readonly string[] {
  return headers.flatMap(({ key, value, rawValue }) => {
    const name = key.toLowerCase();
    const text = (rawValue.length > 0 ? Buffer.from(rawValue) : Buffer.from(value, 'utf8')).toString(
      'latin1',
    );
    return NAME.test(name) && VALUE.test(text) && !CONNECTION_FIELDS.has(name) ? [name, text] : [];
  });
}

const SECONDS: ReadonlyMap<number, number> = new Map([
  [Unit.SECOND, 1],
  [Unit.MINUTE, 60],
  [Unit.HOUR, 3_600],
  [Unit.DAY, 86_400],
  [Unit.MONTH, 2_592_000],
  [Unit.YEAR, 31_536_000],
]);

/**
 * Of the limit that is nearest to its end, with every limit as a policy (draft-polli-ratelimit-headers-03 §3).
 * @param told whether callers are told of the descriptor of this place
 * @returns `undefined` where no limit is known, or of that one nothing is told
 */
export function rateOf(
  statuses: readonly LimitStatus[],
  told: (index: number) => boolean,
): RateFields | undefined {
  let least: LimitStatus | undefined;
  let isTold = false;
  let policies = '';
  for (const [index, status] of statuses.entries()) {
    const { currentLimit: limit } = status;
    const seconds = limit && SECONDS.get(limit.unit);
    if (limit === undefined || seconds === undefined) continue;
    if (least === undefined || status.limitRemaining < least.limitRemaining)
      [least, isTold] = [status, told(index)];
    if (!told(index)) continue;
    policies += `, ${limit.requestsPerUnit};w=${seconds}`;
    if (limit.name !== '') policies += `;name="${limit.name.replace(/[^\w .:/-]/g, '_')}"`;
  }
  if (least?.currentLimit === undefined || !isTold) return undefined;
  const reset = least.durationUntilReset === undefined ? 0 : Number(least.durationUntilReset.seconds);
  return [`${least.currentLimit.requestsPerUnit}${policies}`, String(least.limitRemaining), String(reset)];
}

/** When the last limit that is exceeded is reset, in whole seconds, at least 1. @returns `undefined` where the service does not say */
export function secondsUntilReset(statuses: readonly LimitStatus[]): number | undefined {
  let longest: number | undefined;
  for (const { code, durationUntilReset: until } of statuses)
    if (code === Code.OVER_LIMIT && until !== undefined)
      longest = Math.max(longest ?? 1, Number(until.seconds));
  return longest;
}

function metadataOf(said: JsonObject | undefined): MetadataValues | undefined {
  return said === undefined || Object.keys(said).length === 0 ? undefined : said;
}
