import { FieldTable } from '@tulle/fields';
import { TulleError, type FetchReply } from '@tulle/filter';
import { BODY_LENGTH, BODY_NONE } from '@tulle/http1';
import { requestData, requestEnd } from '../chain/request-body.ts';
import type { ForwardTarget, HttpChain } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { rescue } from '../rescue.ts';
import type { Stream } from '../stream/stream.ts';
import { OwnCall, type OutgoingHead } from './own-call.ts';

/** A filter's request, whole. */
export interface OutgoingCall extends OutgoingHead {
  readonly body: Buffer | undefined;
  readonly maxBodyBytes: number;
}

/** A call whose request is there whole and whose response is collected. */
export class FetchCall extends OwnCall {
  readonly #call: OutgoingCall;
  readonly #resolve: (reply: FetchReply) => void;
  readonly #reject: (error: Error) => void;
  #status = 0;
  #fields: FieldTable | undefined;
  #trailers: FieldTable | undefined;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(
    engine: Engine,
    call: OutgoingCall,
    resolve: (reply: FetchReply) => void,
    reject: (error: Error) => void,
  ) {
    super(engine, call);
    this.#call = call;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Asks an endpoint. @param timeoutMs what is left of the caller's time, > 0 */
  start(chain: HttpChain, target: ForwardTarget, timeoutMs: number): void {
    const { body } = this.#call;
    this.inTurn(() => {
      const stream = this.beginStream(chain, target);
      const { generation } = stream;
      if (body !== undefined) {
        stream.requestBodyKind = BODY_LENGTH;
        stream.requestLength = body.length;
        stream.maxReplayBytes = body.length;
      } else stream.requestBodyKind = BODY_NONE;
      stream.armRequestTimer(timeoutMs);
      this.engine.doors.beginAttempts(stream);
      const under = (): boolean => stream.live && stream.generation === generation;
      if (body !== undefined && body.length > 0 && under()) requestData(stream, body, 0, body.length, true);
      if (under()) requestEnd(stream, undefined);
    });
  }

  protected settle(): void {
    if (this.failure !== undefined) return this.#reject(this.failure);
    if (this.#fields === undefined)
      return this.#reject(new TulleError('TULLE_UPSTREAM_RESET', 'the call ended without a reply'));
    const [first] = this.#pieces;
    const body = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces);
    this.#resolve({
      status: this.#status,
      headers: this.#fields,
      trailers: this.#trailers ?? new FieldTable(),
      body,
    });
  }

  protected answered(stream: Stream): void {
    this.#status = stream.status;
    (this.#fields = new FieldTable()).copyFrom(stream.responseFields);
  }

  protected received(stream: Stream, chunk: Buffer, start: number, end: number): void {
    this.#bytes += end - start;
    const { maxBodyBytes } = this.#call;
    if (this.#bytes > maxBodyBytes)
      return rescue(stream, 'TULLE_UPSTREAM_PROTOCOL', `response_payload_too_large{fetch,${maxBodyBytes}}`);
    this.#pieces.push(Buffer.from(chunk.subarray(start, end)));
  }

  writeEnd(_stream: Stream, trailers: FieldTable | undefined): void {
    if (trailers !== undefined) (this.#trailers = new FieldTable()).copyFrom(trailers);
  }
  pauseRequest(): void {}
  resumeRequest(): void {}
}
