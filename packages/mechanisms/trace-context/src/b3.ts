import { isId } from './hex.ts';
import {
  FLAG_SAMPLED,
  SAMPLED,
  UNDECIDED,
  UNSAMPLED,
  type Decision,
  type TraceContext,
} from './trace-context.ts';

/** Zipkin's B3 propagation, https://github.com/openzipkin/b3-propagation. */

const DASH = 45;

/**
 * Reads the single header `b3`: `<trace id>-<span id>[-<sampling>[-<parent>]]`, or a bare sampling state.
 * @returns false for anything malformed; `into` is untouched then
 */
export function parseB3(value: string, into: TraceContext): boolean {
  if (value.length === 1) {
    const decision = decisionOf(value);
    if (decision === UNDECIDED) return false;
    return fill(into, '', '', decision);
  }
  const idEnd = value.charCodeAt(16) === DASH ? 16 : 32;
  const spanEnd = idEnd + 17;
  if (
    value.length < spanEnd ||
    value.charCodeAt(idEnd) !== DASH ||
    !isId(value, 0, idEnd) ||
    !isId(value, idEnd + 1, spanEnd)
  )
    return false;
  let decision: Decision = UNDECIDED;
  if (value.length > spanEnd) {
    decision = decisionOf(value.charAt(spanEnd + 1));
    if (decision === UNDECIDED || value.charCodeAt(spanEnd) !== DASH) return false;
    const parent = spanEnd + 2;
    if (
      value.length > parent &&
      (value.length !== parent + 17 ||
        value.charCodeAt(parent) !== DASH ||
        !isId(value, parent + 1, parent + 17))
    )
      return false;
  }
  return fill(into, value.slice(0, idEnd), value.slice(idEnd + 1, spanEnd), decision);
}

/**
 * Reads the headers `X-B3-TraceId`, `X-B3-SpanId`, `X-B3-Sampled`, `X-B3-Flags`.
 * @returns false when they say nothing or are malformed; `into` is untouched then
 */
export function parseB3Multi(
  traceId: string | undefined,
  spanId: string | undefined,
  sampled: string | undefined,
  flags: string | undefined,
  into: TraceContext,
): boolean {
  let decision: Decision = UNDECIDED;
  if (flags === '1') decision = SAMPLED;
  else if (sampled === '1' || sampled === 'true') decision = SAMPLED;
  else if (sampled === '0' || sampled === 'false') decision = UNSAMPLED;
  else if (sampled !== undefined) return false;
  if (traceId === undefined && spanId === undefined)
    return decision !== UNDECIDED && fill(into, '', '', decision);
  if (
    traceId === undefined ||
    spanId === undefined ||
    (traceId.length !== 32 && traceId.length !== 16) ||
    spanId.length !== 16 ||
    !isId(traceId, 0, traceId.length) ||
    !isId(spanId, 0, 16)
  )
    return false;
  return fill(into, traceId, spanId, decision);
}

function fill(into: TraceContext, traceId: string, spanId: string, decision: Decision): boolean {
  // Short trace ids are the right half of long ones.
  into.traceId = traceId.length === 16 ? `0000000000000000${traceId}` : traceId;
  into.parentId = spanId;
  into.flags = decision === SAMPLED ? FLAG_SAMPLED : 0;
  into.decision = decision;
  into.w3c = false;
  return true;
}

/** `d` (debug) asks for spans too. */
function decisionOf(state: string): Decision {
  if (state === '0') return UNSAMPLED;
  return state === '1' || state === 'd' ? SAMPLED : UNDECIDED;
}

/** A trace id of 64 bits as such: whoever knows no longer ones would not take it otherwise. */
export function shortest(traceId: string): string {
  return traceId.startsWith('0000000000000000') ? traceId.slice(16) : traceId;
}

/** Writes the single header. */
export function formatB3(traceId: string, spanId: string, flags: number): string {
  return `${shortest(traceId)}-${spanId}-${flags & FLAG_SAMPLED}`;
}
