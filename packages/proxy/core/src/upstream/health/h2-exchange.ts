import { FieldTable } from '@tulle/fields';
import { ResponseHead } from '@tulle/http1';
import {
  ClientSession,
  H2_CANCEL,
  H2_NO_ERROR,
  type Http2Events,
  type Http2Fault,
  type Http2Options,
  type Http2Stream,
} from '@tulle/http2';
import type { Engine } from '../../engine.ts';
import { readGrpcStatus } from '../../grpc/grpc-status.ts';
import { Http2Wire, type WireOwner } from '../../http2/wire.ts';
import type { Socket, SocketFault } from '../../ports.ts';

/** Of a body so much is kept where nothing is said: a message of gRPC's health checks needs a few bytes. */
const BODY_BYTES = 4_096;

/** Who asks. */
export interface ExchangeOwner {
  /** The answer is whole. @param grpcStatus of head or trailers; -1 for none @param body its beginning */
  answered(status: number, grpcStatus: number, body: Buffer, fields: FieldTable): void;
  /** There is no answer, or no whole one. Without a question under way it is not told. */
  broken(detail: string): void;
}

/** A question. */
export interface Question {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly fields: FieldTable;
  readonly body: Buffer | undefined;
}

/** An open HTTP/2 connection over which a health check asks, one question at a time. */
export class Http2Exchange implements WireOwner, Http2Events<undefined> {
  readonly session: ClientSession<undefined>;
  readonly #owner: ExchangeOwner;
  readonly #socket: Socket;
  readonly #wire: Http2Wire;
  readonly #keptBytes: number;
  readonly #head: ResponseHead = new ResponseHead();
  #stream: Http2Stream<undefined> | undefined;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #rule = '';
  #closed = false;

  /** @param keptBytes of an answer's body, which its owner is told */
  constructor(
    engine: Engine,
    socket: Socket,
    options: Partial<Http2Options>,
    owner: ExchangeOwner,
    keptBytes: number = BODY_BYTES,
  ) {
    this.#owner = owner;
    this.#keptBytes = keptBytes;
    this.#socket = socket;
    this.#wire = new Http2Wire(engine, socket, this);
    this.session = new ClientSession<undefined>(this, this.#wire.outbox, options);
    this.#wire.inTurn(() => this.session.start());
  }

  /** Whether it takes another question. */
  get usable(): boolean {
    return !this.#closed && this.session.canOpen;
  }

  ask({ method, authority, path, fields, body }: Question): void {
    this.#body = [];
    this.#bodyBytes = 0;
    this.#rule = '';
    this.#head.fields.reset();
    this.#wire.inTurn(() => {
      const { session } = this;
      const stream = (this.#stream = session.open(undefined, this.#head));
      const scheme = this.#socket.tls === undefined ? 'http' : 'https';
      const fault = session.writeRequestHead(
        stream,
        method,
        scheme,
        authority,
        path,
        fields,
        body === undefined ? -1 : body.length,
        body === undefined,
      );
      if (fault !== undefined) {
        this.#stream = undefined;
        return this.#owner.broken(`its request is not valid: ${fault.reason}`);
      }
      if (body === undefined) return;
      session.writeData(stream, body, 0, body.length, true);
      session.writeEnd(stream, undefined);
    });
  }

  /** Ends it, and the question under way, which is not told. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wire.inTurn(() => {
      if (this.#stream !== undefined) this.session.reset(this.#stream, H2_CANCEL);
      this.#stream = undefined;
      if (!this.session.failed) this.session.goaway(H2_NO_ERROR, false);
      this.#wire.outbox.flush();
      this.#socket.destroy();
    });
  }

  // — WireOwner —

  get deaf(): boolean {
    return this.#closed;
  }

  readDone(): void {}
  taken(): void {}

  peerEnded(): void {
    this.session.peerEnded();
    this.#lost('it ended the connection');
  }

  gone(fault: SocketFault | undefined): void {
    this.#lost(fault?.message ?? 'it closed the connection');
  }

  defect(defect: unknown): void {
    this.#lost(`a defect of the proxy: ${String(defect)}`);
  }

  // — Http2Events —

  requestHead(): undefined {}
  onHeadFault(): void {}
  onInformational(): void {}
  onClosed(): void {}
  onDrain(): void {}
  onSettings(): void {}
  onSettingsAck(): void {}
  onGoaway(): void {}
  onPong(): void {}

  onHead(_stream: Http2Stream<undefined>, endStream: boolean): void {
    if (endStream) this.#whole(undefined);
  }

  onData(
    stream: Http2Stream<undefined>,
    chunk: Buffer,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    const kept = Math.min(end - start, this.#keptBytes - this.#bodyBytes);
    if (kept > 0) this.#body.push(Buffer.from(chunk.subarray(start, start + kept)));
    this.#bodyBytes += end - start;
    this.session.consume(stream, end - start);
    if (endStream) this.#whole(undefined);
  }

  onEnd(_stream: Http2Stream<undefined>, trailers: FieldTable | undefined): void {
    this.#whole(trailers);
  }

  onReset(): void {
    if (this.#stream === undefined) return;
    this.#stream = undefined;
    this.#owner.broken(
      this.#rule === '' ? 'it reset the request' : `its answer broke a rule of HTTP/2: ${this.#rule}`,
    );
  }

  onStreamFault(_id: number, { rule }: Http2Fault): void {
    this.#rule = rule;
  }

  onFault({ rule }: Http2Fault): void {
    this.#rule = rule;
  }

  #whole(trailers: FieldTable | undefined): void {
    if (this.#stream === undefined) return;
    this.#stream = undefined;
    const { status, fields } = this.#head;
    const inTrailers = trailers === undefined ? -1 : readGrpcStatus(trailers);
    this.#owner.answered(
      status,
      inTrailers >= 0 ? inTrailers : readGrpcStatus(fields),
      Buffer.concat(this.#body),
      fields,
    );
  }

  #lost(detail: string): void {
    const asked = this.#stream !== undefined;
    this.#stream = undefined;
    this.close();
    if (asked) this.#owner.broken(detail);
  }
}

/** Whether an open connection speaks HTTP/2: ALPN decides, where it was asked; else what is known beforehand. */
export function speaksHttp2(socket: Socket, expected: boolean): boolean {
  const alpn = socket.tls?.alpn;
  return alpn === undefined ? expected : alpn === 'h2';
}
