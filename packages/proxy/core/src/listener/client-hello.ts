import { HTTP2, PREFACE_MORE, readFirstLine, readPreface } from './preface.ts';

/** The ClientHello is not whole yet. */
export const HELLO_MORE = 'more';

/** What the first bytes of a connection say. */
export interface FirstBytes {
  readonly tls: boolean;
  /** Server name asked for, lower case; `undefined` when there is none, or no ClientHello could be read. */
  readonly serverName: string | undefined;
  /** By ALPN (RFC 7301 §3.1), in the caller's order; in plain text what the first line of HTTP/1, or HTTP/2's preface, says. */
  readonly applicationProtocols: readonly string[];
}

const NONE: readonly string[] = Object.freeze([]);

/** A record that begins a TLS handshake may be this long (RFC 8446 §5.1), with its header. */
export const MAX_HELLO_BYTES: number = 16_384 + 5;

/**
 * Looks at the first bytes of a connection: TLS or not, and the server name (RFC 8446 §4.1.2, RFC 6066 §3). Decides
 * nothing but which filter chain takes it; what the chain's TLS makes of the bytes is its own matter.
 * @returns HELLO_MORE when more bytes are needed
 */
export function readFirstBytes(
  bytes: Buffer,
  wantsServerName: boolean,
  wantsProtocols: boolean = false,
): FirstBytes | typeof HELLO_MORE {
  if (bytes.length === 0) return HELLO_MORE;
  if (bytes[0] !== 0x16) {
    const protocols = wantsProtocols ? plainProtocols(bytes) : NONE;
    return protocols === HELLO_MORE
      ? HELLO_MORE
      : { tls: false, serverName: undefined, applicationProtocols: protocols };
  }
  const unread: FirstBytes = { tls: true, serverName: undefined, applicationProtocols: NONE };
  if (!wantsServerName && !wantsProtocols) return unread;
  if (bytes.length < 5) return HELLO_MORE;
  const end = 5 + bytes.readUInt16BE(3);
  if (end > MAX_HELLO_BYTES) return unread;
  if (bytes.length < end) return HELLO_MORE;
  return readHello(bytes.subarray(5, end));
}

/** What Envoy's HTTP inspector tells: a first line of HTTP/1, or the preface of HTTP/2. */
function plainProtocols(bytes: Buffer): readonly string[] | typeof HELLO_MORE {
  const preface = readPreface(bytes, 0, bytes.length);
  if (preface === HTTP2) return ['h2c'];
  if (preface === PREFACE_MORE) return HELLO_MORE;
  const minor = readFirstLine(bytes, 0, bytes.length);
  if (minor === PREFACE_MORE) return HELLO_MORE;
  return minor === undefined ? NONE : [`http/1.${minor}`];
}

function readHello(hello: Buffer): FirstBytes {
  let serverName: string | undefined;
  let applicationProtocols: readonly string[] = NONE;
  const reader = new Reader(hello);
  const result = (): FirstBytes => ({ tls: true, serverName, applicationProtocols });
  if (reader.byte() !== 1) return result(); // client_hello
  reader.skip(3 + 2 + 32);
  reader.skip(reader.byte()); // session id
  reader.skip(reader.word()); // cipher suites
  reader.skip(reader.byte()); // compression methods
  const end = reader.word() + reader.at;
  while (!reader.failed && reader.at + 4 <= end) {
    const type = reader.word();
    const size = reader.word();
    const next = reader.at + size;
    if (type === 0) serverName = nameIn(reader);
    else if (type === 16) applicationProtocols = protocolsIn(reader, next);
    reader.skip(next - reader.at);
  }
  return result();
}

/** RFC 6066 §3: a list of names, of which there is one kind. */
function nameIn(reader: Reader): string | undefined {
  reader.skip(2);
  if (reader.byte() !== 0) return undefined;
  return reader.text(reader.word())?.toLowerCase();
}

/** RFC 7301 §3.1: a list of names with a length each. */
function protocolsIn(reader: Reader, end: number): string[] {
  const names: string[] = [];
  reader.skip(2);
  while (!reader.failed && reader.at < end) {
    const name = reader.protocol(reader.byte());
    if (name !== undefined) names.push(name);
  }
  return names;
}

/** Reads on; past the end everything is 0 and `failed`. */
class Reader {
  readonly #bytes: Buffer;
  at = 0;
  failed = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    if (this.at + 1 > this.#bytes.length) return this.#fail();
    return this.#bytes[this.at++] as number;
  }

  word(): number {
    if (this.at + 2 > this.#bytes.length) return this.#fail();
    this.at += 2;
    return this.#bytes.readUInt16BE(this.at - 2);
  }

  skip(size: number): void {
    if (this.at + size > this.#bytes.length) this.#fail();
    else this.at += size;
  }

  protocol(size: number): string | undefined {
    if (this.failed || this.at + size > this.#bytes.length) return void this.#fail();
    this.at += size;
    return this.#bytes.subarray(this.at - size, this.at).toString('latin1');
  }

  text(size: number): string | undefined {
    if (this.failed || this.at + size > this.#bytes.length) return undefined;
    const text = this.#bytes.subarray(this.at, this.at + size).toString('latin1');
    this.at += size;
    return /^[\w.*-]{1,255}$/.test(text) ? text : undefined;
  }

  #fail(): number {
    this.failed = true;
    this.at = this.#bytes.length;
    return 0;
  }
}
