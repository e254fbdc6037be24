import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Log } from '@tulle/filter';
import type { Clock } from '@tulle/time';
import type { GrpcMethod } from '@tulle/xds-proto/grpc';
import type { StreamProtocol, StreamResponse } from './messages.ts';
import { StreamFault } from './stream-fault.ts';

/** The call as grpc-js gives it. */
export type AdsCall<Message> = ServerDuplexStream<Message, Buffer>;

/** What a call moves. */
export interface StreamMachine {
  /** Whether the transport takes more. */
  writable(yes: boolean): void;
  /** When {@link expire} is to be called; `undefined`: not at all. */
  deadlineMs(): number | undefined;
  expire(): void;
}

/** What a call is bound to. */
export interface StreamCallOptions<Message> {
  readonly protocol: StreamProtocol<Message>;
  /** Bytes handed to the transport and not yet taken; past it the machine is told to wait. */
  readonly maxBufferedBytes: number;
  /** A stream whose client says nothing is ended after this long. */
  readonly firstRequestTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log | undefined;
  /** Who speaks, for the log. */
  readonly nodeId: () => string | undefined;
  /** `undefined` before the first request, and where there is none. */
  readonly machine: () => StreamMachine | undefined;
  readonly backpressure: () => void;
  /** A bound or the protocol was broken. */
  readonly faulty: () => void;
  readonly message: (message: Message) => void;
  /** Called once, last. */
  readonly ended: (how: 'clean' | 'lost') => void;
}

/** One stream's call: backpressure, timers, faults and the end. */
export interface StreamCall {
  /** Runs one step of the machine, and sets the timer for the next. What it throws ends the stream. */
  step(run: () => void): void;
  /** @returns bytes written */
  write(response: StreamResponse): number;
  /** Ends the stream with a status. */
  fail(code: status, details: string): void;
  over(): boolean;
}

export function bindCall<Message>(call: AdsCall<Message>, options: StreamCallOptions<Message>): StreamCall {
  const { clock, log } = options;
  let buffered = 0;
  let blocked = false;
  let over = false;
  let cancelTimer = clock.setTimer(options.firstRequestTimeoutMs, () => {
    options.faulty();
    fail(status.DEADLINE_EXCEEDED, 'The first request did not come in time.');
  });

  function finish(how: 'clean' | 'lost'): void {
    if (over) return;
    over = true;
    cancelTimer();
    options.ended(how);
  }

  function fail(code: status, details: string): void {
    if (over) return;
    finish('lost');
    call.emit('error', { code, details });
  }

  function step(run: () => void): void {
    if (over) return;
    try {
      run();
    } catch (cause) {
      options.faulty();
      const node = options.nodeId();
      if (cause instanceof StreamFault) {
        log?.warn('ADS stream ended: its client broke a rule', { node, reason: cause.message });
        return fail(cause.code, cause.message);
      }
      log?.error('ADS stream ended: defect', { node, error: cause });
      return fail(status.INTERNAL, 'The control plane failed to handle a request; its log has the reason.');
    }
    cancelTimer();
    const machine = options.machine();
    const at = machine?.deadlineMs();
    cancelTimer =
      at === undefined
        ? () => {}
        : clock.setTimer(Math.max(0, at - clock.nowMs()), () => step(() => machine?.expire()));
  }

  call.on('data', (message: Message) => {
    if (!over) options.message(message);
  });
  call.on('end', () => {
    // Also what Node says of a connection that was cut and of a cancelled stream; then the call is cancelled a turn or two later.
    turnsLater(TURNS_TO_CANCEL, () => {
      finish('clean');
      call.end();
    });
  });
  call.on('cancelled', () => finish('lost'));
  call.on('error', () => finish('lost'));
  call.on('close', () => finish('lost'));

  return {
    step,
    write(response) {
      const bytes = options.protocol.write(response);
      buffered += bytes.length;
      if (buffered >= options.maxBufferedBytes && !blocked) {
        blocked = true;
        options.backpressure();
        options.machine()?.writable(false);
      }
      call.write(bytes, () => {
        buffered -= bytes.length;
        if (!blocked || buffered >= options.maxBufferedBytes) return;
        blocked = false;
        step(() => options.machine()?.writable(true));
      });
      return bytes.length;
    },
    fail,
    over: () => over,
  };
}

/** Node tells of the end of a stream that was reset, closes it a turn later and tells grpc-js of that; twice as many, to be sure. */
const TURNS_TO_CANCEL = 4;

function turnsLater(turns: number, run: () => void): void {
  setImmediate(turns === 1 ? run : () => turnsLater(turns - 1, run));
}

/** Responses are written by the stream itself. */
export function rawResponses<Request, Response>(
  method: GrpcMethod<Request, Response>,
): GrpcMethod<Request, Buffer> {
  return { ...method, responseSerialize: (bytes) => bytes, responseDeserialize: (bytes) => bytes };
}
