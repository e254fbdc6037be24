import type { Meter, StreamRecord, TelemetryHost } from '@tulle/telemetry';
import { observeDelivery } from './observe-counts.ts';

/** Envoy's defaults. */
const FLUSH_INTERVAL_MS = 1_000;
const BUFFER_BYTES = 16_384;
/** Bytes held while the service is slow, those under way included. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
const COMPLAINT_INTERVAL_MS = 60_000;

/** An access log that a service keeps. */
export interface ServiceLog {
  record(record: StreamRecord): undefined;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Whom it is sent to, and when. */
export interface ServiceTarget {
  readonly cluster: string;
  readonly flushIntervalMs?: number;
  readonly bufferBytes?: number;
}

/** What is sent. */
export interface ServiceMessages {
  /** What its statistics are called: `grpc_access_log.` and the like, with the dot (Envoy, "access_logs.<this>logs_written"). */
  readonly stats: string;
  /** Which batch a record goes into: of so many. */
  lane(record: StreamRecord): number;
  readonly lanes: number;
  /** A record, encoded. */
  entry(record: StreamRecord): Uint8Array;
  /** A message of the entries of a lane. */
  message(lane: number, entries: readonly Uint8Array[]): Uint8Array;
  /** Sends a message. Rejects where it was not taken. */
  deliver(message: Uint8Array): Promise<void>;
}

interface Waiting {
  readonly lane: number;
  readonly entries: Uint8Array[];
  bytes: number;
}

/** Sends records to a service, a batch a call, one after the other; what it holds is bounded. */
export function createServiceLog(
  to: ServiceTarget,
  messages: ServiceMessages,
  host: TelemetryHost,
  meter: Meter | undefined,
): ServiceLog {
  const { cluster, flushIntervalMs = FLUSH_INTERVAL_MS, bufferBytes = BUFFER_BYTES } = to;
  const counts = { lines: 0, dropped: 0, errors: 0, delivered: 0 };
  const lanes = Array.from({ length: messages.lanes }, (_, lane): Waiting => ({
    lane,
    entries: [],
    bytes: 0,
  }));
  /** Of all that waits or is under way. */
  let heldBytes = 0;
  let cancelTimer: (() => void) | undefined;
  let last: Promise<void> = Promise.resolve();
  let complainedAtMs = Number.NEGATIVE_INFINITY;

  const complain = (message: string): void => {
    const nowMs = performance.now();
    if (nowMs - complainedAtMs < COMPLAINT_INTERVAL_MS) return;
    complainedAtMs = nowMs;
    host.log.warn(`access log to ${cluster}: ${message}`);
  };

  const send = (waiting: Waiting): void => {
    const entries = waiting.entries.splice(0);
    if (entries.length === 0) return;
    const { bytes } = waiting;
    waiting.bytes = 0;
    const message = messages.message(waiting.lane, entries);
    last = last.then(async () => {
      try {
        await messages.deliver(message);
        counts.delivered += entries.length;
      } catch (error) {
        counts.errors += 1;
        counts.dropped += entries.length;
        complain(
          `${entries.length} records given up: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      heldBytes -= bytes;
    });
  };

  const sendAll = (): void => {
    cancelTimer?.();
    cancelTimer = undefined;
    for (const waiting of lanes) send(waiting);
  };

  const stops = observeDelivery(meter, cluster, messages.stats, counts);

  const flush = async (): Promise<void> => {
    sendAll();
    await last;
  };
  return {
    record(record) {
      const waiting = lanes[messages.lane(record)] as Waiting;
      const entry = messages.entry(record);
      if (heldBytes + entry.length > MAX_QUEUED_BYTES) {
        counts.dropped += 1;
        return;
      }
      counts.lines += 1;
      heldBytes += entry.length;
      waiting.entries.push(entry);
      waiting.bytes += entry.length;
      if (waiting.bytes >= bufferBytes) send(waiting);
      else cancelTimer ??= host.after(flushIntervalMs, sendAll);
    },
    flush,
    async close() {
      await flush();
      for (const stop of stops) stop();
    },
  };
}
