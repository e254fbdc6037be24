import type { HrTime, SpanContext, SpanKind, SpanStatus, SpanStatusCode } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace-base';
import type { SpanAttributes } from './attributes.ts';

/** What all spans of a proxy share. The resource is there once the SDK was loaded, before any span is exported. */
export interface SpanScope {
  resource: Resource | undefined;
  readonly name: string;
}

// The numbers of the API's enumerations, which are not loaded for them.
const SERVER: SpanKind = 1;
const CLIENT: SpanKind = 2;
const UNSET: SpanStatusCode = 0;
const ERROR: SpanStatusCode = 2;

const NO_STATUS: SpanStatus = Object.freeze({ code: UNSET });
const FAILED: SpanStatus = Object.freeze({ code: ERROR });
const NONE: [] = [];

/** Something that happened meanwhile. */
export interface SpanEvent {
  readonly name: string;
  readonly epochMs: number;
}

/** What a span is made of. */
export interface SpanParts {
  readonly name: string;
  readonly kind: 'server' | 'client';
  readonly traceId: string;
  readonly spanId: string;
  /** `''`: the trace begins with this span. */
  readonly parentSpanId: string;
  /** Whether the parent is another process's span. */
  readonly parentIsRemote: boolean;
  readonly traceFlags: number;
  readonly traceState: string;
  readonly startEpochMs: number;
  readonly endEpochMs: number;
  readonly failed: boolean;
  readonly attributes: SpanAttributes;
  /** The caller's span too. */
  readonly shared?: boolean;
  /** In the order in which they happened. Default none. */
  readonly events?: readonly SpanEvent[];
}

/** A span that is over, made from a record (decision D18): there never was a live one. */
export class RecordSpan implements ReadableSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly parentSpanContext?: SpanContext;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly duration: HrTime;
  readonly status: SpanStatus;
  readonly attributes: SpanAttributes;
  readonly links: [] = NONE;
  readonly events: TimedEvent[];
  readonly ended = true;
  readonly instrumentationScope: { readonly name: string };
  readonly droppedAttributesCount = 0;
  readonly droppedEventsCount = 0;
  readonly droppedLinksCount = 0;
  readonly failed: boolean;
  readonly shared: boolean;
  readonly #context: SpanContext;
  readonly #scope: SpanScope;

  constructor(parts: SpanParts, scope: SpanScope) {
    const { traceId, traceFlags, traceState, parentSpanId } = parts;
    this.name = parts.name;
    this.kind = parts.kind === 'server' ? SERVER : CLIENT;
    this.#context = {
      traceId,
      spanId: parts.spanId,
      traceFlags,
      ...(traceState === '' ? {} : { traceState: new TraceStateText(traceState) }),
    };
    if (parentSpanId !== '')
      this.parentSpanContext = { traceId, spanId: parentSpanId, traceFlags, isRemote: parts.parentIsRemote };
    this.startTime = hrTime(parts.startEpochMs);
    this.endTime = hrTime(parts.endEpochMs);
    this.duration = hrTime(Math.max(parts.endEpochMs - parts.startEpochMs, 0));
    this.status = parts.failed ? FAILED : NO_STATUS;
    this.attributes = parts.attributes;
    this.events = (parts.events ?? []).map(({ name, epochMs }) => ({ name, time: hrTime(epochMs) }));
    this.failed = parts.failed;
    this.shared = parts.shared ?? false;
    this.instrumentationScope = scope;
    this.#scope = scope;
  }

  get resource(): Resource {
    const { resource } = this.#scope;
    if (resource === undefined) throw new Error('a span was read before the SDK was there');
    return resource;
  }

  spanContext(): SpanContext {
    return this.#context;
  }
}

/** A `tracestate` that is only passed on. */
class TraceStateText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get(key: string): string | undefined {
    const member = this.#text.split(',').find((one) => one.startsWith(`${key}=`));
    return member?.slice(key.length + 1);
  }

  set(): this {
    return this;
  }

  unset(): this {
    return this;
  }

  serialize(): string {
    return this.#text;
  }
}

/** Whole microseconds. */
export const hrTimeToMicros = ([seconds, nanoseconds]: HrTime): number =>
  seconds * 1e6 + Math.round(nanoseconds / 1000);

/** Seconds and nanoseconds. */
export function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = Math.round((ms - seconds * 1000) * 1e6);
  return nanoseconds >= 1e9 ? [seconds + 1, nanoseconds - 1e9] : [seconds, nanoseconds];
}
