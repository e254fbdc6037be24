import { hexValue } from './hex.ts';

/** Makes ids of traces and spans. */
export interface Ids {
  /** 32 hex digits; the last 16 are drawn anew each time, so the flag {@link FLAG_RANDOM} may be set. */
  traceId(): string;
  /** 16 hex digits. */
  spanId(): string;
}

const HEX2: readonly string[] = Array.from({ length: 256 }, (_, value) =>
  value.toString(16).padStart(2, '0'),
);

/**
 * Ids need no secrecy, only enough chance that two never meet: the first half of a trace id tells processes apart, the
 * second half the traces of one.
 * @param random uniform in [0, 1)
 */
export function createIds(random: () => number): Ids {
  const spanId = (): string => {
    const a = (random() * 0x1_0000_0000) >>> 0;
    // Never all zero, which would be no id.
    const b = (random() * 0x1_0000_0000) >>> 0 || 1;
    return (
      (HEX2[a >>> 24] as string) +
      (HEX2[(a >>> 16) & 255] as string) +
      (HEX2[(a >>> 8) & 255] as string) +
      (HEX2[a & 255] as string) +
      (HEX2[b >>> 24] as string) +
      (HEX2[(b >>> 16) & 255] as string) +
      (HEX2[(b >>> 8) & 255] as string) +
      (HEX2[b & 255] as string)
    );
  };
  const process = spanId();
  return { spanId, traceId: () => process + spanId() };
}

/**
 * Whether a trace is among the sampled ones: its last seven bytes, read as a fraction of 2^56, lie in the upper `ratio`
 * (OpenTelemetry, consistent probability sampling). Every sampler with the same or a larger ratio decides alike.
 * @param traceId 32 hex digits
 * @param ratio 0 to 1
 */
export function isAmongSampled(traceId: string, ratio: number): boolean {
  if (ratio >= 1) return true;
  if (!(ratio > 0)) return false;
  // 52 of the 56 bits: what a double holds exactly, and finer than any ratio that somebody asks for.
  let high = 0;
  for (let i = 18; i < 24; i++) high = high * 16 + hexValue(traceId.charCodeAt(i));
  let low = 0;
  for (let i = 24; i < 31; i++) low = low * 16 + hexValue(traceId.charCodeAt(i));
  return (high * 0x1000_0000 + low) / 0x10_0000_0000_0000 >= 1 - ratio;
}
