import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { TestRequest, TestResponse } from './http-client.ts';
import { duplexOf } from './memory-duplex.ts';
import type { TestConnection } from './test-connection.ts';

type Fields = readonly (readonly [name: string, value: string])[];

/** Speaks HTTP/2 over a connection of a test, by Node's own implementation; requests may overlap. */
export class Http2Client {
  readonly connection: TestConnection;
  readonly session: ClientHttp2Session;
  readonly #answers: Promise<TestResponse>[] = [];
  /** Codes of the GOAWAY frames that came. */
  readonly goaways: number[] = [];

  constructor(connection: TestConnection, options: { readonly settings?: object } = {}) {
    this.connection = connection;
    const duplex = duplexOf(connection);
    this.session = connect('http://test.example', {
      createConnection: () => duplex,
      ...options,
    });
    this.session.on('error', () => {});
    this.session.on('goaway', (code: number) => this.goaways.push(code));
  }

  /** Sends a request and waits for its response. @throws when the stream is reset */
  async request(request: TestRequest = {}): Promise<TestResponse> {
    return this.exchange(request);
  }

  /** Sends without waiting; {@link response} gives the answers in the order of the requests. */
  send(request: TestRequest): this {
    const answer = this.exchange(request);
    answer.catch(() => {});
    this.#answers.push(answer);
    return this;
  }

  async response(): Promise<TestResponse> {
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error('no request was sent for this response');
    return answer;
  }

  /** Opens a stream, with the body and its end left to the test. */
  open(request: TestRequest = {}, endStream = false): ClientHttp2Stream {
    return this.session.request(headersOf(request), { endStream });
  }

  async exchange(request: TestRequest): Promise<TestResponse> {
    const { body, chunks, trailers } = request;
    const stream = this.session.request(headersOf(request), {
      endStream: body === undefined && chunks === undefined,
      waitForTrailers: trailers !== undefined,
    });
    if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers }));
    const answer = responseOf(stream);
    if (chunks !== undefined) for (const chunk of chunks) stream.write(Buffer.from(chunk, 'latin1'));
    if (body !== undefined) stream.end(Buffer.from(body, 'latin1'));
    else if (chunks !== undefined) stream.end();
    return answer;
  }

  close(): void {
    this.session.destroy();
  }
}

/** Gathers what answers a stream. */
export function responseOf(stream: ClientHttp2Stream): Promise<TestResponse> {
  return new Promise((resolve, reject) => {
    const interim: { status: number; headers: Fields }[] = [];
    let status = 0;
    let headers: Fields = [];
    let trailers: Fields = [];
    let body = '';
    stream.on('headers', (info) => interim.push({ status: info[':status'] ?? 0, headers: fieldsOf(info) }));
    stream.on('response', (head) => {
      status = head[':status'] ?? 0;
      headers = fieldsOf(head);
    });
    stream.on('trailers', (fields: IncomingHttpHeaders) => (trailers = fieldsOf(fields)));
    stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    stream.on('error', reject);
    stream.on('close', () => {
      if (status === 0 || stream.rstCode !== 0)
        return reject(new Error(`the stream was reset with code ${stream.rstCode}`));
      resolve({
        status,
        reason: '',
        headers,
        body,
        trailers,
        interim,
        header: (name) => headers.find(([other]) => other === name.toLowerCase())?.[1],
        headerAll: (name) =>
          headers.filter(([other]) => other === name.toLowerCase()).map(([, value]) => value),
      });
    });
  });
}

function headersOf(request: TestRequest): Record<string, string | string[]> {
  const { method = 'GET', path = '/', headers = {}, body } = request;
  const fields: Record<string, string | string[]> = {
    ':method': method,
    ':path': path,
    ':scheme': 'http',
    ':authority': 'test.example',
  };
  const lines = Array.isArray(headers)
    ? (headers as Fields)
    : Object.entries(headers as Record<string, string>);
  for (const [given, value] of lines) {
    const name = given.toLowerCase() === 'host' ? ':authority' : given.toLowerCase();
    const before = fields[name];
    fields[name] =
      before === undefined || name.startsWith(':')
        ? value
        : [...(Array.isArray(before) ? before : [before]), value];
  }
  if (body !== undefined && fields['content-length'] === undefined)
    fields['content-length'] = String(Buffer.byteLength(body, 'latin1'));
  return fields;
}

function fieldsOf(headers: IncomingHttpHeaders): Fields {
  return Object.entries(headers)
    .filter(([name]) => !name.startsWith(':'))
    .flatMap(([name, value]) =>
      Array.isArray(value) ? value.map((one) => [name, one] as const) : [[name, String(value)] as const],
    );
}
