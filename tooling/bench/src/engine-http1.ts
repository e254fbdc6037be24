import { InstantSocket } from './instant-socket.ts';

const REQUEST_HEAD: string =
  'GET /items/42?color=blue HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench/1.0\r\nAccept: application/json\r\n' +
  'Accept-Encoding: identity\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\r\n' +
  'X-Request-Id: 5f2c1f0e-9c1d-4d6e-8f57-0f6c2d3b4a59\r\nCookie: session=0123456789abcdef\r\n';
const RESPONSE: Buffer = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 64\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n${'x'.repeat(64)}`,
  'latin1',
);
const OK: Buffer = Buffer.from('HTTP/1.1 200 ');

/** A caller: sends a request whenever it is told, and counts responses. */
export class Http1Caller extends InstantSocket {
  /** Responses of 200. */
  answered = 0;
  readonly refused = 0;
  readonly #request: Buffer;

  /** @param moreHeaders lines more, each with its line end */
  constructor(port: number, moreHeaders: string) {
    super(port);
    this.#request = Buffer.from(`${REQUEST_HEAD}${moreHeaders}\r\n`, 'latin1');
  }

  begin(): void {
    this.ask();
  }

  ask(): void {
    this.deliver(this.#request);
  }

  override write(bytes: Buffer): 0 {
    // A response is written as one piece, or its head is the first.
    if (bytes.length >= OK.length && bytes.compare(OK, 0, OK.length, 0, OK.length) === 0) this.answered++;
    return 0;
  }
}

/** An endpoint: answers, when it is told, what was written to it. */
export class Http1Origin extends InstantSocket {
  #asked = false;

  override write(): 0 {
    this.#asked = true;
    return 0;
  }

  answer(): boolean {
    if (!this.#asked) return false;
    this.#asked = false;
    this.deliver(RESPONSE);
    return true;
  }
}
