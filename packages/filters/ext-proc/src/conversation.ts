import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { FilterHost, GrpcStream, GrpcStreamEvents } from '@tulle/filter';
import {
  ProcessingRequestSchema,
  ProcessingResponseSchema,
  type ImmediateResponse,
  type ProcessingRequest,
  type ProcessingResponse,
} from './gen/envoy/service/ext_proc/v3/external_processor_pb.js';

/** What can be told, each answered under the same name. */
export type Part = Exclude<ProcessingRequest['request']['case'], undefined>;

/** Why there is no answer that can be used: the label of the metric, and the words in the details. */
export type FailureReason = 'timeout' | 'service' | 'spurious' | 'invalid' | 'mutation' | 'overflow';

/** What came of a message. */
export type Answer =
  | { readonly kind: 'answer'; readonly response: ProcessingResponse }
  | { readonly kind: 'reply'; readonly reply: ImmediateResponse; readonly response: ProcessingResponse }
  /** The service has ended the call in peace: it wants to hear no more. */
  | { readonly kind: 'over' }
  | { readonly kind: 'failed'; readonly reason: FailureReason; readonly message: string };

export interface Limits {
  readonly messageTimeoutMs: number;
  readonly maxMessageTimeoutMs: number;
}

interface Pending {
  readonly part: Part;
  resolve(answer: Answer): void;
  stopTimer(): void;
  /** The service may ask for more time once. */
  extended: boolean;
}

/** The service has as long to end a call that this side has ended. */
const LINGER_MS = 1_000;

/**
 * One stream's talk with the service. A message is answered before the next of its direction goes out, so that at most two are under
 * way, one of the request and one of the response.
 */
export class Conversation implements GrpcStreamEvents {
  readonly #host: FilterHost;
  readonly #limits: Limits;
  readonly #call: GrpcStream;
  readonly #pending: Pending[] = [];
  /** How it ended; whoever asks afterwards is told so. */
  #end: Answer | undefined;
  #stopLinger: (() => void) | undefined;

  /** @param open makes the call */
  constructor(host: FilterHost, limits: Limits, open: (events: GrpcStreamEvents) => GrpcStream) {
    this.#host = host;
    this.#limits = limits;
    this.#call = open(this);
  }

  /** Tells of a part. Never rejects. */
  ask(part: Part, request: ProcessingRequest): Promise<Answer> {
    if (this.#end !== undefined) return Promise.resolve(this.#end);
    return new Promise((resolve) => {
      const pending: Pending = { part, resolve, stopTimer: () => {}, extended: false };
      this.#pending.push(pending);
      this.#arm(pending, this.#limits.messageTimeoutMs);
      this.#call.send(toBinary(ProcessingRequestSchema, request));
    });
  }

  #arm(pending: Pending, delayMs: number): void {
    pending.stopTimer();
    pending.stopTimer = this.#host.after(delayMs, () =>
      this.#fail('timeout', `no answer to ${pending.part} within ${delayMs} ms`),
    );
  }

  /** The stream is over, or goes on without: the service is told so, and gets a moment to say the same. */
  close(): void {
    if (this.#end !== undefined) return;
    this.#finish({ kind: 'over' });
    this.#stopLinger = this.#host.after(LINGER_MS, () => this.#call.cancel());
    this.#call.end();
  }

  // — GrpcStreamEvents —

  message(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    let response: ProcessingResponse;
    try {
      response = fromBinary(ProcessingResponseSchema, bytes);
    } catch (error) {
      return this.#fail('invalid', `no message: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (response.overrideMessageTimeout !== undefined) {
      const { seconds, nanos } = response.overrideMessageTimeout;
      return this.#extend(Number(seconds) * 1_000 + nanos / 1e6);
    }
    const { case: part, value } = response.response;
    if (part === 'immediateResponse') {
      const [first] = this.#pending;
      const answer: Answer = { kind: 'reply', reply: value, response };
      return first === undefined ? this.#breakOff(answer) : this.#settle(first, answer);
    }
    const asked = this.#pending.find((pending) => pending.part === part);
    if (asked === undefined) {
      const awaited = this.#pending.map((pending) => pending.part).join(' and ') || 'nothing';
      return this.#fail('spurious', `it answered ${part ?? 'nothing'} where ${awaited} was to be answered`);
    }
    this.#settle(asked, { kind: 'answer', response });
  }

  over(status: number, text: string): void {
    this.#stopLinger?.();
    if (this.#end !== undefined) return;
    this.#finish(
      status === 0
        ? { kind: 'over' }
        : { kind: 'failed', reason: 'service', message: `gRPC status ${status} ${text}`.trimEnd() },
    );
  }

  /** What it asks for beyond the bound is passed over, as Envoy does. */
  #extend(delayMs: number): void {
    if (delayMs < 1 || delayMs > this.#limits.maxMessageTimeoutMs) return;
    for (const pending of this.#pending) {
      if (pending.extended) continue;
      pending.extended = true;
      this.#arm(pending, delayMs);
    }
  }

  #settle(pending: Pending, answer: Answer): void {
    pending.stopTimer();
    this.#pending.splice(this.#pending.indexOf(pending), 1);
    pending.resolve(answer);
  }

  #fail(reason: FailureReason, message: string): void {
    this.#breakOff({ kind: 'failed', reason, message });
  }

  #breakOff(end: Answer): void {
    this.#finish(end);
    this.#call.cancel();
  }

  #finish(end: Answer): void {
    this.#end = end;
    for (const pending of [...this.#pending]) this.#settle(pending, end);
  }
}
