import type { Address } from '@tulle/model';
import { formatChunks } from './http-client.ts';
import type { MemoryNetwork, ServiceTls } from './memory-network.ts';
import { headerAll, readMessage, type Message } from './message.ts';
import type { TestConnection } from './test-connection.ts';

/** A request as an upstream received it, judged by a strict parser of its own. */
export interface UpstreamRequest {
  readonly method: string;
  /** Request target exactly as it came. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** Which connection it came on, 0-based. */
  readonly connectionIndex: number;
  readonly connection: TestConnection;
  header(name: string): string | undefined;
  headerAll(name: string): string[];
}

/** What an upstream answers. */
export type Answer =
  /** Bytes as they stand; `close` ends the connection with FIN instead, `reset` with RST, `silence` says nothing. */
  | string
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
      readonly body?: string;
      readonly chunks?: readonly string[];
      readonly trailers?: Readonly<Record<string, string>>;
    };

/** A service in memory. */
export interface Upstream {
  /** Every request that arrived whole, in order. */
  readonly requests: UpstreamRequest[];
  readonly connections: TestConnection[];
  /** What it answers from now on. */
  answer: (request: UpstreamRequest) => Answer | Promise<Answer>;
  /** Resolves with the next request that arrives (or waits already). */
  next(): Promise<UpstreamRequest>;
  close(): void;
}

/** Serves HTTP/1.1 at an address of the network. */
export function httpUpstream(
  network: Pick<MemoryNetwork, 'listen'>,
  address: Address | string,
  answer: Upstream['answer'] = () => ({ body: 'ok' }),
  options: ServiceTls = {},
): Upstream {
  const requests: UpstreamRequest[] = [];
  const connections: TestConnection[] = [];
  const waiting: ((request: UpstreamRequest) => void)[] = [];
  let handed = 0;
  const upstream: Upstream = {
    requests,
    connections,
    answer,
    next() {
      const ready = requests[handed];
      if (ready !== undefined) {
        handed++;
        return Promise.resolve(ready);
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    close: () => listening.close(),
  };

  const serve = async (
    connection: TestConnection,
    message: Message,
    connectionIndex: number,
  ): Promise<void> => {
    const [method = '', target = ''] = message.start.split(' ');
    const request: UpstreamRequest = {
      method,
      target,
      headers: message.headers,
      body: message.body,
      trailers: message.trailers,
      connectionIndex,
      connection,
      header: (name) => headerAll(message, name)[0],
      headerAll: (name) => headerAll(message, name),
    };
    requests.push(request);
    const waiter = waiting.shift();
    if (waiter !== undefined) {
      handed++;
      waiter(request);
    }
    const said = await upstream.answer(request);
    send(connection, said, method);
    // As servers do (RFC 9112 §9.6).
    if (said !== 'silence' && request.header('connection') === 'close') connection.end();
  };

  const listening = network.listen(
    address,
    (connection) => {
      const index = connections.push(connection) - 1;
      let last: Promise<void> = Promise.resolve();
      connection.onBytes = () => {
        for (;;) {
          const message = readMessage(connection.received, 'request', connection.ended);
          if (message === undefined) return;
          connection.received = connection.received.slice(message.bytes);
          last = last.then(() => serve(connection, message, index));
        }
      };
    },
    options,
  );
  return upstream;
}

function send(connection: TestConnection, answer: Answer, method: string): void {
  if (answer === 'silence') return;
  if (answer === 'close') return void connection.end();
  if (answer === 'reset') return void connection.close(true);
  connection.send(typeof answer === 'string' ? answer : formatAnswer(answer, method));
}

/** The bytes of an answer. */
export function formatAnswer(answer: Exclude<Answer, string>, method = 'GET'): string {
  const { status = 200, headers = {}, body = '', chunks, trailers } = answer;
  const lines = (
    Array.isArray(headers) ? (headers as readonly (readonly [string, string])[]) : Object.entries(headers)
  )
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const bodyless = status === 204 || status === 304 || status < 200;
  const framing = bodyless
    ? ''
    : chunks === undefined
      ? `content-length: ${Buffer.byteLength(body, 'latin1')}\r\n`
      : 'transfer-encoding: chunked\r\n';
  const content =
    bodyless || method === 'HEAD' ? '' : chunks === undefined ? body : formatChunks(chunks, trailers);
  return `HTTP/1.1 ${status} X\r\n${lines}${framing}\r\n${content}`;
}
