import type { FieldTable } from '@tulle/fields';
import {
  TulleError,
  STOP,
  type AttemptInfo,
  type ConnectionInfo,
  type ErrorCode,
  type MutableHeaders,
  type RequestHead,
  type ResponseHead,
  type RouteInfo,
  type Slot,
} from '@tulle/filter';
import { BODY_NONE } from '@tulle/http1';
import type { StreamRecord } from '@tulle/telemetry';
import { rematch } from '../chain/route.ts';
import { passing, streaming } from '../chain/body-steps.ts';
import { recordFailure, recordRefusal } from '../chain/reply.ts';
import { setAuthority, setMethod, setPath, setQuery } from './request-edits.ts';
import { AT_ATTEMPTS, AT_REQUEST, AT_RESPONSE, protocolOf, type LentStream, type Stream } from './stream.ts';

/** Where the bytes of `stream.emit()` go. */
export interface Emitter {
  emit(bytes: Uint8Array): void;
}

/**
 * What filters see of a stream. A view is made once a stream, for the first filter that needs it, and loses its stream
 * when that completes: so a reference that somebody kept throws for ever and never shows another caller's request
 * (decision D2). Parts (`request`, `headers`, …) are made when they are first read.
 */
export class StreamView implements LentStream {
  #stream: Stream | undefined;
  #request: RequestView | undefined;
  #response: ResponseView | undefined;
  readonly #pipe: Emitter | undefined;

  /** @param pipe the data hooks that this view is lent to: where `emit` goes */
  constructor(stream: Stream, pipe: Emitter | undefined) {
    this.#stream = stream;
    this.#pipe = pipe;
  }

  /** The stream is over. */
  revoke(): void {
    this.#stream = undefined;
    this.#request?.revoke();
    this.#response?.revoke();
  }

  get connection(): ConnectionInfo {
    return (this.#stream ?? over()).downstream.connection;
  }

  get clientAddress(): string {
    const { clientAddress, downstream } = this.#stream ?? over();
    return clientAddress || downstream.connection.remoteAddress;
  }

  get request(): RequestHead {
    return (this.#request ??= new RequestView(this.#stream ?? over()));
  }

  get response(): ResponseHead {
    const stream = this.#stream ?? over();
    if (stream.status === 0)
      throw new TulleError(
        'TULLE_INTERNAL',
        'stream.response was read before there is a response; it exists from responseHeaders (or attemptEnd of an answered attempt) on.',
      );
    return (this.#response ??= new ResponseView(stream));
  }

  get route(): RouteInfo | undefined {
    const stream = this.#stream ?? over();
    return stream.target ?? stream.route;
  }

  get attempt(): AttemptInfo {
    const stream = this.#stream ?? over();
    if (stream.attemptCount === 0 && stream.phase < AT_RESPONSE) {
      throw new TulleError(
        'TULLE_INTERNAL',
        'stream.attempt was read before the first attempt; it exists in filters of scope attempt and in complete.',
      );
    }
    // Made anew each time, since few look at it and a stream may live long; it asks the view, which loses its stream.
    return new AttemptView(this);
  }

  /** The stream, for the parts; throws when it is over. */
  static streamOf(view: StreamView): Stream {
    return view.#stream ?? over();
  }

  get requestId(): string {
    return (this.#stream ?? over()).requestId;
  }

  reply(
    status: number,
    code: string,
    body?: string | Uint8Array,
    headers?: readonly string[],
    details?: string,
  ): typeof STOP {
    return recordRefusal(this.#stream ?? over(), status, code, body, headers, details);
  }

  rematch(): void {
    const stream = this.#stream ?? over();
    if (stream.phase >= AT_ATTEMPTS)
      throw new TulleError(
        'TULLE_INTERNAL',
        'stream.rematch() came after the upstream was asked; call it from requestHeaders.',
      );
    if (stream.requestPipe !== undefined)
      throw new TulleError(
        'TULLE_INTERNAL',
        "stream.rematch() came after the request's body had begun to pass the filters of its route; call it from requestHeaders.",
      );
    rematch(stream);
  }

  emit(bytes: Uint8Array): void {
    if (this.#stream === undefined) over();
    if (this.#pipe === undefined)
      throw new TulleError(
        'TULLE_INTERNAL',
        'stream.emit() outside a data hook: only requestData and responseData can replace bytes.',
      );
    this.#pipe.emit(bytes);
  }

  passResponseBody(): void {
    const stream = this.#stream ?? over();
    if (stream.phase !== AT_RESPONSE || stream.responseHeadDone)
      throw new TulleError(
        'TULLE_INTERNAL',
        'stream.passResponseBody() outside responseHeaders: the body is on its way, or there is no response yet.',
      );
    stream.responseChoices = [...stream.responseChoices, passing(stream.slot)];
  }

  streamResponseBody(): void {
    const stream = this.#stream ?? over();
    if (stream.phase !== AT_RESPONSE || stream.responseHeadDone)
      throw new TulleError(
        'TULLE_INTERNAL',
        'stream.streamResponseBody() outside responseHeaders: the body is on its way, or there is no response yet.',
      );
    stream.responseChoices = [...stream.responseChoices, streaming(stream.slot)];
  }

  passRequestBody(): void {
    const stream = this.#stream ?? over();
    if (stream.phase !== AT_REQUEST || stream.requestPipe !== undefined || stream.requestEnded)
      throw new TulleError(
        'TULLE_INTERNAL',
        'stream.passRequestBody() outside requestHeaders: the body is on its way.',
      );
    stream.requestChoices = [...stream.requestChoices, passing(stream.slot)];
    stream.requestStepsOf = undefined;
  }

  streamRequestBody(): void {
    const stream = this.#stream ?? over();
    if (stream.phase !== AT_REQUEST || stream.requestPipe !== undefined || stream.requestEnded)
      throw new TulleError(
        'TULLE_INTERNAL',
        'stream.streamRequestBody() outside requestHeaders: the body is on its way.',
      );
    stream.requestChoices = [...stream.requestChoices, streaming(stream.slot)];
    stream.requestStepsOf = undefined;
  }

  abort(code: ErrorCode, details?: string, status?: number): typeof STOP {
    recordFailure(this.#stream ?? over(), code, details, status);
    return STOP;
  }

  note(code: number, value: number): void {
    const stream = this.#stream ?? over();
    stream.note(stream.slot, code, value);
  }

  describe(render: (record: never) => string): string {
    const stream = this.#stream ?? over();
    return stream.engine.recorder.describe(stream, render as (record: StreamRecord) => string);
  }

  get<T>(slot: Slot<T>): T | undefined {
    return (this.#stream ?? over()).getSlot(slot);
  }

  set<T>(slot: Slot<T>, value: T): void {
    (this.#stream ?? over()).setSlot(slot, value);
  }
}

class RequestView implements RequestHead {
  #stream: Stream | undefined;
  #headers: HeadersView | undefined;
  #trailers: HeadersView | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  revoke(): void {
    this.#stream = undefined;
    this.#headers?.revoke();
    this.#trailers?.revoke();
  }

  get method(): string {
    return (this.#stream ?? over()).method;
  }

  set method(value: string) {
    setMethod(this.#stream ?? over(), value);
  }

  get path(): string {
    return (this.#stream ?? over()).path;
  }

  set path(value: string) {
    setPath(this.#stream ?? over(), value);
  }

  get query(): string | undefined {
    return (this.#stream ?? over()).query;
  }

  set query(value: string | undefined) {
    setQuery(this.#stream ?? over(), value);
  }

  get authority(): string {
    return (this.#stream ?? over()).authority;
  }

  set authority(value: string) {
    setAuthority(this.#stream ?? over(), value);
  }

  get scheme(): 'http' | 'https' {
    return (this.#stream ?? over()).scheme;
  }

  get protocol(): 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' {
    return protocolOf(this.#stream ?? over());
  }

  get headers(): MutableHeaders {
    return (this.#headers ??= new HeadersView((this.#stream ?? over()).headers));
  }

  get hasBody(): boolean {
    return (this.#stream ?? over()).requestBodyKind !== BODY_NONE;
  }

  get bodyLength(): number | undefined {
    const { requestBodyKind, requestLength } = this.#stream ?? over();
    return requestBodyKind === BODY_NONE || requestLength < 0 ? undefined : requestLength;
  }

  get trailers(): MutableHeaders {
    const stream = this.#stream ?? over();
    const table = stream.requestTrailers;
    if (table === undefined) return NO_TRAILERS;
    return (this.#trailers ??= new HeadersView(table));
  }
}

class ResponseView implements ResponseHead {
  #stream: Stream | undefined;
  #headers: HeadersView | undefined;
  #trailers: HeadersView | undefined;
  #table: FieldTable | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  revoke(): void {
    this.#stream = undefined;
    this.#headers?.revoke();
    this.#trailers?.revoke();
  }

  get status(): number {
    return (this.#stream ?? over()).status;
  }

  set status(value: number) {
    const stream = this.#stream ?? over();
    if (!Number.isInteger(value) || value < 200 || value > 599) {
      throw new TulleError(
        'TULLE_HEADER_INVALID',
        `response.status = ${String(value)}: give an integer from 200 to 599.`,
      );
    }
    stream.status = value;
    stream.ownReason = false;
  }

  get headers(): MutableHeaders {
    const table = (this.#stream ?? over()).responseFields;
    // A local reply after an endpoint's response has a table of its own.
    if (this.#table !== table) {
      this.#headers?.revoke();
      this.#headers = undefined;
      this.#table = table;
    }
    return (this.#headers ??= new HeadersView(table));
  }

  get trailers(): MutableHeaders {
    const table = (this.#stream ?? over()).responseTrailers;
    if (table === undefined) return NO_TRAILERS;
    return (this.#trailers ??= new HeadersView(table));
  }

  get bodyLength(): number | undefined {
    const { responseLength } = this.#stream ?? over();
    return responseLength < 0 ? undefined : responseLength;
  }

  get origin(): 'upstream' | 'local' {
    return (this.#stream ?? over()).responseLocal ? 'local' : 'upstream';
  }
}

class AttemptView implements AttemptInfo {
  readonly #view: StreamView;

  constructor(view: StreamView) {
    this.#view = view;
  }

  get number(): number {
    return StreamView.streamOf(this.#view).attemptCount;
  }

  get endpoint(): string {
    return StreamView.streamOf(this.#view).attempt.address;
  }

  get endpointIdentity(): string | undefined {
    return StreamView.streamOf(this.#view).attempt.identity;
  }

  get status(): number {
    return StreamView.streamOf(this.#view).attempt.status;
  }

  get grpcStatus(): number {
    return StreamView.streamOf(this.#view).attempt.grpcStatus;
  }

  get failure(): string | undefined {
    const { failure } = StreamView.streamOf(this.#view).attempt;
    return failure === '' ? undefined : failure;
  }

  get unsent(): boolean {
    return StreamView.streamOf(this.#view).attempt.unsent;
  }

  get repeatable(): boolean {
    return StreamView.streamOf(this.#view).attempt.repeatable;
  }

  get elapsedMs(): number {
    const stream = StreamView.streamOf(this.#view);
    return stream.engine.turn.nowMs - stream.attemptStartMs;
  }

  get retryDelayMs(): number {
    return StreamView.streamOf(this.#view).attempt.retryDelayMs;
  }

  set retryDelayMs(value: number) {
    const stream = StreamView.streamOf(this.#view);
    if (!(value >= 0))
      throw new TulleError(
        'TULLE_INTERNAL',
        `attempt.retryDelayMs = ${String(value)}: give milliseconds >= 0.`,
      );
    stream.attempt.retryDelayMs = value;
  }
}

class HeadersView implements MutableHeaders {
  #table: FieldTable | undefined;

  constructor(table: FieldTable) {
    this.#table = table;
  }

  revoke(): void {
    this.#table = undefined;
  }

  get length(): number {
    return (this.#table ?? over()).length;
  }

  name(index: number): string {
    return (this.#table ?? over()).name(index);
  }

  rawName(index: number): string {
    return (this.#table ?? over()).rawName(index);
  }

  value(index: number): string {
    return (this.#table ?? over()).value(index);
  }

  get(name: string): string | undefined {
    return (this.#table ?? over()).get(name);
  }

  getAll(name: string): string[] {
    return (this.#table ?? over()).getAll(name);
  }

  has(name: string): boolean {
    return (this.#table ?? over()).has(name);
  }

  forEach(fn: (name: string, value: string) => void): void {
    (this.#table ?? over()).forEach(fn);
  }

  set(name: string, value: string): void {
    (this.#table ?? over()).set(name, value);
  }

  append(name: string, value: string): void {
    (this.#table ?? over()).append(name, value);
  }

  remove(name: string): number {
    return (this.#table ?? over()).remove(name);
  }
}

const NO_HEADERS = Object.freeze({
  length: 0,
  name: outside,
  rawName: outside,
  value: outside,
  get: () => undefined,
  getAll: () => [],
  has: () => false,
  forEach: () => {},
});

const NO_TRAILERS: MutableHeaders = Object.freeze({
  ...NO_HEADERS,
  set: withoutTrailers,
  append: withoutTrailers,
  remove: () => 0,
});

function withoutTrailers(name: string): never {
  throw new TulleError(
    'TULLE_INTERNAL',
    `Trailer "${name}" was added to a message without trailers, or before they came.`,
  );
}

function outside(index: number): never {
  throw new RangeError(`Field line ${index} does not exist: the table has 0.`);
}

function over(): never {
  throw new TulleError(
    'TULLE_INTERNAL',
    'A filter touched a stream that is over. Streams are borrowed: keep nothing of them after complete, and copy what you need.',
  );
}
