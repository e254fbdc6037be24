import { knownNameId } from '@tulle/fields';
import type { CompiledForward } from '../compile/compiled.ts';
import { SITE_DEADLINE } from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';

const TIMEOUT_ID = knownNameId('grpc-timeout');

/** Most that the eight digits of a timeout hold. */
const MAX_VALUE = 99_999_999;

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** `grpc-timeout` in milliseconds: one to eight digits and a unit (grpc/doc/PROTOCOL-HTTP2.md); -1 for anything else. */
export function parseGrpcTimeout(text: string): number {
  const digits = text.length - 1;
  const unitMs = UNIT_MS[text.charAt(digits)];
  if (unitMs === undefined || digits < 1 || digits > 8) return -1;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value * unitMs;
}

/** The same as a field value, never longer than it is. */
export function formatGrpcTimeout(ms: number): string {
  const whole = Math.max(1, Math.floor(ms));
  return whole <= MAX_VALUE ? `${whole}m` : `${Math.min(MAX_VALUE, Math.floor(whole / 1_000))}S`;
}

/** A gRPC call says how long its caller waits: it gets that long, at most as long as the route lets callers ask for. */
export function beginDeadline(stream: Stream, action: CompiledForward): void {
  const at = stream.headers.indexOfId(TIMEOUT_ID);
  if (at < 0) return;
  const askedMs = parseGrpcTimeout(stream.headers.value(at));
  if (askedMs < 0) return; // the service tells its caller
  const { maxGrpcTimeoutMs, grpcTimeoutOffsetMs } = action;
  const capped = maxGrpcTimeoutMs > 0 && askedMs > maxGrpcTimeoutMs;
  const wholeMs = capped ? maxGrpcTimeoutMs : askedMs;
  // Envoy takes it off only where something is left.
  const ms = wholeMs > grpcTimeoutOffsetMs ? wholeMs - grpcTimeoutOffsetMs : wholeMs;
  stream.deadlineMs = stream.startMs + ms;
  stream.note(SITE_DEADLINE, capped ? 1 : 0, Math.min(Math.round(ms), 0x7fff_ffff));
  const nowMs = stream.engine.turn.nowMs;
  stream.armRequestTimer(Math.max(0, stream.deadlineMs - nowMs), nowMs);
}

/** Tells the endpoint what is left of the time: of the deadline, the route's timeout and the attempt's, the least. */
export function passDeadlineOn(stream: Stream, action: CompiledForward, nowMs: number): void {
  let leftMs = stream.deadlineMs - nowMs;
  if (stream.limitEndMs !== 0) leftMs = Math.min(leftMs, stream.limitEndMs - nowMs);
  if (action.perTryTimeoutMs > 0) leftMs = Math.min(leftMs, action.perTryTimeoutMs);
  const { headers } = stream;
  // Nothing worth telling has passed: the line stays as it came, whatever its unit.
  if (parseGrpcTimeout(headers.value(headers.indexOfId(TIMEOUT_ID))) - leftMs < 1) return;
  headers.put('grpc-timeout', formatGrpcTimeout(leftMs));
}
