import { parseWireName } from '@tulle/model';
import type { AttemptRecord, StreamRecord } from '@tulle/telemetry';
import {
  ERROR_TYPE,
  HTTP_REQUEST_METHOD,
  HTTP_RESPONSE_STATUS_CODE,
  grpcStatusName,
  HTTP_ROUTE,
  isGrpcServerError,
  knownMethod,
  NETWORK_PROTOCOL_NAME,
  NETWORK_PROTOCOL_VERSION,
  RPC_METHOD,
  RPC_STATUS_CODE,
  RPC_SYSTEM_NAME,
  SERVER_ADDRESS,
  SERVER_PORT,
  URL_SCHEME,
} from './attributes.ts';
import { Durations, type DurationMetric, type MetricAttributes } from './durations.ts';

/** The stable HTTP and RPC metrics of the semantic conventions, counted from records. */
export class RequestMetrics {
  readonly #server = new Durations('http.server.request.duration', 'Duration of HTTP server requests.');
  readonly #client = new Durations('http.client.request.duration', 'Duration of HTTP client requests.');
  readonly #rpcServer = new Durations('rpc.server.call.duration', 'Duration of RPC calls, server side.');
  readonly #rpcClient = new Durations('rpc.client.call.duration', 'Duration of RPC calls, client side.');
  readonly #maxSeries: number;
  readonly #idleSeriesMs: number;

  /**
   * @param maxSeries series of each metric
   * @param idleSeriesMs series without traffic for so long are forgotten
   */
  constructor(maxSeries: number, idleSeriesMs: number) {
    this.#maxSeries = maxSeries;
    this.#idleSeriesMs = idleSeriesMs;
  }

  get metrics(): readonly DurationMetric[] {
    return [this.#server, this.#client, this.#rpcServer, this.#rpcClient];
  }

  record(record: StreamRecord): void {
    if (record.kind !== 'http') return;
    const endEpochMs = record.startEpochMs + record.durationMs;
    const method = knownMethod(record.method);
    const error = record.status >= 500 || record.status === 0 ? record.code || String(record.status) : '';
    const { protocol, routePattern, status, tls } = record;
    const key = `${method} ${status} ${protocol} ${tls} ${error} ${routePattern}`;
    const series =
      this.#server.get(key) ??
      this.#server.add(key, this.#maxSeries, record.startEpochMs, () => ({
        [HTTP_REQUEST_METHOD]: method,
        [URL_SCHEME]: tls ? 'https' : 'http',
        [NETWORK_PROTOCOL_NAME]: 'http',
        [NETWORK_PROTOCOL_VERSION]: protocol.slice(5),
        ...(routePattern === '' ? {} : { [HTTP_ROUTE]: routePattern }),
        ...(status === 0 ? {} : { [HTTP_RESPONSE_STATUS_CODE]: status }),
        ...(error === '' ? {} : { [ERROR_TYPE]: error }),
      }));
    series.histogram.observe(record.durationMs / 1000);
    series.lastEpochMs = endEpochMs;
    for (let i = 0; i < record.attempts.length; i++)
      this.#attempt(record, record.attempts[i] as AttemptRecord, method, endEpochMs);
    if (record.grpcStatus >= 0) this.#call(record, endEpochMs);
  }

  #attempt(record: StreamRecord, attempt: AttemptRecord, method: string, endEpochMs: number): void {
    const { status, failure, cluster } = attempt;
    const error = failure !== '' ? failure : status >= 400 ? String(status) : '';
    const key = `${method} ${status} ${error} ${cluster}`;
    const series =
      this.#client.get(key) ??
      this.#client.add(key, this.#maxSeries, record.startEpochMs, () => {
        return {
          [HTTP_REQUEST_METHOD]: method,
          ...serverOf(cluster),
          [NETWORK_PROTOCOL_NAME]: 'http',
          ...(status === 0 ? {} : { [HTTP_RESPONSE_STATUS_CODE]: status }),
          ...(error === '' ? {} : { [ERROR_TYPE]: error }),
        };
      });
    series.histogram.observe(attempt.durationMs / 1000);
    series.lastEpochMs = endEpochMs;
  }

  /**
   * A gRPC call: as a server from its first byte to its last, and as a client the attempt that answered it. Attempts before
   * that one have no status of their own; the HTTP metric counts them.
   */
  #call(record: StreamRecord, endEpochMs: number): void {
    const { grpcStatus, routePattern, path, cluster, code, attempts } = record;
    // A path is what a caller likes to write; a route that names the method vouches for it.
    const method = routePattern === path ? path.slice(1) : '_OTHER';
    const status = grpcStatusName(grpcStatus);
    const common = (failed: boolean): MetricAttributes => ({
      [RPC_SYSTEM_NAME]: 'grpc',
      [RPC_METHOD]: method,
      [RPC_STATUS_CODE]: status,
      ...(failed ? { [ERROR_TYPE]: code || status } : {}),
    });
    const serverKey = `${method} ${status} ${code}`;
    const server =
      this.#rpcServer.get(serverKey) ??
      this.#rpcServer.add(serverKey, this.#maxSeries, record.startEpochMs, () =>
        common(isGrpcServerError(grpcStatus)),
      );
    server.histogram.observe(record.durationMs / 1000);
    server.lastEpochMs = endEpochMs;
    const last = attempts.at(-1);
    if (last === undefined || last.failure !== '') return;
    const clientKey = `${serverKey} ${cluster}`;
    const client =
      this.#rpcClient.get(clientKey) ??
      this.#rpcClient.add(clientKey, this.#maxSeries, record.startEpochMs, () => ({
        ...common(grpcStatus > 0),
        ...serverOf(cluster),
      }));
    client.histogram.observe((record.durationMs - last.startMs) / 1000);
    client.lastEpochMs = endEpochMs;
  }

  /** Forgets series that no traffic has touched for the idle time. Called before numbers are read. */
  expire(nowEpochMs: number): void {
    if (this.#idleSeriesMs <= 0) return;
    this.#server.expire(nowEpochMs - this.#idleSeriesMs);
    this.#client.expire(nowEpochMs - this.#idleSeriesMs);
    this.#rpcServer.expire(nowEpochMs - this.#idleSeriesMs);
    this.#rpcClient.expire(nowEpochMs - this.#idleSeriesMs);
  }
}

/** By the service, not by what callers write into Host: that would be theirs to multiply. */
function serverOf(cluster: string): MetricAttributes {
  const wire = parseWireName(cluster);
  return {
    [SERVER_ADDRESS]: wire?.host ?? cluster,
    ...(wire === undefined ? {} : { [SERVER_PORT]: wire.port }),
  };
}
