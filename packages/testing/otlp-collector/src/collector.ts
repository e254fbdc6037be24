import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { decode, SCHEMAS } from './otlp-wire.ts';

/** A span as a collector reads it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  /** 2 server, 3 client. */
  readonly kind: number;
  readonly flags: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number };
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: string;
}

/** A metric with one of its data points. */
export interface ReceivedPoint {
  readonly name: string;
  readonly unit: string;
  readonly type: 'gauge' | 'sum' | 'histogram';
  readonly temporality: number | undefined;
  readonly monotonic: boolean | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly point: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: string;
}

/** An export as it came. */
export interface ReceivedExport {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
}

/** How a collector answers: 200, another status, never, a byte a while, or with a reset. */
export type Behaviour = 'ok' | number | 'silence' | 'drip' | 'reset';

/** An OTLP/HTTP collector on a free port, protobuf and JSON. */
export interface Collector {
  readonly url: string;
  behaviour: Behaviour;
  readonly exports: ReceivedExport[];
  /** What came and could not be read, a sentence each. */
  readonly faults: readonly string[];
  readonly spans: ReceivedSpan[];
  readonly points: ReceivedPoint[];
  /** Connections open now. */
  readonly connections: number;
  /** Resolves once this many exports came. */
  received(exports: number): Promise<void>;
  /** Resolves once `met` holds; asked after each export. */
  until(met: () => boolean): Promise<void>;
  /** @throws Error for what came and could not be read */
  close(): Promise<void>;
}

/** Options of {@link startCollector}. */
export interface CollectorOptions {
  /** Default: a free one of loopback. */
  readonly port?: number;
  /** False: of what was read only spans and points are kept. Default true. */
  readonly keepExports?: boolean;
}

/** A log record as a collector reads it. */
export interface ReceivedLog {
  readonly timeUnixNano: string;
  readonly body?: { readonly stringValue?: string };
  /** The same without the names of its types. */
  readonly plainBody?: unknown;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** The log records of an export in protobuf. @throws Error for what is none */
export function readLogs(body: Buffer): ReceivedLog[] {
  return list(decode(body, SCHEMAS['/v1/logs'] ?? {}) as Message, 'resourceLogRecords').flatMap((of) =>
    list(of, 'scopeLogRecords').flatMap((scoped) =>
      list(scoped, 'logRecords').map(
        (record) =>
          ({
            ...record,
            ...(record['body'] !== undefined && { plainBody: plainValue(record['body'] as Message) }),
            attributes: attributesOf(record),
            resource: attributesOf(of['resource'] as Message),
          }) as unknown as ReceivedLog,
      ),
    ),
  );
}

/** The spans of an export in protobuf, wherever it was taken. @throws Error for what is none */
export function readSpans(body: Buffer): ReceivedSpan[] {
  return spansOf(decode(body, SCHEMAS['/v1/traces'] ?? {}));
}

/** Starts one. @throws Error when the port is taken */
export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const exports: ReceivedExport[] = [];
  const spans: ReceivedSpan[] = [];
  const points: ReceivedPoint[] = [];
  const faults: string[] = [];
  let waiting: { met: () => boolean; done: () => void }[] = [];
  const drips = new Set<NodeJS.Timeout>();
  const sockets = new Set<object>();

  const answer = (path: string, type: string, response: ServerResponse): void => {
    const { behaviour } = collector;
    if (behaviour === 'silence') return;
    if (behaviour === 'reset') return void response.socket?.resetAndDestroy();
    if (behaviour === 'drip') {
      response.writeHead(200, { 'content-type': type });
      drips.add(setInterval(() => response.write(' '), 20));
      return;
    }
    response.writeHead(behaviour === 'ok' ? 200 : behaviour, { 'content-type': type });
    response.end(type === 'application/json' ? '{}' : '');
  };

  const take = (request: IncomingMessage, body: Buffer): void => {
    const path = request.url ?? '';
    const schema = SCHEMAS[path];
    if (request.method !== 'POST' || schema === undefined) throw new Error(`${request.method} ${path}`);
    const plain = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
    const type = request.headers['content-type'];
    if (type !== 'application/json' && type !== 'application/x-protobuf')
      throw new Error(`content-type ${type}`);
    const message =
      type === 'application/json'
        ? (JSON.parse(plain.toString('utf8')) as Record<string, unknown>)
        : decode(plain, schema);
    if (options.keepExports ?? true) exports.push({ path, headers: request.headers, body: message });
    if (collector.behaviour !== 'ok') return;
    spans.push(...spansOf(message));
    points.push(...pointsOf(message));
  };

  const server: Server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      try {
        take(request, Buffer.concat(pieces));
      } catch (error) {
        faults.push(String(error));
      }
      answer(request.url ?? '', request.headers['content-type'] ?? '', response);
      const ready = waiting.filter(({ met }) => met());
      waiting = waiting.filter((one) => !ready.includes(one));
      for (const { done } of ready) done();
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });

  const until = async (met: () => boolean): Promise<void> => {
    if (met()) return;
    await new Promise<void>((done) => waiting.push({ met, done }));
  };
  const collector: Collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behaviour: 'ok',
    exports,
    faults,
    spans,
    points,
    get connections() {
      return sockets.size;
    },
    received: async (count) => until(() => exports.length >= count),
    until,
    async close() {
      for (const drip of drips) clearInterval(drip);
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      if (faults.length > 0) throw new Error(`the collector could not read: ${faults.splice(0).join('; ')}`);
    },
  };
  return collector;
}

type Message = Readonly<Record<string, unknown>>;
const list = (message: Message | undefined, name: string): readonly Message[] =>
  (message?.[name] ?? []) as readonly Message[];

function plainValue(value: Message): unknown {
  if ('arrayValue' in value) return list(value['arrayValue'] as Message, 'values').map(plainValue);
  if ('kvlistValue' in value)
    return Object.fromEntries(
      list(value['kvlistValue'] as Message, 'values').map((one) => [
        one['key'] as string,
        plainValue(one['value'] as Message),
      ]),
    );
  if ('intValue' in value) return Number(value['intValue']);
  return value['stringValue'] ?? value['doubleValue'] ?? value['boolValue'];
}

const attributesOf = (message: Message | undefined): Record<string, unknown> =>
  Object.fromEntries(
    list(message, 'attributes').map((one) => [one['key'] as string, plainValue(one['value'] as Message)]),
  );

function spansOf(message: Message): ReceivedSpan[] {
  return list(message, 'resourceSpans').flatMap((of) =>
    list(of, 'scopeSpans').flatMap((scoped) =>
      list(scoped, 'spans').map(
        (span) =>
          ({
            ...span,
            attributes: attributesOf(span),
            resource: attributesOf(of['resource'] as Message),
            scope: (scoped['scope'] as Message)['name'],
          }) as ReceivedSpan,
      ),
    ),
  );
}

function pointsOf(message: Message): ReceivedPoint[] {
  return list(message, 'resourceMetrics').flatMap((of) =>
    list(of, 'scopeMetrics').flatMap((scoped) =>
      list(scoped, 'metrics').flatMap((metric) =>
        (['gauge', 'sum', 'histogram'] as const).flatMap((type) => {
          const data = metric[type] as Message | undefined;
          return list(data, 'dataPoints').map((point) => ({
            name: metric['name'] as string,
            unit: (metric['unit'] ?? '') as string,
            type,
            temporality: data?.['aggregationTemporality'] as number | undefined,
            monotonic: data?.['isMonotonic'] as boolean | undefined,
            attributes: attributesOf(point),
            point,
            resource: attributesOf(of['resource'] as Message),
            scope: (scoped['scope'] as Message)['name'] as string,
          }));
        }),
      ),
    ),
  );
}
