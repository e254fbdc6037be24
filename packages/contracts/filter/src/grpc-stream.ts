import type { TulleError } from './error.ts';
import type { Exchange, ExchangeEvents, ExchangeRequest } from './exchange.ts';
import {
  authorityOf,
  GRPC_DEADLINE_EXCEEDED,
  GRPC_INTERNAL,
  GRPC_UNAVAILABLE,
  readGrpcEnd,
} from './grpc-call.ts';
import type { Headers } from './headers.ts';

/** A call of gRPC whose messages go both ways while it lasts. */
export interface GrpcStreamCall {
  /** Speaks HTTP/2. */
  readonly cluster: string;
  /** Default the cluster's name, as in Envoy, where that is a host. */
  readonly authority?: string;
  /** `/package.Service/Method` */
  readonly path: string;
  /** Flat `[name, value, …]`, names lower case. */
  readonly metadata?: readonly string[];
  /** A larger message ends the call with status INTERNAL. */
  readonly maxMessageBytes: number;
}

/** What comes of it: messages in order, then how it ended, once. Neither may throw. */
export interface GrpcStreamEvents {
  /** @param bytes one message, yours to keep */
  message(bytes: Uint8Array): void;
  /** @param status of gRPC, 0 for OK @param text what is said of it, `''` for nothing */
  over(status: number, text: string): void;
}

/** A call under way; it is made with its first message. After `over` and after `cancel` everything here is harmless. */
export interface GrpcStream {
  /** Sends a message, which is copied. */
  send(message: Uint8Array): void;
  /** See {@link Exchange.full}. */
  readonly full: boolean;
  /** No more messages come from here; the service may still say some. */
  end(): void;
  /** Nobody listens any more: `over` does not come. */
  cancel(): void;
}

/** Who makes such calls: a filter's host. */
export interface GrpcExchanger {
  exchange(request: ExchangeRequest, events: ExchangeEvents): Exchange;
}

const PREFIX_BYTES = 5;

/** Makes a call with messages both ways over the host's `exchange` (gRPC over HTTP/2, "Requests" and "Responses"). */
export function streamGrpc(host: GrpcExchanger, call: GrpcStreamCall, events: GrpcStreamEvents): GrpcStream {
  const { cluster, path: target, metadata = [] } = call;
  const reader = new MessageReader(call.maxMessageBytes, events);
  const exchange = host.exchange(
    {
      cluster,
      authority: authorityOf(call),
      target,
      headers: ['content-type', 'application/grpc', ...metadata],
    },
    reader,
  );
  reader.exchange = exchange;
  return {
    send(message) {
      const framed = new Uint8Array(PREFIX_BYTES + message.length);
      new DataView(framed.buffer).setUint32(1, message.length);
      framed.set(message, PREFIX_BYTES);
      exchange.send(framed);
    },
    get full() {
      return exchange.full;
    },
    end: () => exchange.end(),
    cancel() {
      reader.over = true;
      exchange.cancel();
    },
  };
}

/** Takes messages out of a reply as it comes. */
class MessageReader implements ExchangeEvents {
  exchange: Exchange | undefined;
  over = false;
  readonly #events: GrpcStreamEvents;
  readonly #maxBytes: number;
  #status = 0;
  #headers: Headers | undefined;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixed = 0;
  #message: Uint8Array | undefined;
  #read = 0;

  constructor(maxBytes: number, events: GrpcStreamEvents) {
    this.#maxBytes = maxBytes;
    this.#events = events;
  }

  head(status: number, headers: Headers): void {
    this.#status = status;
    this.#headers = headers;
  }

  data(bytes: Uint8Array): void {
    // What is no gRPC is judged by its status, not read.
    if (this.#status !== 200) return;
    for (let at = 0; at < bytes.length && !this.over;) {
      const message = this.#message;
      if (message === undefined) at = this.#readPrefix(bytes, at);
      else {
        const size = Math.min(message.length - this.#read, bytes.length - at);
        message.set(bytes.subarray(at, at + size), this.#read);
        this.#read += size;
        at += size;
      }
      this.#deliverWhole();
    }
  }

  #readPrefix(bytes: Uint8Array, from: number): number {
    const size = Math.min(PREFIX_BYTES - this.#prefixed, bytes.length - from);
    this.#prefix.set(bytes.subarray(from, from + size), this.#prefixed);
    this.#prefixed += size;
    if (this.#prefixed === PREFIX_BYTES) {
      const length = new DataView(this.#prefix.buffer).getUint32(1);
      if (this.#prefix[0] !== 0) this.#break('a message is compressed, which was not asked for');
      else if (length > this.#maxBytes)
        this.#break(`a message has ${length} bytes, more than the ${this.#maxBytes} allowed`);
      else this.#message = new Uint8Array(length);
    }
    return from + size;
  }

  #deliverWhole(): void {
    const message = this.#message;
    if (message === undefined || this.#read < message.length) return;
    this.#message = undefined;
    this.#prefixed = this.#read = 0;
    this.#events.message(message);
  }

  #break(text: string): void {
    this.exchange?.cancel();
    this.#finish(GRPC_INTERNAL, text);
  }

  end(trailers: Headers): void {
    const { status, text } = readGrpcEnd(this.#status, this.#headers ?? trailers, trailers);
    if (status === 0 && this.#prefixed > 0) this.#finish(GRPC_INTERNAL, 'the last message is cut short');
    else this.#finish(status, text);
  }

  failed({ code, message }: TulleError): void {
    const late = code === 'TULLE_REQUEST_TIMEOUT';
    this.#finish(late ? GRPC_DEADLINE_EXCEEDED : GRPC_UNAVAILABLE, `${code}: ${message}`);
  }

  #finish(status: number, text: string): void {
    if (this.over) return;
    this.over = true;
    this.#events.over(status, text);
  }
}
