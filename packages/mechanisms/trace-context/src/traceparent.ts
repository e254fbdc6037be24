import { hexValue, isId } from './hex.ts';
import { FLAG_RANDOM, FLAG_SAMPLED, SAMPLED, UNSAMPLED, type TraceContext } from './trace-context.ts';

/** `00-<32>-<16>-<2>`. */
const LENGTH = 55;
const DASH = 45;

/**
 * Reads `traceparent` (W3C Trace Context §3.2.2). A later version is read as far as version 00 reaches, as §3.2.3 wants.
 * @returns false for anything malformed: the request then counts as one without a trace. `into` is untouched then
 */
export function parseTraceparent(value: string, into: TraceContext): boolean {
  if (value.length < LENGTH) return false;
  const version = hexValue(value.charCodeAt(0)) * 16 + hexValue(value.charCodeAt(1));
  const high = hexValue(value.charCodeAt(53));
  const low = hexValue(value.charCodeAt(54));
  if (
    hexValue(value.charCodeAt(0)) < 0 ||
    hexValue(value.charCodeAt(1)) < 0 ||
    version === 0xff ||
    value.charCodeAt(2) !== DASH ||
    value.charCodeAt(35) !== DASH ||
    value.charCodeAt(52) !== DASH ||
    high < 0 ||
    low < 0 ||
    (value.length > LENGTH && (version === 0 || value.charCodeAt(LENGTH) !== DASH)) ||
    !isId(value, 3, 35) ||
    !isId(value, 36, 52)
  )
    return false;
  into.traceId = value.slice(3, 35);
  into.parentId = value.slice(36, 52);
  into.flags = low & (FLAG_SAMPLED | FLAG_RANDOM);
  into.decision = (low & FLAG_SAMPLED) === 0 ? UNSAMPLED : SAMPLED;
  into.w3c = true;
  return true;
}

const FLAGS = ['00', '01', '02', '03'] as const;

/** Writes `traceparent` version 00. Flags other than sampled and random are reserved and written as zero. */
export function formatTraceparent(traceId: string, spanId: string, flags: number): string {
  return `00-${traceId}-${spanId}-${FLAGS[flags & 3] as string}`;
}
