import { latin1Slice } from '@tulle/fields';
import { hexValue } from './hex.ts';

/** Makes ids of traces and spans. */
export interface Ids {
  /** 32 hex digits; the last 16 are drawn anew each time, so the flag {@link FLAG_RANDOM} may be set. */
  traceId(): string;
  /** 16 hex digits. */
  spanId(): string;
  /**
   * A trace that begins without spans, as a whole `traceparent` with {@link FLAG_RANDOM}: nobody will ask for a span of
   * its parent's name, so the half of the trace id that is its own serves.
   */
  unsampled(): string;
}

/** Where the two halves of the trace id and the parent stand in `traceparent`. */
const OWN_HALF = 19;
const PARENT = 36;
const HALF = 16;

const DIGITS: Buffer = Buffer.from('0123456789abcdef', 'latin1');

/**
 * Ids need no secrecy, only enough chance that two never meet: the first half of a trace id tells processes apart, the
 * second half the traces of one.
 * @param random uniform in [0, 1)
 */
export function createIds(random: () => number): Ids {
  // Digits are written as bytes and read as one text: put together of pieces they would be copied again with each use.
  const digits = Buffer.allocUnsafeSlow(HALF);
  const draw = (): void => {
    let a = random() * 0x1_0000_0000;
    // Never all zero, which would be no id.
    let b = (random() * 0x1_0000_0000) >>> 0 || 1;
    for (let i = 7; i >= 0; i--) {
      digits[i] = DIGITS[a & 15] as number;
      digits[i + 8] = DIGITS[b & 15] as number;
      a >>>= 4;
      b >>>= 4;
    }
  };
  const spanId = (): string => {
    draw();
    return latin1Slice(digits, 0, HALF);
  };
  const process = spanId();
  const begun = Buffer.from(`00-${process}${process}-${process}-02`, 'latin1');
  return {
    spanId,
    traceId: () => process + spanId(),
    unsampled() {
      draw();
      for (let i = 0; i < HALF; i++) {
        const digit = digits[i] as number;
        begun[OWN_HALF + i] = digit;
        begun[PARENT + i] = digit;
      }
      return latin1Slice(begun, 0, begun.length);
    },
  };
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
  // Whatever follows adds less than one to it.
  if ((high + 1) / 0x100_0000 <= 1 - ratio) return false;
  let low = 0;
  for (let i = 24; i < 31; i++) low = low * 16 + hexValue(traceId.charCodeAt(i));
  return (high * 0x1000_0000 + low) / 0x10_0000_0000_0000 >= 1 - ratio;
}
