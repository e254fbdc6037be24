/** The ClientHello is not whole yet. */
export const HELLO_MORE = 'more';

/** What the first bytes of a connection say. */
export interface FirstBytes {
  readonly tls: boolean;
  /** Server name asked for, lower case; `undefined` when there is none, or no ClientHello could be read. */
  readonly serverName: string | undefined;
}

/** A record that begins a TLS handshake may be this long (RFC 8446 §5.1), with its header. */
export const MAX_HELLO_BYTES: number = 16_384 + 5;

/**
 * Looks at the first bytes of a connection: TLS or not, and the server name (RFC 8446 §4.1.2, RFC 6066 §3). Decides
 * nothing but which filter chain takes it; what the chain's TLS makes of the bytes is its own matter.
 * @returns HELLO_MORE when more bytes are needed
 */
export function readFirstBytes(bytes: Buffer, wantsServerName: boolean): FirstBytes | typeof HELLO_MORE {
  if (bytes.length === 0) return HELLO_MORE;
  if (bytes[0] !== 0x16) return { tls: false, serverName: undefined };
  if (!wantsServerName) return { tls: true, serverName: undefined };
  if (bytes.length < 5) return HELLO_MORE;
  const end = 5 + bytes.readUInt16BE(3);
  if (end > MAX_HELLO_BYTES) return { tls: true, serverName: undefined };
  if (bytes.length < end) return HELLO_MORE;
  return { tls: true, serverName: serverNameOf(bytes.subarray(5, end)) };
}

function serverNameOf(hello: Buffer): string | undefined {
  const reader = new Reader(hello);
  if (reader.byte() !== 1) return undefined; // client_hello
  reader.skip(3 + 2 + 32);
  reader.skip(reader.byte()); // session id
  reader.skip(reader.word()); // cipher suites
  reader.skip(reader.byte()); // compression methods
  const end = reader.word() + reader.at;
  while (!reader.failed && reader.at + 4 <= end) {
    const type = reader.word();
    const size = reader.word();
    if (type !== 0) {
      reader.skip(size);
      continue;
    }
    reader.skip(2);
    if (reader.byte() !== 0) return undefined;
    const length = reader.word();
    const name = reader.text(length);
    return name === undefined ? undefined : name.toLowerCase();
  }
  return undefined;
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

  text(size: number): string | undefined {
    if (this.failed || this.at + size > this.#bytes.length) return undefined;
    const text = this.#bytes.subarray(this.at, this.at + size).toString('latin1');
    return /^[\w.*-]{1,255}$/.test(text) ? text : undefined;
  }

  #fail(): number {
    this.failed = true;
    this.at = this.#bytes.length;
    return 0;
  }
}
