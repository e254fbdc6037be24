import { FieldTable } from '@tulle/fields';
import type { GrpcHealthCheck } from '@tulle/model';
import { GRPC_STATUS_NAMES } from '@tulle/telemetry';
import type { Socket, SocketFault } from '../../ports.ts';
import { HEALTH_CHECK_PATH, healthCheckRequest, readHealthCheckResponse } from './grpc-health.ts';
import { Http2Exchange, speaksHttp2, type ExchangeOwner, type Question } from './h2-exchange.ts';
import type { Probe, ProbeHost } from './probe.ts';

/** Asks by gRPC's health checking protocol, `grpc.health.v1.Health/Check`, over HTTP/2. */
export class GrpcProbe implements Probe, ExchangeOwner {
  readonly #host: ProbeHost;
  readonly #check: GrpcHealthCheck;
  readonly #question: Question;
  #socket: Socket | undefined;
  #exchange: Http2Exchange | undefined;
  #asking = false;

  constructor(host: ProbeHost, check: GrpcHealthCheck, authority: string) {
    this.#host = host;
    this.#check = check;
    const fields = new FieldTable();
    fields.add('content-type', 'application/grpc');
    fields.add('user-agent', 'tulle-health-check');
    fields.add('te', 'trailers');
    for (const { name, value } of check.headers ?? []) fields.add(name.toLowerCase(), value);
    this.#question = {
      method: 'POST',
      authority,
      path: HEALTH_CHECK_PATH,
      fields,
      body: healthCheckRequest(check.service ?? ''),
    };
  }

  ask(): void {
    this.#asking = true;
    if (this.#exchange?.usable === true) return this.#exchange.ask(this.#question);
    this.stop();
    this.#asking = true;
    const socket = this.#host.connect();
    this.#socket = socket;
    socket.events = {
      onOpen: () => this.#connected(socket),
      onRead: () => {},
      onEnd: () => this.#lost('it ended the connection'),
      onDrain: () => {},
      onClose: (fault: SocketFault | undefined) => this.#lost(fault?.message ?? 'it closed the connection'),
    };
  }

  stop(): void {
    this.#asking = false;
    const [exchange, socket] = [this.#exchange, this.#socket];
    this.#exchange = undefined;
    this.#socket = undefined;
    if (exchange === undefined) socket?.destroy();
    else exchange.close();
  }

  close(): void {
    this.stop();
  }

  // — ExchangeOwner —

  answered(status: number, grpcStatus: number, body: Buffer): void {
    if (this.#check.reuseConnection === false) {
      const asking = this.#asking;
      this.stop();
      this.#asking = asking;
    }
    if (status !== 200) return this.#tell('unexpected', `HTTP status ${status}`);
    if (grpcStatus !== 0)
      return this.#tell(
        'unexpected',
        grpcStatus < 0
          ? 'it answered without a status of gRPC'
          : `gRPC status ${GRPC_STATUS_NAMES[grpcStatus] ?? ''} (${grpcStatus})`,
      );
    const serving = readHealthCheckResponse(body);
    if (serving === 'SERVING') return this.#tell('passed', serving);
    this.#tell('unexpected', serving ?? 'its answer is no HealthCheckResponse');
  }

  broken(detail: string): void {
    this.#lost(detail);
  }

  #connected(socket: Socket): void {
    if (socket !== this.#socket) return;
    if (!speaksHttp2(socket, true)) return this.#lost('it does not speak HTTP/2 (ALPN), as gRPC does');
    this.#exchange = new Http2Exchange(this.#host.engine, socket, this.#host.http2, this);
    this.#exchange.ask(this.#question);
  }

  #lost(detail: string): void {
    const asking = this.#asking;
    this.stop();
    this.#asking = asking;
    this.#tell('network', detail);
  }

  #tell(result: 'passed' | 'unexpected' | 'network', detail: string): void {
    if (!this.#asking) return;
    this.#asking = false;
    this.#host.told(result, detail);
  }
}
