import { DYNAMIC_METADATA, FILTER_STATE, type Headers } from '@tulle/filter';
import type {
  AttemptRecord,
  RecordConnection,
  RecordFieldBytes,
  RecordTimes,
  Sink,
  StreamRecord,
} from '@tulle/telemetry';
import { TLV_STATE } from '../listener/proxied-fields.ts';
import { localNameOf, remoteNameOf } from './connection-names.ts';
import { grpcStatusOf } from '../grpc/grpc-status.ts';
import type { Services } from '../services.ts';
import { disown, isThenable, messageOf } from '../thenable.ts';
import type { ChainTracer, CompiledLog } from './logs.ts';
import { downstreamOf, fieldBytesOf, timesOf, upstreamOf } from './record-lookups.ts';
import { MAX_NOTES, protocolOf, type Stream } from './stream.ts';

const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});
const NO_ATTEMPTS: readonly AttemptRecord[] = Object.freeze([]);
const NO_NOTES: Int32Array = new Int32Array(0);

const roomForNotes = (): Int32Array => new Int32Array(MAX_NOTES * 3);

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The one record object, filled anew for each stream and lent to the sinks. */
export class Recorder {
  readonly #engine: Services;
  readonly #sinks: readonly Sink[];
  /** Makes spans of what the engine itself traced, and of nothing else. */
  readonly #tracingSink: Sink | undefined;
  readonly #record: RecordView = new RecordView(roomForNotes());
  /** For streams that are not over. */
  #draft: RecordView | undefined;

  constructor(engine: Services, sinks: readonly Sink[], tracingSink: Sink | undefined) {
    this.#engine = engine;
    this.#sinks = sinks;
    this.#tracingSink = tracingSink;
  }

  /** Fills the record from a stream that is over and hands it out. */
  record(stream: Stream): void {
    const { logs, tracer } = stream.chain;
    if (this.#sinks.length === 0 && logs === null && tracer === undefined) return;
    const record = this.#record;
    this.#fill(record, stream);
    if (tracer === undefined || !record.sampled) this.hand(record);
    else this.#handTraced(tracer, record, stream);
    if (logs !== null) this.#log(logs, record, stream.headers);
    record.stream = undefined;
  }

  /** What the record of a stream says now, lent to `use`: the stream is about to be answered. */
  describe<T>(stream: Stream, use: (record: StreamRecord) => T): T {
    const record = (this.#draft ??= new RecordView(roomForNotes()));
    this.#fill(record, stream);
    record.status = stream.status;
    try {
      return use(record);
    } finally {
      record.stream = undefined;
    }
  }

  /** A line of the chain's logs alone about a stream that goes on: telemetry is told of what is over. */
  logMoment(stream: Stream, moment: NonNullable<StreamRecord['moment']>): void {
    const { logs } = stream.chain;
    if (logs === null) return;
    const record = (this.#draft ??= new RecordView(roomForNotes()));
    this.#fill(record, stream);
    record.moment = moment;
    this.#log(logs, record, stream.headers);
    record.moment = undefined;
    record.stream = undefined;
  }

  #fill(record: RecordView, stream: Stream): void {
    const { clock } = this.#engine;
    const { nowMs } = this.#engine.turn;
    const { connection } = stream.downstream;
    const { attempt, target, route, endpoint } = stream;
    record.stream = stream;
    record.requestId = stream.requestId;
    record.durationMs = nowMs - stream.startMs;
    record.startEpochMs = clock.epochMs() - record.durationMs;
    record.firstByteMs = stream.firstByteMs;
    record.upstreamServiceMs = stream.upstreamServiceMs;
    record.listener = connection.listener;
    record.direction = connection.direction;
    record.kind = 'http';
    record.protocol = protocolOf(stream);
    record.method = stream.method;
    record.path = stream.originalPath;
    record.query = stream.originalQuery;
    record.upstreamPath = stream.path === stream.originalPath ? undefined : stream.path;
    record.authority = stream.authority;
    record.status = stream.responseStarted || stream.responseEnded ? stream.status : 0;
    record.grpcStatus = stream.grpc ? grpcStatusOf(stream) : -1;
    record.code = stream.code;
    record.flags = stream.flags;
    record.details = stream.details;
    record.routeName = route?.name ?? '';
    record.routePattern = route?.pattern ?? '';
    record.routeTags = route?.tracing?.tags;
    record.cluster = target?.cluster ?? '';
    record.clusterStatName = stream.cluster?.statName;
    record.upstreamAddress = attempt.address;
    record.upstreamLabels = endpoint?.endpoint.labels ?? stream.cluster?.labels ?? NO_LABELS;
    record.upstreamIdentity = attempt.identity;
    record.peerIdentity = connection.peerIdentity;
    record.remoteAddress = stream.clientAddress || remoteNameOf(connection);
    record.remotePort = connection.remotePort;
    record.localAddress = localNameOf(connection);
    record.localPort = connection.localPort;
    record.tls = connection.tls;
    record.serverName = connection.serverName;
    record.bytesReceived = stream.bytesReceived;
    record.bytesSent = stream.bytesSent;
    record.requestMessages = stream.requestMessages;
    record.responseMessages = stream.responseMessages;
    record.attempts = attempt.records(stream.cluster?.name ?? '');
    record.retryRefused = stream.retryRefused;
    this.#trace(record, stream);
    stream.copyNotes(record.notes, 0);
    record.noteCount = stream.noteCount;
    record.configGeneration = stream.chain.generation;
  }

  /** A record for something that is no HTTP stream; `fill` sets what differs from an empty one. */
  recordOther(fill: (record: Mutable<StreamRecord>) => void, logs?: readonly CompiledLog[]): void {
    if (this.#sinks.length === 0 && logs === undefined) return;
    const record = new RecordView(NO_NOTES);
    fill(record);
    this.hand(record);
    if (logs !== undefined) this.#log(logs, record, undefined);
  }

  /** Lends what is known of something else than a stream. @returns what `use` does */
  describeOther<T>(fill: (record: Mutable<StreamRecord>) => void, use: (record: StreamRecord) => T): T {
    const record = new RecordView(NO_NOTES);
    fill(record);
    return use(record);
  }

  /** A line of these logs, about something that telemetry is not told of by itself. */
  logOther(fill: (record: Mutable<StreamRecord>) => void, logs: readonly CompiledLog[]): void {
    const record = new RecordView(NO_NOTES);
    fill(record);
    this.#log(logs, record, undefined);
  }

  hand(record: StreamRecord): void {
    for (let i = 0; i < this.#sinks.length; i++) this.#give(this.#sinks[i] as Sink, record);
  }

  /** The spans are the handler's own exporter's. */
  #handTraced(tracer: ChainTracer, record: RecordView, { route }: Stream): void {
    const { names } = tracer;
    const own = route?.tracing?.names;
    const operation = own?.operation ?? names.operation;
    const upstream = own?.upstreamOperation ?? names.upstreamOperation;
    if (operation !== undefined) record.operation = operation(record) || record.operation;
    record.upstreamOperation = upstream === undefined ? '' : upstream(record);
    for (let i = 0; i < this.#sinks.length; i++) {
      const sink = this.#sinks[i] as Sink;
      record.sampled = sink !== this.#tracingSink;
      this.#give(sink, record);
    }
    record.sampled = true;
    this.#give(tracer.sink, record);
  }

  #log(logs: readonly CompiledLog[], record: StreamRecord, headers: Headers | undefined): void {
    for (let i = 0; i < logs.length; i++) {
      const { passes, sink } = logs[i] as CompiledLog;
      if (passes === null || passes(record, headers)) this.#give(sink, record);
    }
  }

  #give(sink: Sink, record: StreamRecord): void {
    try {
      const result: unknown = sink.record(record);
      if (result !== undefined && isThenable(result))
        disown(result, (message) => this.#sinkFailed(sink, message));
    } catch (error) {
      this.#sinkFailed(sink, messageOf(error));
    }
  }

  #sinkFailed(sink: Sink, message: string): void {
    this.#engine.metrics.sinkErrors.add();
    this.#engine.log.error(`telemetry sink ${sink.name} failed: ${message}`, { sink: sink.name });
  }

  /** The engine's own part in the trace, or else what stands in `00-<trace id>-<span id>-<flags>` (W3C Trace Context). */
  #trace(record: RecordView, stream: Stream): void {
    const { trace } = stream;
    record.sampled = trace.sampled;
    record.parentSpanId = trace.parentSpanId;
    record.spanShared = trace.shared;
    record.traceFlags = trace.flags;
    record.traceState = trace.state;
    record.upstreamOperation = '';
    record.operation = trace.operation || (stream.route?.decorator?.operation ?? '');
    if (trace.traceId !== '') {
      record.traceId = trace.traceId;
      record.spanId = trace.spanId;
      return;
    }
    const value = stream.headers.get('traceparent');
    if (
      value !== undefined &&
      value.length >= 55 &&
      value.charCodeAt(2) === 45 &&
      value.charCodeAt(35) === 45 &&
      value.charCodeAt(52) === 45
    ) {
      record.traceId = value.slice(3, 35);
      record.spanId = value.slice(36, 52);
    } else {
      record.traceId = '';
      record.spanId = '';
    }
  }
}

class RecordView implements Mutable<StreamRecord> {
  stream: Stream | undefined = undefined;
  requestId = '';
  startEpochMs = 0;
  durationMs = 0;
  firstByteMs = -1;
  upstreamServiceMs = -1;
  listener = '';
  direction: StreamRecord['direction'] = 'unspecified';
  kind: StreamRecord['kind'] = 'http';
  ofListener = false;
  moment: StreamRecord['moment'] = undefined;
  protocol: StreamRecord['protocol'] = 'HTTP/1.1';
  method = '';
  path = '';
  query: string | undefined = undefined;
  upstreamPath: string | undefined = undefined;
  authority = '';
  status = 0;
  grpcStatus = -1;
  code = '';
  flags: readonly string[] = [];
  details = '';
  routeName = '';
  routePattern = '';
  cluster = '';
  clusterStatName: string | undefined = undefined;
  upstreamAddress = '';
  upstreamLabels: Readonly<Record<string, string>> = NO_LABELS;
  upstreamIdentity: string | undefined = undefined;
  peerIdentity: string | undefined = undefined;
  remoteAddress = '';
  remotePort = 0;
  localAddress = '';
  localPort = 0;
  tls = false;
  serverName: string | undefined = undefined;
  bytesReceived = 0;
  bytesSent = 0;
  requestMessages = 0;
  responseMessages = 0;
  attempts: readonly AttemptRecord[] = NO_ATTEMPTS;
  retryRefused = '';
  traceId = '';
  spanId = '';
  sampled = false;
  parentSpanId = '';
  spanShared = false;
  traceFlags = 0;
  traceState = '';
  operation = '';
  upstreamOperation = '';
  routeTags: readonly object[] | undefined = undefined;
  #downstream: RecordConnection | undefined = undefined;
  #upstream: RecordConnection | undefined = undefined;
  #hostname: string | undefined = undefined;
  #chain = '';
  readonly notes: Int32Array;
  noteCount = 0;
  configGeneration = 0;

  constructor(notes: Int32Array) {
    this.notes = notes;
  }

  requestHeader(name: string): string | undefined {
    return this.stream?.headers.get(name);
  }

  responseHeader(name: string): string | undefined {
    const { stream } = this;
    return stream === undefined || stream.status === 0 ? undefined : stream.responseFields.get(name);
  }

  responseTrailer(name: string): string | undefined {
    return this.stream?.responseTrailers?.get(name);
  }

  get downstream(): RecordConnection | undefined {
    return this.stream === undefined ? this.#downstream : downstreamOf(this.stream);
  }

  set downstream(given: RecordConnection | undefined) {
    this.#downstream = given;
  }

  get upstream(): RecordConnection | undefined {
    return this.stream === undefined ? this.#upstream : upstreamOf(this.stream);
  }

  set upstream(given: RecordConnection | undefined) {
    this.#upstream = given;
  }

  get upstreamHostname(): string | undefined {
    return this.stream === undefined ? this.#hostname : this.stream.endpoint?.endpoint.hostname;
  }

  set upstreamHostname(given: string | undefined) {
    this.#hostname = given;
  }

  get filterChain(): string {
    return this.stream === undefined ? this.#chain : this.stream.chain.name;
  }

  set filterChain(given: string) {
    this.#chain = given;
  }

  get times(): RecordTimes | undefined {
    return this.stream && timesOf(this.stream);
  }

  get fieldBytes(): RecordFieldBytes | undefined {
    return this.stream && fieldBytesOf(this.stream);
  }

  metadata(namespace: string): Readonly<Record<string, unknown>> | undefined {
    const all = this.stream?.getSlot(DYNAMIC_METADATA);
    return all !== undefined && Object.hasOwn(all, namespace) ? all[namespace] : undefined;
  }

  routeMetadata(namespace: string): Readonly<Record<string, unknown>> | undefined {
    const all = this.stream?.route?.notes;
    return all !== undefined && Object.hasOwn(all, namespace) ? all[namespace] : undefined;
  }

  filterState(key: string): string | Readonly<Record<string, unknown>> | undefined {
    const all = this.stream?.getSlot(FILTER_STATE);
    if (all !== undefined && Object.hasOwn(all, key)) return all[key];
    return key === TLV_STATE ? this.stream?.downstream.connection.proxied?.state : undefined;
  }
}
