import { headerAll, readMessage, type Message } from './message.ts';
import type { TestConnection } from './test-connection.ts';

/** A request to send. */
export interface TestRequest {
  /** Default GET. */
  readonly method?: string;
  /** Default `/`. */
  readonly path?: string;
  /** Flat pairs or an object; `host: test.example` is added unless given. */
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
  /** Sent with Content-Length. */
  readonly body?: string;
  /** Sent chunked, each element a chunk. */
  readonly chunks?: readonly string[];
  readonly trailers?: Readonly<Record<string, string>>;
}

/** A response as it arrived. */
export interface TestResponse {
  readonly status: number;
  readonly reason: string;
  /** Lower-case names. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** Interim responses that came before it. */
  readonly interim: readonly {
    readonly status: number;
    readonly headers: readonly (readonly [string, string])[];
  }[];
  /** First value of a field. */
  header(name: string): string | undefined;
  headerAll(name: string): string[];
}

/** The bytes of a request. */
export function formatRequest(request: TestRequest): string {
  const { method = 'GET', path = '/', body, chunks, trailers } = request;
  const headers =
    request.headers === undefined
      ? []
      : Array.isArray(request.headers)
        ? [...(request.headers as readonly (readonly [string, string])[])]
        : Object.entries(request.headers);
  if (!headers.some(([name]) => name.toLowerCase() === 'host')) headers.unshift(['host', 'test.example']);
  if (chunks !== undefined) headers.push(['transfer-encoding', 'chunked']);
  else if (body !== undefined) headers.push(['content-length', String(Buffer.byteLength(body, 'latin1'))]);
  const head = `${method} ${path} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return head + (chunks === undefined ? (body ?? '') : formatChunks(chunks, trailers));
}

/** A chunked body. */
export function formatChunks(
  chunks: readonly string[],
  trailers: Readonly<Record<string, string>> = {},
): string {
  const lines = Object.entries(trailers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  return `${chunks
    .filter((chunk) => chunk !== '')
    .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
    .join('')}0\r\n${lines}\r\n`;
}

/** Speaks HTTP over a connection of a test, one exchange after the other. */
export class HttpClient {
  readonly connection: TestConnection;
  readonly #methods: string[] = [];

  constructor(connection: TestConnection) {
    this.connection = connection;
  }

  /** Sends a request and waits for its response. */
  async request(request: TestRequest = {}): Promise<TestResponse> {
    this.send(request);
    return this.response();
  }

  /** Sends without waiting; several in a row are pipelined. */
  send(request: TestRequest): this {
    this.#methods.push(request.method ?? 'GET');
    this.connection.send(formatRequest(request));
    return this;
  }

  /** Sends bytes as they stand, the request of which has this method. */
  raw(bytes: string, method = 'GET'): this {
    this.#methods.push(method);
    this.connection.send(bytes);
    return this;
  }

  /** The next response. @throws when the connection ends before it is whole, or when it is not valid */
  async response(): Promise<TestResponse> {
    const method = this.#methods.shift() ?? 'GET';
    const interim: { status: number; headers: Message['headers'] }[] = [];
    for (;;) {
      const message = await this.#message(method);
      const status = Number(message.start.slice(9, 12));
      if (status >= 100 && status < 200 && status !== 101) {
        interim.push({ status, headers: message.headers });
        continue;
      }
      return {
        status,
        reason: message.start.slice(13),
        headers: message.headers,
        body: message.body,
        trailers: message.trailers,
        interim,
        header: (name) => headerAll(message, name)[0],
        headerAll: (name) => headerAll(message, name),
      };
    }
  }

  async #message(method: string): Promise<Message> {
    const { connection } = this;
    const read = (): Message | undefined => {
      const interim = /^HTTP\/1\.1 1\d\d /.test(connection.received);
      return readMessage(
        connection.received,
        method === 'HEAD' && !interim ? 'head-response' : 'response',
        connection.ended || connection.closed,
      );
    };
    await connection.until(
      () => read() !== undefined,
      () => `a response; so far: ${JSON.stringify(connection.received.slice(0, 500))}`,
    );
    const message = read() as Message;
    connection.received = connection.received.slice(message.bytes);
    return message;
  }
}
