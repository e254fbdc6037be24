import type { CheckedControl } from '@tulle/model';
import type { ForwardTarget, HttpSettings } from '../compile/compiled.ts';
import { rescue } from '../rescue.ts';
import type { Stream } from '../stream/stream.ts';

const EXPECTED = 'x-envoy-expected-rq-timeout-ms';

/** A whole number as Envoy reads one (`absl::SimpleAtoi`). */
const WHOLE = /^\+?\d{1,40}$/;
const MAX_WHOLE = 2n ** 64n - 1n;
/** Longest that timers wait, 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What Envoy knows in `x-envoy-retry-on`. */
const RETRY_ON: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'reset',
  'reset-before-request',
  'http3-post-connect-failure',
]);

/** And in `x-envoy-retry-grpc-on`. */
const RETRY_GRPC_ON: ReadonlySet<string> = new Set([
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

const WORDS: ReadonlyMap<CheckedControl, ReadonlySet<string>> = new Map([
  ['x-envoy-retry-on', RETRY_ON],
  ['x-envoy-retry-grpc-on', RETRY_GRPC_ON],
]);

/** Checks and takes what a request says of how it is tried, before its route edits it. @returns false when it is refused */
export function obeyControls(
  stream: Stream,
  { ref }: ForwardTarget,
  { checks, timeout }: NonNullable<HttpSettings['callerControls']>,
): boolean {
  if (timeout) stream.toldTimeoutMs = expectedMs(stream);
  // Where the cluster is missing that is what is wrong with the request, unless it may still be found.
  if (ref.current === undefined && stream.chain.onDemand === undefined) return true;
  for (const name of checks) {
    if (!stream.headers.has(name)) continue;
    const value = stream.headers.getAll(name).join(',');
    if (isUnderstood(name, value)) continue;
    rescue(stream, 'TULLE_CONTROL_FIELD', `request_headers_failed_strict_check{${name}}`);
    return false;
  }
  return true;
}

function isUnderstood(name: CheckedControl, value: string): boolean {
  const words = WORDS.get(name);
  if (words === undefined) return numberOf(value) >= 0;
  return value.split(',').every((part) => {
    const word = part.trim();
    return word === '' || words.has(word);
  });
}

/** Several lines are one list, which is no number. @returns below 0 where it says nothing */
function expectedMs({ headers }: Stream): number {
  if (!headers.has(EXPECTED)) return -1;
  const lines = headers.getAll(EXPECTED);
  return lines.length === 1 ? Math.min(MAX_TIMER_MS, numberOf(lines[0] as string)) : -1;
}

/** Below 0 for what is none. */
function numberOf(text: string): number {
  if (!WHOLE.test(text)) return -1;
  const value = BigInt(text.replace('+', ''));
  return value > MAX_WHOLE ? -1 : Number(value);
}
