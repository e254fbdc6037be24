import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Descriptor, LIMIT_UNITS } from './descriptors.ts';
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code as Code,
  type RateLimitResponse_DescriptorStatus as DescriptorStatus,
  RateLimitResponse_RateLimit_Unit as Unit,
  RateLimitResponseSchema,
} from './gen/envoy/service/ratelimit/v3/rls_pb.js';

/** Package, service and method of Envoy's API. */
export const METHOD = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

/** What the service said. */
export interface Answer {
  readonly limited: boolean;
  /** Flat `[name, value, …]` */
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly body: Uint8Array;
  /** `x-ratelimit-limit`, `-remaining` and `-reset`; `undefined` where no limit is known. */
  readonly rate: readonly [limit: string, remaining: string, reset: string] | undefined;
}

export function encodeRequest(domain: string, descriptors: readonly Descriptor[]): Uint8Array {
  const message = create(RateLimitRequestSchema, {
    domain,
    descriptors: descriptors.map(({ entries, limit }) => ({
      entries: entries.map(({ key, value }) => ({ key, value })),
      ...(limit && { limit: { requestsPerUnit: limit.requestsPerUnit, unit: LIMIT_UNITS[limit.unit] } }),
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
      rate: rateOf(message.statuses),
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

const SECONDS: ReadonlyMap<Unit, number> = new Map([
  [Unit.SECOND, 1],
  [Unit.MINUTE, 60],
  [Unit.HOUR, 3_600],
  [Unit.DAY, 86_400],
  [Unit.MONTH, 2_592_000],
  [Unit.YEAR, 31_536_000],
]);

/** Of the limit that is nearest to its end, with every limit as a policy (draft-polli-ratelimit-headers-03 §3). */
function rateOf(statuses: readonly DescriptorStatus[]): Answer['rate'] {
  let least: DescriptorStatus | undefined;
  let policies = '';
  for (const status of statuses) {
    const { currentLimit: limit } = status;
    const seconds = limit && SECONDS.get(limit.unit);
    if (limit === undefined || seconds === undefined) continue;
    if (least === undefined || status.limitRemaining < least.limitRemaining) least = status;
    policies += `, ${limit.requestsPerUnit};w=${seconds}`;
    if (limit.name !== '') policies += `;name="${limit.name.replace(/[^\w .:/-]/g, '_')}"`;
  }
  if (least?.currentLimit === undefined) return undefined;
  const reset = least.durationUntilReset === undefined ? 0 : Number(least.durationUntilReset.seconds);
  return [`${least.currentLimit.requestsPerUnit}${policies}`, String(least.limitRemaining), String(reset)];
}
