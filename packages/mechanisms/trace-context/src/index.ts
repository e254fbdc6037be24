/**
 * Trace context on the wire: W3C `traceparent` and `tracestate`, Zipkin's B3; ids and the sampling decision. No platform
 * imports.
 * @packageDocumentation
 */
export {
  FLAG_RANDOM,
  FLAG_SAMPLED,
  FOUND_TRACESTATE,
  SAMPLED,
  TraceContext,
  UNDECIDED,
  UNSAMPLED,
} from './trace-context.ts';
export type { Decision } from './trace-context.ts';
export { formatTraceparent, parseTraceparent } from './traceparent.ts';
export { joinTracestate } from './tracestate.ts';
export { formatB3, parseB3, parseB3Multi } from './b3.ts';
export { createIds, isAmongSampled } from './ids.ts';
export type { Ids } from './ids.ts';
export { createPropagation } from './propagation.ts';
export type { ExtractFormat, InjectFormat, Propagation, TraceFields } from './propagation.ts';
