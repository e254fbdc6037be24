/**
 * The telemetry contract: what the engine reports, and what an exporter receives. No dependencies.
 * @packageDocumentation
 */
export type {
  RecordCertificate,
  RecordConnection,
  RecordFieldBytes,
  RecordTimes,
  RecordTls,
} from './connection-facts.ts';
export type { AttemptRecord, StreamRecord } from './record.ts';
export { GRPC_STATUS_NAMES, grpcStatusOfHttp } from './grpc-status.ts';
export { isInternalName } from './internal-name.ts';
export { noMeter } from './meter.ts';
export type { Counter, Gauge, Histogram, InstrumentOptions, Labels, Meter } from './meter.ts';
export type {
  AccessLoggers,
  LineFile,
  AdminPage,
  Sink,
  TelemetryPlugin,
  TelemetryHost,
  Tracers,
  TracingSettings,
} from './sink.ts';
