import { errorRow } from '@tulle/filter';
import type { Engine } from '../engine.ts';
import type { ChainLogs } from '../stream/logs.ts';
import { describeConnection } from '../stream/describe-connection.ts';
import { recordConnection } from '../stream/record-connection.ts';
import type { Mutable } from '../stream/recorder.ts';
import type { StreamRecord } from '@tulle/telemetry';
import type { CountedSocket } from './counted-socket.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { ListenerConnection } from './serving.ts';

/** What is told that a connection is over. */
export interface ConnectionEnd {
  /** Called once, or more often: the first counts. @param last who served it at the end */
  close(last: ListenerConnection): void;
}

/** Nobody is told. */
export const NOBODY_TOLD: readonly ConnectionEnd[] = Object.freeze([]);

/** A line of the listener's own access logs about one connection, whatever became of it (Envoy `Listener.access_log`). */
export class ConnectionLog implements ConnectionEnd {
  /** As far as is known. */
  facts: ConnectionFacts;
  /** Name of the chain that took it; `''`: none did. */
  chain = '';
  flags: readonly string[] = [];
  details = '';
  code = '';
  protocol: StreamRecord['protocol'] = 'TCP';
  /** Counts the bytes of a connection that nobody counts otherwise. */
  socket: CountedSocket | undefined;
  readonly #engine: Engine;
  readonly #logs: ChainLogs;
  readonly #startMs: number;
  #closed = false;

  constructor(engine: Engine, logs: ChainLogs, facts: ConnectionFacts) {
    this.#engine = engine;
    this.#logs = logs;
    this.#startMs = engine.turn.nowMs;
    this.facts = facts;
    logs.retain();
  }

  /** No chain takes it. Flag and details are Envoy's. */
  unmatched(facts: ConnectionFacts): void {
    this.facts = facts;
    this.flags = ['NR'];
    this.details = 'filter_chain_not_found';
  }

  /** Somebody does not want it. */
  refused(code: string, details: string): void {
    const row = errorRow(code);
    this.code = code;
    this.details = details;
    this.flags = row === undefined || row.flag === '-' ? [] : [row.flag];
  }

  close(last: ListenerConnection): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#engine.recorder.logOther((record) => {
      this.#fill(record);
      last.describe?.(record);
    }, this.#logs.logs);
    this.#logs.release();
  }

  /** Another tells of the connection. */
  discard(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#logs.release();
  }

  #fill(record: Mutable<StreamRecord>): void {
    const { clock } = this.#engine;
    const { facts } = this;
    const durationMs = clock.nowMs() - this.#startMs;
    describeConnection(record, facts);
    record.ofListener = true;
    record.protocol = this.protocol;
    record.startEpochMs = clock.epochMs() - durationMs;
    record.durationMs = durationMs;
    record.code = this.code;
    record.details = this.details;
    record.flags = this.flags;
    record.bytesReceived = this.socket?.bytesRead ?? 0;
    record.bytesSent = this.socket?.bytesWritten ?? 0;
    // Where no chain took it, nobody numbers it.
    const id = this.chain === '' ? 0 : facts.id;
    record.downstream = recordConnection(id, 'TCP', facts, facts.tlsPeer);
    record.filterChain = this.chain;
  }
}
