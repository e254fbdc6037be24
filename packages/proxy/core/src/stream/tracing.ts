import type { TracingSettings } from '@tulle/telemetry';
import {
  createIds,
  createPropagation,
  FLAG_RANDOM,
  FLAG_SAMPLED,
  FOUND_TRACESTATE,
  isAmongSampled,
  joinTracestate,
  SAMPLED,
  TraceContext,
  UNDECIDED,
  type Ids,
  type Propagation,
} from '@tulle/trace-context';
import type { Stream } from './stream.ts';

/**
 * How the engine takes part in traces when a telemetry plugin asks for it. Whether a stream gets spans is decided when
 * its head came (decision D18); until it completes that is a few ids on the stream, and the record says the rest.
 *
 * A caller that made no spans: its fields pass as they are. A trace that begins here without spans is passed on as one,
 * so that no hop behind this one throws its dice again. With spans, each attempt shows its own span as the parent.
 */
export class Tracing {
  readonly #settings: TracingSettings;
  readonly #propagation: Propagation;
  /** Whether `traceparent` is among the formats that are written. */
  readonly #w3c: boolean;
  readonly #ids: Ids;
  /** Filled anew for each stream. */
  readonly #context: TraceContext = new TraceContext();

  /** @param random uniform in [0, 1) */
  constructor(settings: TracingSettings, random: () => number) {
    this.#settings = settings;
    this.#propagation = createPropagation(settings);
    this.#w3c = settings.inject.includes('w3c');
    this.#ids = createIds(random);
  }

  /** Decides for a stream whose head came. */
  begin(stream: Stream): void {
    const { headers } = stream;
    const context = this.#context;
    context.clear();
    if (!this.#settings.respectParent) this.#propagation.strip(headers);
    else if (this.#propagation.extract(headers, context) && context.decision !== UNDECIDED) {
      if (this.#settings.overridesCaller === true) context.flags &= ~FLAG_SAMPLED;
      else {
        if (context.decision === SAMPLED) return this.#sample(stream, context);
        if (context.traceId === '') return;
        this.#propagation.complete(headers, context);
        return this.#passOn(stream, context);
      }
    }
    // No caller decided, or none is to. B3 may have named a trace all the same.
    const begun = context.traceId === '' ? this.#begun() : undefined;
    if (begun !== undefined) {
      context.traceId = begun.slice(3, 35);
      context.flags = FLAG_RANDOM;
    }
    if (isAmongSampled(context.traceId, this.#ratio(stream))) return this.#sample(stream, context);
    if (begun === undefined)
      this.#propagation.inject(headers, context.traceId, context.parentId, context.flags);
    else {
      context.parentId = begun.slice(36, 52);
      this.#propagation.injectUnsampled(headers, begun, context.found);
    }
    this.#passOn(stream, context);
  }

  /** `traceparent` of a new trace. */
  #begun(): string {
    const text = this.#ids.unsampled();
    return this.#settings.shortTraceIds === true ? `00-0000000000000000${text.slice(19)}` : text;
  }

  /** Filters may lead the request to another route yet; as in Envoy, that of its head counts here. */
  #ratio(stream: Stream): number {
    const { headers, chain, path } = stream;
    const byRoute = this.#settings.routesDecide === true && chain.tracedByRoute && path !== '';
    const route = byRoute ? chain.matcher.match(stream)?.tracing : undefined;
    const { clientSampleRatio, sampleRatio } = route ?? this.#settings;
    return clientSampleRatio !== undefined && headers.has('x-client-trace-id')
      ? clientSampleRatio
      : sampleRatio;
  }

  #passOn(stream: Stream, context: TraceContext): void {
    // It belongs to a traceparent that is missing or cannot be read (W3C Trace Context §4.3).
    if (!context.w3c && (context.found & FOUND_TRACESTATE) !== 0) stream.headers.drop('tracestate');
    // Where traceparent is written, the record finds it there.
    if (this.#w3c) return;
    const trace = stream.ownTrace();
    trace.traceId = context.traceId;
    trace.spanId = context.parentId;
  }

  #sample(stream: Stream, context: TraceContext): void {
    const { headers } = stream;
    const trace = stream.ownTrace();
    if (context.traceId === '') {
      // A caller asked for spans and named no trace.
      context.traceId = this.#begun().slice(3, 35);
      context.flags = FLAG_RANDOM;
    }
    trace.sampled = true;
    trace.traceId = context.traceId;
    if (this.#settings.sharedSpan === true && context.parentId !== '') {
      trace.shared = true;
      trace.spanId = context.parentId;
      trace.parentSpanId = headers.get('x-b3-parentspanid') ?? '';
    } else {
      trace.parentSpanId = context.parentId;
      trace.spanId = this.#ids.spanId();
    }
    trace.flags = context.flags | FLAG_SAMPLED;
    if ((context.found & FOUND_TRACESTATE) === 0) return;
    const lines = headers.getAll('tracestate');
    trace.state = context.w3c ? joinTracestate(lines) : '';
    if (trace.state === '') headers.drop('tracestate');
    else if (lines.length > 1 || lines[0] !== trace.state) headers.put('tracestate', trace.state);
  }

  /** An attempt of a sampled stream begins: its span is what the endpoint sees as the parent. */
  traceAttempt(stream: Stream): void {
    const { trace, attempt } = stream;
    const ownSpan = this.#settings.spanPerAttempt ?? true;
    if (ownSpan) attempt.spanId = this.#ids.spanId();
    const parent = ownSpan ? attempt.spanId : trace.spanId;
    this.#propagation.inject(stream.headers, trace.traceId, parent, trace.flags);
  }
}
