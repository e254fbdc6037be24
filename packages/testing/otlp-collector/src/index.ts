/**
 * An OTLP/HTTP collector for tests. It reads protobuf with a decoder of its own, which shares nothing with the SDK that
 * encodes, and keeps what came.
 * @packageDocumentation
 */
export { readLogs, readSpans, startCollector } from './collector.ts';
export type {
  Behaviour,
  Collector,
  CollectorOptions,
  ReceivedExport,
  ReceivedLog,
  ReceivedPoint,
  ReceivedSpan,
} from './collector.ts';
