import {
  performServerHandshake,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type SessionOptions,
} from 'node:http2';
import type { Address } from '@tulle/model';
import { duplexOf } from './memory-duplex.ts';
import type { MemoryNetwork, ServiceTls } from './memory-network.ts';
import type { TestConnection } from './test-connection.ts';
import type { Answer, Upstream, UpstreamRequest } from './upstream.ts';

/** A service in memory that speaks HTTP/2, by Node's own implementation. */
export interface Http2Upstream extends Upstream {
  /** Its sessions, in the order of its connections. */
  readonly sessions: ServerHttp2Session[];
  /** Its streams, in the order in which they came. */
  readonly streams: ServerHttp2Stream[];
  /** Takes every stream itself, instead of {@link Upstream.answer}. */
  onStream: ((stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void) | undefined;
}

/** Serves HTTP/2 with prior knowledge, or by ALPN where an identity is given, at an address of the network. */
export function http2Upstream(
  network: Pick<MemoryNetwork, 'listen'>,
  address: Address | string,
  answer: Upstream['answer'] = () => ({ body: 'ok' }),
  options: ServiceTls & { readonly session?: SessionOptions } = {},
): Http2Upstream {
  const waiting: ((request: UpstreamRequest) => void)[] = [];
  let handed = 0;
  const upstream: Http2Upstream = {
    requests: [],
    connections: [],
    sessions: [],
    streams: [],
    answer,
    onStream: undefined,
    next() {
      const ready = upstream.requests[handed];
      if (ready !== undefined) {
        handed++;
        return Promise.resolve(ready);
      }
      return new Promise((resolve) => waiting.push(resolve));
    },
    close: () => listening.close(),
  };

  const serve = (
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    connection: TestConnection,
    connectionIndex: number,
  ): void => {
    stream.on('error', () => {});
    upstream.streams.push(stream);
    if (upstream.onStream !== undefined) return upstream.onStream(stream, headers);
    let body = '';
    let trailers: UpstreamRequest['trailers'] = [];
    stream.on('trailers', (fields: IncomingHttpHeaders) => (trailers = fieldsOf(fields)));
    stream.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    stream.on('end', () => {
      // Also told of a stream that was reset.
      if (stream.aborted || stream.destroyed) return;
      const fields = fieldsOf(headers);
      const request: UpstreamRequest = {
        method: String(headers[':method']),
        target: String(headers[':path'] ?? headers[':authority']),
        headers: fields,
        body,
        trailers,
        connectionIndex,
        connection,
        header: (name) => fields.find(([other]) => other === name.toLowerCase())?.[1],
        headerAll: (name) =>
          fields.filter(([other]) => other === name.toLowerCase()).map(([, value]) => value),
      };
      upstream.requests.push(request);
      const waiter = waiting.shift();
      if (waiter !== undefined) {
        handed++;
        waiter(request);
      }
      void Promise.resolve(upstream.answer(request)).then((answer) => send(stream, connection, answer));
    });
  };

  const listening = network.listen(
    address,
    (connection) => {
      const index = upstream.connections.push(connection) - 1;
      const session = performServerHandshake(duplexOf(connection), options.session);
      upstream.sessions.push(session);
      session.on('error', () => {});
      session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
        serve(stream, headers, connection, index),
      );
    },
    options.identity === undefined ? {} : { alpn: ['h2'], ...options },
  );
  return upstream;
}

function send(stream: ServerHttp2Stream, connection: TestConnection, answer: Answer): void {
  if (answer === 'silence' || stream.destroyed) return;
  if (answer === 'close') return void connection.end();
  if (answer === 'reset') return void connection.close(true);
  if (typeof answer === 'string') throw new Error('an HTTP/2 service cannot answer bytes as they stand');
  const { status = 200, headers = {}, body = '', chunks, trailers } = answer;
  const fields: Record<string, string | number | string[]> = { ':status': status };
  const lines = Array.isArray(headers)
    ? (headers as readonly (readonly [string, string])[])
    : Object.entries(headers as Record<string, string>);
  for (const [name, value] of lines) {
    const before = fields[name.toLowerCase()];
    fields[name.toLowerCase()] = before === undefined ? value : [...[before].flat().map(String), value];
  }
  if (chunks === undefined && status !== 204 && status !== 304)
    fields['content-length'] ??= Buffer.byteLength(body, 'latin1');
  const content = chunks ?? (body === '' ? [] : [body]);
  const bodiless = status === 204 || status === 304 || stream.sentHeaders?.[':method'] === 'HEAD';
  stream.respond(fields, {
    endStream: bodiless || (content.length === 0 && trailers === undefined),
    waitForTrailers: trailers !== undefined,
  });
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers }));
  if (stream.writableEnded) return;
  for (const chunk of content) stream.write(Buffer.from(chunk, 'latin1'));
  stream.end();
}

/** The lines of a head as they came, pseudo-headers left out but `:authority`, which is what `host` says elsewhere. */
function fieldsOf(headers: IncomingHttpHeaders): [string, string][] {
  const lines = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    name.startsWith(':')
      ? []
      : Array.isArray(value)
        ? value.map((one) => [name, one])
        : [[name, String(value)]],
  );
  const authority = headers[':authority'];
  return authority === undefined || lines.some(([name]) => name === 'host')
    ? lines
    : [['host', authority], ...lines];
}
