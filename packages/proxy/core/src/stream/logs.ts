import type { Headers } from '@tulle/filter';
import type { Sink, StreamRecord } from '@tulle/telemetry';
import type { StreamRef } from './stream-ref.ts';

/** Whether a stream is logged. @param headers of its request; `undefined` for a connection */
export type LogTest = (record: StreamRecord, headers: Headers | undefined) => boolean;

/** One access log of a chain. */
export interface CompiledLog {
  readonly sink: Sink;
  /** `null`: all. */
  readonly passes: LogTest | null;
}

/** The access logs of one chain; closed when nothing logs to them any more. */
export interface ChainLogs {
  readonly logs: readonly CompiledLog[];
  retain(): void;
  release(): void;
}

/** What makes the names of spans; `undefined`: they have those of others. */
export interface SpanNames {
  readonly operation: ((record: StreamRecord) => string) | undefined;
  readonly upstreamOperation: ((record: StreamRecord) => string) | undefined;
}

/** The tracing of one chain, in place of the engine's; its exporter is closed when nothing is traced by it any more. */
export interface ChainTracer {
  readonly tracing: { begin(stream: StreamRef): void; traceAttempt(stream: StreamRef): void };
  readonly sink: Sink;
  /** Where a route says nothing else. */
  readonly names: SpanNames;
  retain(): void;
  release(): void;
}
