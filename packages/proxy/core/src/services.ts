import type { FieldTable } from '@tulle/fields';
import type {
  ClusterHealth,
  Exchange,
  ExchangeEvents,
  ExchangeRequest,
  FetchReply,
  FetchRequest,
  Log,
} from '@tulle/filter';
import type { Demand } from '@tulle/model';
import type { StreamRecord } from '@tulle/telemetry';
import type { Clock, TimerWheel } from '@tulle/time';
import type { ReplayAccount } from './attempts/replay.ts';
import type { WaitingRequest } from './demands.ts';
import type { Doors } from './doors.ts';
import type { EngineMetrics } from './engine-metrics.ts';
import type { EngineLimits } from './limits.ts';
import type { OverloadGate } from './overload/overload-manager.ts';
import type { StreamRef } from './stream/stream-ref.ts';
import type { Turn } from './turn.ts';

/** Something that is closed at its end. */
export interface Closable {
  close(): void;
}

/** Makes the calls of filters. */
export interface FilterCalls {
  fetch(request: FetchRequest, owner: object): Promise<FetchReply>;
  exchange(request: ExchangeRequest, events: ExchangeEvents, owner: object): Exchange;
  /** The filter is gone: its calls end. */
  release(owner: object): void;
  close(): void;
  /** How many endpoints of a cluster are fit to be asked. */
  health(name: string): ClusterHealth | undefined;
}

/** What every room shares of its engine (`engine.ts` makes it): the rooms know this, the engine knows the rooms. */
export interface Services {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly doors: Doors;
  readonly log: Log;
  readonly metrics: EngineMetrics;
  readonly limits: EngineLimits;
  readonly turn: Turn;
  /** Sheds load; a request compares its `admitUntilMs`. */
  readonly overload: OverloadGate;
  readonly replayAccount: ReplayAccount;
  newTable(): FieldTable;
  /** Of latin1 text. Proves nothing here but that a WebSocket handshake was read (RFC 6455 §4.2.2). */
  sha1(text: string): Buffer;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Makes a request id. */
  readonly requestId: () => string;
  readonly streams: {
    /** Streams under way. */
    active: number;
    /** A stream completed and was reset. */
    ended(stream: StreamRef): void;
    /** Makes the object available again. */
    put(stream: StreamRef): void;
  };
  readonly recorder: {
    record(stream: StreamRef): void;
    hand(record: StreamRecord): void;
    logMoment(stream: StreamRef, moment: NonNullable<StreamRecord['moment']>): void;
    describe<T>(stream: StreamRef, use: (record: StreamRecord) => T): T;
  };
  /** Keeps what was decided for streams that are over. */
  readonly decisions: { keep(stream: StreamRef): void };
  /** Absent unless a telemetry plugin asks for it. */
  readonly tracing: { begin(stream: StreamRef): void; traceAttempt(stream: StreamRef): void } | undefined;
  /** Has things looked for that requests need; `undefined`: nobody looks. */
  readonly demands: { ask(demand: Demand, request: WaitingRequest): void } | undefined;
  /** Sends copies of a request elsewhere. */
  readonly mirrors: { start(original: StreamRef): void };
  /** Engine code threw while it worked for `stream`. */
  defect(stream: StreamRef, defect: unknown): void;
  logDefect(defect: unknown): void;
}
