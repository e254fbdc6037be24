import {
  isValidAuthority,
  isValidMethod,
  isValidTarget,
  type EncodeFault,
  type ResponseHead,
} from '@tulle/http1';
import { FIELD_TE, type FieldTable } from '@tulle/fields';
import {
  BAD_AUTHORITY,
  BAD_FRAMING,
  BAD_METHOD,
  BAD_TARGET,
  BAD_UPGRADE,
  TOO_LARGE,
} from './encode-faults.ts';
import type { FrameOutput, Http2Events } from './events.ts';
import { CLIENT_FAULTS } from './faults.ts';
import type { Http2Options } from './options.ts';
import { ResponseFields } from './response-fields.ts';
import { LINE_OVERHEAD_BYTES } from './section-bytes.ts';
import { Http2Session } from './session.ts';
import { LOCAL_BODY, LOCAL_ENDED, LOCAL_HEAD, PEER_BODY, PEER_ENDED, type Http2Stream } from './stream.ts';
import { CLIENT_PREFACE, MAX_STREAM_ID, SETTINGS_ENABLE_PUSH } from './wire.ts';

/** Streams until the peer has said its limit: RFC 9113 §6.5.2 recommends no limit below it. */
const UNTOLD_STREAMS = 100;

/** The side that sends requests. */
export class ClientSession<U> extends Http2Session<U> {
  readonly #fields: ResponseFields;
  #nextId = 1;
  #askedInVain = false;
  /** The last ones that were found valid. */
  #validAuthority: string | undefined = undefined;
  #validPath: string | undefined = undefined;

  /** @param options defaults: {@link DEFAULT_OPTIONS} */
  constructor(events: Http2Events<U>, output: FrameOutput, options: Partial<Http2Options> = {}) {
    super(events, output, options, CLIENT_FAULTS, false);
    this.#fields = new ResponseFields(this.options);
  }

  protected roleSettings(): number[] {
    this.output.writer().bytes(CLIENT_PREFACE);
    return [SETTINGS_ENABLE_PUSH, 0];
  }

  protected isIdle(id: number): boolean {
    return id >= this.#nextId || (id & 1) === 0;
  }

  protected isPeerStream(id: number): boolean {
    return (id & 1) === 0;
  }

  protected onNewBlock(id: number): void {
    this.fail((id & 1) === 0 ? 'stream-id' : 'stream-idle');
  }

  /**
   * Whether a stream can be opened now: below `maxConcurrentStreams`, no GOAWAY, ids left, and the origin reads: less than half
   * of `maxOutputBytes` waits for it (heads are not flow controlled). Also before the peer's SETTINGS came.
   */
  get canOpen(): boolean {
    if (!this.#hasId) return false;
    // `pump` tells when an owner who asked in vain may ask again
    this.#askedInVain = this.output.queuedBytes * 2 >= this.options.maxOutputBytes;
    return !this.#askedInVain;
  }

  get #hasId(): boolean {
    return !this.closing && this.streams.size < this.maxConcurrentStreams;
  }

  override pump(): void {
    super.pump();
    if (this.#askedInVain && this.settled && this.canOpen) this.events.onSettings();
  }

  /** Whether no stream will ever be opened again: GOAWAY came or was sent, ids are used up, the connection failed or ended. */
  get closing(): boolean {
    return this.failed || this.goawayReceived || this.goawaySent || this.#nextId > MAX_STREAM_ID;
  }

  /** The peer's limit, capped by ours; at most 100 until its SETTINGS came. */
  get maxConcurrentStreams(): number {
    const peer = this.settled ? this.peerSettings.maxConcurrentStreams : UNTOLD_STREAMS;
    return Math.min(peer, this.options.maxConcurrentStreams);
  }

  /** The id of the stream that `open` gives next. */
  get nextStreamId(): number {
    return this.#nextId;
  }

  /**
   * Opens a stream. Write its head at once, in the order of opening.
   * @throws Error when no stream can be opened (an origin that does not read is no reason): ask `canOpen` first
   */
  open(user: U, responseHead: ResponseHead): Http2Stream<U> {
    if (!this.#hasId)
      throw new Error('No stream can be opened on this HTTP/2 connection now: ask `canOpen` first.');
    const stream = this.take(this.#nextId);
    this.#nextId += 2;
    stream.user = user;
    stream.head = responseHead;
    return stream;
  }

  /**
   * Writes the request head. Framing, one-hop lines and Host of the table are left out, but `te: trailers` stays.
   * @param scheme 'http' or 'https'
   * @param authority becomes :authority, whatever the table says
   * @param path path and query, `*` for OPTIONS; ignored for a CONNECT without `protocol`
   * @param contentLength -1 for none
   * @param protocol `:protocol` of an extended CONNECT
   * @returns undefined, or why nothing was written: then the stream is over, without an event
   */
  writeRequestHead(
    stream: Http2Stream<U>,
    method: string,
    scheme: string,
    authority: string,
    path: string,
    fields: FieldTable,
    contentLength: number,
    endStream: boolean,
    protocol?: string,
  ): EncodeFault | undefined {
    const fault =
      this.#judge(stream, method, authority, path, contentLength, protocol) ??
      (this.takesHead(fields, lineBytes(method, scheme, authority, path, contentLength, protocol))
        ? undefined
        : TOO_LARGE);
    if (fault !== undefined) {
      if (stream.open && stream.local === LOCAL_HEAD) this.discard(stream);
      return fault;
    }
    if (this.failed || !this.hasRoom()) return undefined;
    const { encoder, sender } = this;
    const out = this.output.writer();
    const at = sender.beginBlock(out);
    encoder.field(out, ':method', method);
    const tunnel = method === 'CONNECT' && protocol === undefined;
    if (!tunnel) {
      encoder.field(out, ':scheme', scheme);
      encoder.field(out, ':path', path);
    }
    encoder.field(out, ':authority', authority);
    if (protocol !== undefined) encoder.field(out, ':protocol', protocol);
    encoder.fields(out, fields);
    const te = fields.indexOfId(FIELD_TE);
    if (te >= 0 && /\btrailers\b/i.test(fields.value(te))) encoder.field(out, 'te', 'trailers');
    if (contentLength >= 0) encoder.field(out, 'content-length', String(contentLength));
    sender.endBlock(out, at, stream, endStream);
    stream.bodiless = method === 'HEAD';
    stream.connect = method === 'CONNECT';
    stream.protocol = protocol;
    stream.local = endStream ? LOCAL_ENDED : LOCAL_BODY;
    return undefined;
  }

  #judge(
    stream: Http2Stream<U>,
    method: string,
    authority: string,
    path: string,
    contentLength: number,
    protocol: string | undefined,
  ): EncodeFault | undefined {
    if (!stream.open || stream.local !== LOCAL_HEAD || !Number.isSafeInteger(contentLength))
      return BAD_FRAMING;
    if (!isValidMethod(method)) return BAD_METHOD;
    if (authority !== this.#validAuthority) {
      if (!isValidAuthority(authority)) return BAD_AUTHORITY;
      this.#validAuthority = authority;
    }
    if (method === 'CONNECT') {
      if (protocol === undefined) return isValidTarget(method, authority) ? undefined : BAD_AUTHORITY;
      return this.peerConnectProtocol && protocol !== '' ? this.#judgePath('GET', path) : BAD_UPGRADE;
    }
    return protocol === undefined ? this.#judgePath(method, path) : BAD_UPGRADE;
  }

  #judgePath(method: string, path: string): EncodeFault | undefined {
    if (path === this.#validPath) return undefined;
    if (!isValidTarget(method, path)) return BAD_TARGET;
    if (path !== '*') this.#validPath = path;
    return undefined;
  }

  protected onHeadBlock(
    stream: Http2Stream<U>,
    endStream: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const { id } = stream;
    const head = stream.head as ResponseHead;
    const fields = this.#fields;
    fields.start(head);
    if (!this.decode(bytes, start, end, fields)) return;
    const rule = fields.finish(head, endStream, stream.bodiless, stream.connect);
    if (rule !== undefined) return this.streamError(id, stream, rule);
    if (head.status < 200) {
      if (++stream.interims > this.options.maxInformational)
        this.streamError(id, stream, 'informational-flood');
      else this.events.onInformational(stream);
      return;
    }
    if (!head.tunnel) {
      if (head.status === 204 || head.status === 304) stream.bodiless = true;
      if (!stream.bodiless) stream.expected = head.contentLength;
    }
    stream.peer = endStream ? PEER_ENDED : PEER_BODY;
    this.events.onHead(stream, endStream);
    if (endStream) this.afterPeerEnd(stream, id);
  }
}

const PSEUDO_NAMES = ':method:scheme:path:authority';

/** What the lines of a request head that stand in no table count against the peer's limit. */
function lineBytes(
  method: string,
  scheme: string,
  authority: string,
  path: string,
  contentLength: number,
  protocol: string | undefined,
): number {
  let bytes = PSEUDO_NAMES.length + 4 * LINE_OVERHEAD_BYTES;
  bytes += method.length + scheme.length + authority.length + path.length;
  if (protocol !== undefined) bytes += ':protocol'.length + protocol.length + LINE_OVERHEAD_BYTES;
  if (contentLength < 0) return bytes;
  let digits = 1;
  for (let rest = contentLength; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return bytes + 'content-length'.length + digits + LINE_OVERHEAD_BYTES;
}
