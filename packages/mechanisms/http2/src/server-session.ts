import type { EncodeFault, RequestHead } from '@tulle/http1';
import type { FieldTable } from '@tulle/fields';
import { BAD_FRAMING, BAD_STATUS } from './encode-faults.ts';
import type { FrameOutput, Http2Events } from './events.ts';
import { SERVER_FAULTS } from './faults.ts';
import { FLOOD_RESET } from './flood-meter.ts';
import { IGNORED_FIELDS } from './message-fields.ts';
import type { Http2Options } from './options.ts';
import { RequestFields } from './request-fields.ts';
import { Http2Session } from './session.ts';
import { LOCAL_BODY, LOCAL_ENDED, LOCAL_HEAD, PEER_BODY, PEER_ENDED, type Http2Stream } from './stream.ts';
import {
  SETTINGS_ENABLE_CONNECT_PROTOCOL,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  SETTINGS_NO_RFC7540_PRIORITIES,
} from './wire.ts';

const STATUSES: readonly string[] = Array.from({ length: 600 }, (_, status) => String(status));

/** The side that answers requests. */
export class ServerSession<U> extends Http2Session<U> {
  readonly #fields: RequestFields;
  /** The highest stream of which anything came, taken or not. */
  #lastSeenId = 0;

  /** @param options defaults: {@link DEFAULT_OPTIONS} */
  constructor(events: Http2Events<U>, output: FrameOutput, options: Partial<Http2Options> = {}) {
    super(events, output, options, SERVER_FAULTS, true);
    this.#fields = new RequestFields(this.options);
  }

  protected roleSettings(): number[] {
    const settings = [SETTINGS_MAX_CONCURRENT_STREAMS, this.options.maxConcurrentStreams];
    if (this.options.connectProtocol) settings.push(SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    settings.push(SETTINGS_NO_RFC7540_PRIORITIES, 1);
    return settings;
  }

  protected isIdle(id: number): boolean {
    return id > this.#lastSeenId || (id & 1) === 0;
  }

  protected override isForgiven(id: number): boolean {
    // GOAWAY has told that streams above the last one taken are not looked at
    return super.isForgiven(id) || (this.goawayFinal && id > this.lastPeerId);
  }

  protected isPeerStream(id: number): boolean {
    return (id & 1) === 1;
  }

  protected onNewBlock(
    id: number,
    endStream: boolean,
    selfDependent: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    if ((id & 1) === 0) return this.fail('stream-id');
    this.#lastSeenId = id;
    if (this.goawayFinal) {
      this.decode(bytes, start, end, IGNORED_FIELDS);
      return;
    }
    this.lastPeerId = id;
    if (selfDependent) {
      if (this.decode(bytes, start, end, IGNORED_FIELDS)) this.streamError(id, undefined, 'self-dependency');
      return;
    }
    if (this.streams.size >= this.options.maxConcurrentStreams) {
      if (!this.decode(bytes, start, end, IGNORED_FIELDS)) return;
      this.refuse(id);
      // a peer that has not heard of the limit yet may pass it
      if (this.settingsAcked) this.spend(FLOOD_RESET);
      return;
    }
    const stream = this.take(id);
    const head = this.events.requestHead(stream);
    if (head === undefined || stream.id !== id || !stream.open) {
      // refused, or reset from inside the event
      const refused = stream.id === id && stream.open;
      if (refused) this.discard(stream);
      if (this.decode(bytes, start, end, IGNORED_FIELDS) && refused) this.refuse(id);
      return;
    }
    stream.head = head;
    this.#readHead(stream, head, endStream, bytes, start, end);
  }

  #readHead(
    stream: Http2Stream<U>,
    head: RequestHead,
    endStream: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const { id } = stream;
    const fields = this.#fields;
    fields.start(head);
    if (!this.decode(bytes, start, end, fields)) return;
    const rule = fields.finish(head, endStream);
    if (rule !== undefined) return this.streamError(id, stream, rule);
    stream.protocol = fields.protocol;
    stream.peer = endStream ? PEER_ENDED : PEER_BODY;
    const answered = fields.answeredRule;
    if (answered !== undefined) {
      stream.muted = true;
      const fault = this.faults[answered];
      this.events.onStreamFault(id, fault);
      if (stream.id === id && stream.open) this.events.onHeadFault(stream, fault, endStream);
    } else {
      if (head.method !== 'CONNECT') stream.expected = fields.length;
      this.events.onHead(stream, endStream);
    }
    if (endStream) this.afterPeerEnd(stream, id);
  }

  /** Never: a server's stream is in the table with its head. */
  protected onHeadBlock(): void {}

  /**
   * Writes an interim response.
   * @param status 100–199 but not 101
   * @returns undefined, or why nothing was written
   */
  writeInterim(
    stream: Http2Stream<U>,
    status: number,
    fields: FieldTable | undefined,
  ): EncodeFault | undefined {
    if (!Number.isInteger(status) || status < 100 || status > 199 || status === 101) return BAD_STATUS;
    if (!stream.open || stream.local !== LOCAL_HEAD) return BAD_FRAMING;
    if (this.failed || !this.hasRoom()) return undefined;
    const out = this.output.writer();
    const at = this.sender.beginBlock(out);
    this.encoder.field(out, ':status', STATUSES[status] as string);
    if (fields !== undefined) this.encoder.fields(out, fields);
    this.sender.endBlock(out, at, stream, false);
    this.sender.interimWritten(); // the final head follows: never END_STREAM here
    return undefined;
  }

  /**
   * Writes the final head. Framing, one-hop lines and Host of the table are left out.
   * @param status 200–599
   * @param contentLength -1 for none; also the length to announce to HEAD and with 304
   * @param endStream no body and no trailers follow
   * @returns undefined, or why nothing was written
   */
  writeHead(
    stream: Http2Stream<U>,
    status: number,
    fields: FieldTable,
    contentLength: number,
    endStream: boolean,
  ): EncodeFault | undefined {
    if (!Number.isInteger(status) || status < 200 || status > 599) return BAD_STATUS;
    if (!stream.open || stream.local !== LOCAL_HEAD || !Number.isSafeInteger(contentLength))
      return BAD_FRAMING;
    if (this.failed || !this.hasRoom()) return undefined;
    const out = this.output.writer();
    const at = this.sender.beginBlock(out);
    this.encoder.field(out, ':status', STATUSES[status] as string);
    this.encoder.fields(out, fields);
    if (contentLength >= 0) this.encoder.field(out, 'content-length', String(contentLength));
    this.sender.endBlock(out, at, stream, endStream);
    if (endStream) {
      stream.local = LOCAL_ENDED;
      this.onLocalEnd(stream);
    } else stream.local = LOCAL_BODY;
    return undefined;
  }
}
