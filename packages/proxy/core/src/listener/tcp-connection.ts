import { LOCAL_FAILURE, NEUTRAL, type Outcome, SUCCESS } from '@tulle/balance';
import { errorRow, type ErrorCode, type ResponseFlag } from '@tulle/filter';
import { jitteredMs } from '@tulle/time';
import type { TcpChain } from '../compile/compiled-tcp.ts';
import type { Engine } from '../engine.ts';
import type { Socket, SocketEvents } from '../ports.ts';
import type { RecordConnection, StreamRecord } from '@tulle/telemetry';
import { connectionNumber } from '../stream/connection-number.ts';
import { describeConnection } from '../stream/describe-connection.ts';
import { recordConnection } from '../stream/record-connection.ts';
import type { Mutable } from '../stream/recorder.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { ConnectionHooks } from './conn-hooks.ts';
import { EndpointDial, type Dial, type DialOwner } from './dial.ts';
import { tellAnswer } from './kept-answer.ts';
import { TunnelDial } from './tunnel-dial.ts';
import { Relay, type RelayEnd } from './relay.ts';
import type { ListenerConnection, ServingListener } from './serving.ts';

/** What a connection that is over says of its endpoint: one that broke before it said a word has failed. */
function outcomeOf({ fault, side }: RelayEnd, bytes: number): Outcome {
  if (bytes > 0) return SUCCESS;
  return fault !== undefined && side === 'endpoint' ? LOCAL_FAILURE : NEUTRAL;
}

/** How a connection turned out to be one of bytes, where its port does not say so. */
export interface Detected {
  /** Its endpoint, as far as it is connected. */
  readonly dial: EndpointDial | undefined;
  readonly by: 'caller' | 'endpoint';
  /** The caller ended it without a word: where the endpoint says nothing either, there was nothing. */
  readonly silent: boolean;
}

/** One connection of a TCP chain: an endpoint is connected, then bytes flow. */
export class TcpConnection implements SocketEvents, ListenerConnection, DialOwner {
  readonly #engine: Engine;
  readonly #listener: ServingListener;
  readonly #chain: TcpChain;
  readonly plain: 'bytes' | undefined;
  readonly #socket: Socket;
  readonly #facts: ConnectionFacts;
  readonly #hooks: ConnectionHooks | undefined;
  readonly #startMs: number;
  readonly #dial: Dial;
  #held: Buffer[] = [];
  #peerEnded = false;
  #line: RecordConnection | undefined;
  #relay: Relay | undefined;
  #code = '';
  #details = '';
  /** How its protocol was detected, for its record. */
  readonly #detected: string;
  readonly #silent: boolean;
  #cancelDuration: (() => void) | undefined;
  #cancelLog: (() => void) | undefined;
  /** Of the line that is written now. */
  #moment: StreamRecord['moment'];
  #over = false;

  constructor(
    engine: Engine,
    listener: ServingListener,
    chain: TcpChain,
    socket: Socket,
    facts: ConnectionFacts,
    hooks: ConnectionHooks | undefined,
    first: Buffer | undefined,
    detected?: Detected,
  ) {
    this.#engine = engine;
    this.#listener = listener;
    this.#chain = chain;
    this.plain = socket.tls === undefined ? 'bytes' : undefined;
    this.#socket = socket;
    this.#facts = facts;
    this.#hooks = hooks;
    this.#startMs = engine.turn.nowMs;
    const Kind = chain.tunnel === undefined ? EndpointDial : TunnelDial;
    this.#dial = detected?.dial ?? new Kind(engine, chain, facts, this);
    this.#silent = detected?.silent ?? false;
    this.#detected = detected === undefined ? '' : `protocol_detected{bytes,${detected.by}}`;
    if (chain.maxDurationMs > 0)
      this.#cancelDuration = engine.clock.setTimer(
        jitteredMs(chain.maxDurationMs, chain.durationJitterPercent, engine.random),
        () => this.destroy(),
      );
    if (first !== undefined && first.length > 0) this.#held.push(first);
    chain.filters.retain();
    chain.accessLogs?.retain();
    socket.events = this;
    socket.pause();
  }

  /** Looks for an endpoint, once the listener knows this connection: what fails at once ends it there. */
  begin(): void {
    if (this.#chain.logMoments.start) this.#log('start');
    this.#logLater();
    const dial = this.#dial;
    if (dial.owner === this) return dial.begin();
    dial.owner = this;
    if (dial.connected) this.dialled();
  }

  dialled(): void {
    const dial = this.#dial;
    const hooks = this.#hooks;
    const socket = dial.take();
    this.#line = recordConnection(connectionNumber(), 'TCP', socket, socket.tls);
    const relay: Relay = new Relay(
      this.#engine,
      this.#socket,
      socket,
      {
        bufferLimitBytes: this.#listener.bufferLimitBytes,
        idleTimeoutMs: this.#chain.idleTimeoutMs,
        tap: hooks?.hasBytesHooks === true ? hooks : undefined,
      },
      (end) => {
        dial.end(outcomeOf(end, relay.endpoint.bytes));
        this.#relayOver(end);
      },
    );
    this.#relay = relay;
    this.#socket.tunnel?.accept();
    if (this.#chain.logMoments.connected) this.#log('connected');
    for (const bytes of this.#held.splice(0)) relay.caller.take(bytes, 0, bytes.length, true);
    if (this.#peerEnded) relay.caller.onEnd();
    const { heard } = dial;
    if (heard !== undefined) relay.endpoint.take(heard, 0, heard.length, true);
    if (dial.heardEnd) relay.endpoint.onEnd();
    if (!relay.over) this.#socket.resume();
  }

  notDialled(code: ErrorCode): void {
    if (!this.#over) this.#fail(code);
  }

  #relayOver(end: RelayEnd): void {
    if (this.#hooks !== undefined && this.#hooks.code !== '') {
      this.#code = this.#hooks.code;
      this.#details = this.#hooks.details;
    } else if (end.idle) this.#code = 'TULLE_STREAM_IDLE';
    else if (end.fault !== undefined)
      this.#code = end.side === 'caller' ? 'TULLE_DOWNSTREAM_CLOSED' : 'TULLE_UPSTREAM_RESET_AFTER_START';
    this.#finish();
  }

  #fail(code: ErrorCode): void {
    this.#code = code;
    this.#socket.tunnel?.refuse(errorRow(code)?.http ?? 503);
    this.#socket.destroy(true);
    this.#finish();
  }

  /** The end, once: counters, the record, the listener. */
  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelDuration?.();
    this.#cancelLog?.();
    this.#dial.end();
    if (!this.#silent || (this.#relay?.endpoint.bytes ?? 0) > 0) this.#record();
    this.#hooks?.close();
    this.#chain.filters.release();
    this.#chain.accessLogs?.release();
    this.#listener.connectionOver(this);
  }

  #record(): void {
    this.#engine.recorder.recordOther((record) => this.describe(record), this.#chain.accessLogs?.logs);
  }

  /** A line of the chain's logs alone: telemetry is told of what is over. */
  #log(moment: NonNullable<StreamRecord['moment']>): void {
    const logs = this.#chain.accessLogs?.logs;
    if (logs === undefined) return;
    this.#moment = moment;
    this.#engine.recorder.logOther((record) => this.describe(record), logs);
    this.#moment = undefined;
  }

  #logLater(): void {
    const { everyMs } = this.#chain.logMoments;
    if (everyMs === 0 || this.#over) return;
    this.#cancelLog = this.#engine.clock.setTimer(everyMs, () =>
      this.#inTurn(() => {
        this.#log('periodic');
        this.#logLater();
      }),
    );
  }

  describe(record: Mutable<StreamRecord>): void {
    const { clock } = this.#engine;
    const facts = this.#facts;
    const { cluster, endpoint, identity, exhausted, kept } = this.#dial;
    const row = errorRow(this.#code);
    const durationMs = clock.nowMs() - this.#startMs;
    describeConnection(record, facts);
    if (this.#moment !== undefined) record.moment = this.#moment;
    record.startEpochMs = clock.epochMs() - durationMs;
    record.durationMs = durationMs;
    record.code = this.#code;
    record.details = this.#details || (row?.details ?? this.#detected);
    const flags: ResponseFlag[] = row === undefined || row.flag === '-' ? [] : [row.flag];
    if (exhausted) flags.push('URX');
    record.flags = flags;
    record.routeName = this.#chain.name;
    record.cluster = cluster?.name ?? '';
    record.clusterStatName = cluster?.statName;
    record.upstreamAddress = endpoint?.address ?? '';
    record.upstreamLabels = endpoint?.endpoint.labels ?? cluster?.labels ?? {};
    record.upstreamIdentity = identity;
    if (kept !== undefined) tellAnswer(record, kept);
    record.upstream = this.#line;
    record.upstreamHostname = endpoint?.endpoint.hostname;
    record.filterChain = this.#chain.name;
    record.bytesReceived = this.#relay?.caller.bytes ?? 0;
    record.bytesSent = this.#relay?.endpoint.bytes ?? 0;
    record.configGeneration = this.#chain.generation;
  }

  // — the caller's socket until the relay takes it —

  onOpen(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    this.#held.push(Buffer.from(chunk.subarray(start, end)));
  }

  onEnd(): void {
    this.#peerEnded = true;
  }

  onDrain(): void {}

  onClose(): void {
    this.#inTurn(() => {
      if (this.#over) return;
      this.#code = 'TULLE_DOWNSTREAM_CLOSED';
      this.#finish();
    });
  }

  /** Bytes flow as long as the two want: only its listener's end closes it. */
  closeIfIdle(): void {}

  destroy(): void {
    this.#inTurn(() => {
      if (this.#relay !== undefined)
        this.#relay.finish({
          fault: { kind: 'local', reason: 'draining', message: 'draining' },
          side: 'none',
          idle: false,
        });
      else this.#fail('TULLE_DRAINING');
    });
  }

  #inTurn(run: () => void): void {
    this.#engine.inTurn(run, () => this.#fail('TULLE_INTERNAL'));
  }
}
