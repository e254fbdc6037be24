import { FieldTable } from '@tulle/fields';
import type { Log } from '@tulle/filter';
import type { Discover } from '@tulle/model';
import type { Http1Limits } from '@tulle/http1';
import type { Meter, TracingSettings } from '@tulle/telemetry';
import { createTimerWheel, type Clock, type TimerWheel } from '@tulle/time';
import { goOn } from './chain/await-demand.ts';
import { ClosingSinks } from './compile/closing-sinks.ts';
import { DemandDesk } from './demands.ts';
import type { ProxyZone } from './options.ts';
import type { Doors } from './doors.ts';
import type { ReplayAccount } from './attempts/replay.ts';
import { EngineMetrics } from './engine-metrics.ts';
import { Takers } from './listener/handed-over.ts';
import { InternalListeners } from './internal/internal-listeners.ts';
import type { EngineLimits } from './limits.ts';
import type { TunnelCarriers } from './hbone/tunnel-carriers.ts';
import { OverloadManager } from './overload/overload-manager.ts';
import type { OverloadSettings } from './overload/options.ts';
import { beginPutOff } from './overload/put-off.ts';
import type { ResourceMonitor, Transport } from './ports.ts';
import { rescue } from './rescue.ts';
import type { Closable, FilterCalls, Services } from './services.ts';
import { DecisionRing } from './stream/decision-ring.ts';
import { Recorder } from './stream/recorder.ts';
import type { Stream } from './stream/stream.ts';
import { ProbeGate } from './upstream/health/probe-gate.ts';
import { StreamPool } from './stream/stream-pool.ts';
import { Tracing } from './stream/tracing.ts';
import { Turn } from './turn.ts';
import type { Sink } from '@tulle/telemetry';

/** What every room of one proxy shares. */
export class Engine implements Services {
  /** Whether the proxy takes its leave. */
  draining = false;
  /** Whether an operator has it fail health checks: it serves on, and asks callers to go elsewhere. */
  failsHealthChecks = false;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly transport: Transport;
  readonly doors: Doors;
  readonly log: Log;
  readonly meter: Meter;
  readonly metrics: EngineMetrics;
  readonly limits: EngineLimits;
  readonly responseLimits: Partial<Http1Limits>;
  readonly turn: Turn;
  readonly overload: OverloadManager;
  readonly streams: StreamPool;
  readonly recorder: Recorder;
  readonly decisions: DecisionRing;
  /** Absent unless a telemetry plugin asks for it. */
  readonly tracing: Tracing | undefined;
  readonly replayAccount: ReplayAccount;
  readonly demands: DemandDesk | undefined;
  /** Health checks under way. */
  readonly probes: ProbeGate;
  /** Upstream connections, so that they can be closed at the end. */
  readonly connections: Set<Closable> = new Set<Closable>();
  /** Access logs and tracers of chains that are gone. */
  readonly closing: ClosingSinks = new ClosingSinks();
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Where the proxy is, if somebody said so. */
  readonly zone: ProxyZone | undefined;
  /** Makes a request id. */
  readonly requestId: () => string;
  /** Makes the calls of filters; set by the proxy, which knows the clusters. */
  fetcher!: FilterCalls;
  /** Carries tunnels; set by the proxy. */
  hbone!: TunnelCarriers;
  /** Sends copies of requests; set by the proxy. */
  mirrors!: Services['mirrors'];
  /** Listeners that take connections of this process. */
  readonly internal: InternalListeners;
  /** Listeners that take connections which others accepted. */
  readonly takers: Takers = new Takers();
  /** Generation of the configuration in force. */
  generation = 0;
  #date = '';
  #dateSecond = -1;

  constructor(parts: {
    readonly doors: Doors;
    readonly clock: Clock;
    readonly transport: Transport;
    readonly log: Log;
    readonly meter: Meter;
    readonly limits: EngineLimits;
    readonly random: () => number;
    readonly sinks: readonly Sink[];
    readonly tracing: TracingSettings | undefined;
    /** The sink of the plugin that brought {@link tracing}. */
    readonly tracingSink: Sink | undefined;
    /** `undefined`: load is never shed. */
    readonly overload: OverloadSettings | undefined;
    readonly monitor: ResourceMonitor | undefined;
    readonly discover: Discover | undefined;
    readonly zone: ProxyZone | undefined;
  }) {
    this.clock = parts.clock;
    this.turn = new Turn(parts.clock);
    this.transport = parts.transport;
    this.doors = parts.doors;
    this.log = parts.log;
    this.meter = parts.meter;
    this.limits = parts.limits;
    this.random = parts.random;
    this.zone = parts.zone;
    this.internal = new InternalListeners(this.turn, parts.limits);
    this.wheel = createTimerWheel({ clock: parts.clock, onError: (error) => this.logDefect(error) });
    this.metrics = new EngineMetrics(parts.meter);
    this.responseLimits = {
      maxHeadBytes: parts.limits.maxResponseHeadersBytes,
      maxHeaders: parts.limits.maxResponseHeadersCount,
      maxInformational: parts.limits.maxInterimResponses,
      maxChunkExtensionBytes: parts.limits.maxChunkExtensionBytes,
      maxTrailerBytes: parts.limits.maxTrailerBytes,
      maxTrailers: parts.limits.maxTrailers,
    };
    this.replayAccount = {
      maxBytes: parts.limits.maxReplayBytesTotal,
      usedBytes: 0,
      overflows: this.metrics.replayOverflows,
    };
    this.demands =
      parts.discover === undefined
        ? undefined
        : new DemandDesk({ discover: parts.discover, meter: parts.meter, log: parts.log, goOn });
    this.probes = new ProbeGate(parts.limits.maxHealthChecks, this.metrics.healthChecksDelayed);
    this.requestId = requestIds(parts.random);
    this.recorder = new Recorder(this, parts.sinks, parts.tracingSink);
    this.decisions = new DecisionRing(this.turn, parts.limits, this.metrics.explainNotesDropped);
    this.tracing = parts.tracing === undefined ? undefined : new Tracing(parts.tracing, parts.random);
    this.streams = new StreamPool(this);
    this.overload = new OverloadManager({
      settings: parts.overload,
      monitor: parts.monitor,
      clock: parts.clock,
      wheel: this.wheel,
      meter: parts.meter,
      log: parts.log,
      random: parts.random,
      activeRequests: () => this.streams.active,
      begin: beginPutOff,
    });
  }

  newTable(): FieldTable {
    return new FieldTable();
  }

  sha1(text: string): Buffer {
    return this.transport.sha1(text);
  }

  /** `Date` of this second (RFC 9110 §6.6.1). */
  httpDate(): string {
    const second = Math.floor(this.clock.epochMs() / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }

  /** Engine code threw while it worked for `stream`: that stream gets a 500, the log the stack, the process lives on. */
  defect(stream: Stream, defect: unknown): void {
    this.logDefect(defect);
    try {
      rescue(stream, 'TULLE_INTERNAL');
    } catch (again) {
      this.logDefect(again);
    }
  }

  /** Runs what an event of a connection causes, as one turn. @param broken what becomes of the connection by a defect in that */
  inTurn(run: () => void, broken: () => void): void {
    this.turn.begin();
    try {
      run();
    } catch (defect) {
      this.logDefect(defect);
      broken();
    } finally {
      this.turn.end();
    }
  }

  logDefect(defect: unknown): void {
    this.metrics.defects.add();
    this.log.error(
      `a defect in Tulle, please report it: ${defect instanceof Error ? defect.message : String(defect)}`,
      {
        code: 'TULLE_INTERNAL',
        stack: defect instanceof Error ? defect.stack : undefined,
      },
    );
  }
}

/** Every group of four digits; made once, for all engines of a process (a test has many). */
let HEX4: readonly string[] | undefined;

/** Request ids in the shape of UUIDs (version 4): 122 random bits, drawn when they are needed. */
function requestIds(random: () => number): () => string {
  const hex4 = (HEX4 ??= Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0')));
  const part = (): string => hex4[(random() * 65_536) | 0] as string;
  return () => {
    const version = hex4[0x4000 | ((random() * 4096) | 0)] as string;
    const variant = hex4[0x8000 | ((random() * 16_384) | 0)] as string;
    return `${part()}${part()}-${part()}-${version}-${variant}-${part()}${part()}${part()}`;
  };
}
