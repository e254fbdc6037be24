import { FieldTable } from '@tulle/fields';
import { ResponseDecoder, type Http1Fault, type ResponseHead, type ResponseSink } from '@tulle/http1';
import type { HttpHealthCheck, StatusRange } from '@tulle/model';
import type { Socket, SocketEvents, SocketFault } from '../../ports.ts';
import { Http2Exchange, speaksHttp2, type ExchangeOwner, type Question } from './h2-exchange.ts';
import type { Probe, ProbeHost, ProbeResult } from './probe.ts';

const DEFAULT_EXPECTED: readonly StatusRange[] = [{ from: 200, to: 200 }];

/** Whoever answers with it is well, but should have less to do (Envoy). */
const DEGRADED = 'x-envoy-degraded';

/** Asks by a request; its connection serves further questions as long as the endpoint keeps it. */
export class HttpProbe implements Probe, SocketEvents, ResponseSink, ExchangeOwner {
  readonly #host: ProbeHost;
  readonly #check: HttpHealthCheck;
  readonly #method: string;
  readonly #request: Buffer;
  readonly #question: Question;
  #socket: Socket | undefined;
  /** Where the endpoint speaks HTTP/2, the socket is its. */
  #exchange: Http2Exchange | undefined;
  #open = false;
  #decoder: ResponseDecoder | undefined;
  #asking = false;
  #status = 0;
  #keepAlive = false;
  #degraded = false;
  #bodyBytes = 0;

  /** @param authority what `Host` says */
  constructor(host: ProbeHost, check: HttpHealthCheck, authority: string) {
    this.#host = host;
    this.#check = check;
    this.#method = check.method ?? 'GET';
    const { headers = [] } = check;
    this.#request = Buffer.from(
      `${this.#method} ${check.path} HTTP/1.1\r\nhost: ${authority}\r\nuser-agent: tulle-health-check\r\n${headers
        .map(({ name, value }) => `${name}: ${value}\r\n`)
        .join('')}${check.reuseConnection === false ? 'connection: close\r\n' : ''}\r\n`,
      'latin1',
    );
    const fields = new FieldTable();
    fields.add('user-agent', 'tulle-health-check');
    for (const { name, value } of headers) fields.add(name.toLowerCase(), value);
    this.#question = { method: this.#method, authority, path: check.path, fields, body: undefined };
  }

  ask(): void {
    if (this.#exchange !== undefined) {
      if (this.#exchange.usable) {
        this.#asking = true;
        return this.#exchange.ask(this.#question);
      }
      this.stop();
    }
    this.#asking = true;
    this.#status = 0;
    this.#bodyBytes = 0;
    if (this.#open) return this.#sendRequest();
    const { engine } = this.#host;
    this.#decoder = new ResponseDecoder(this, engine.responseLimits);
    this.#socket = this.#host.connect();
    this.#socket.events = this;
  }

  stop(): void {
    this.#asking = false;
    this.#open = false;
    const [exchange, socket] = [this.#exchange, this.#socket];
    this.#exchange = undefined;
    this.#socket = undefined;
    if (exchange === undefined) socket?.destroy();
    else exchange.close();
  }

  close(): void {
    this.stop();
  }

  // — SocketEvents —

  onOpen(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const { engine, http2, expectsHttp2 } = this.#host;
    if (speaksHttp2(socket, expectsHttp2)) {
      this.#exchange = new Http2Exchange(engine, socket, http2, this);
      return this.#exchange.ask(this.#question);
    }
    this.#open = true;
    this.#sendRequest();
  }

  onRead(chunk: Buffer, start: number, end: number): void {
    if (!this.#asking) return this.stop(); // said without being asked
    const decoder = this.#decoder as ResponseDecoder;
    let at = start;
    while (at < end && this.#asking && decoder.phase !== 'failed') at += decoder.execute(chunk, at, end);
    // Whose the rest is cannot be told.
    if (at < end) this.stop();
  }

  onEnd(): void {
    if (this.#asking) this.#decoder?.finish();
    if (this.#asking) this.#tell('network', 'it ended the connection');
    this.stop();
  }

  onDrain(): void {}

  onClose(fault: SocketFault | undefined): void {
    if (this.#socket === undefined) return;
    const asking = this.#asking;
    this.stop();
    if (asking) this.#tell('network', fault?.message ?? 'it closed the connection');
  }

  // — ExchangeOwner —

  answered(status: number, _grpcStatus: number, _body: Buffer, fields: FieldTable): void {
    if (!this.#asking) return;
    if (this.#check.reuseConnection === false) this.stop();
    this.#tell(this.#judge(status, fields.get(DEGRADED) !== undefined), `status ${status}`);
  }

  broken(detail: string): void {
    if (!this.#asking) return;
    this.stop();
    this.#tell('network', detail);
  }

  // — ResponseSink —

  onInformational(): void {}

  onHead(head: ResponseHead): void {
    this.#status = head.status;
    this.#keepAlive = head.keepAlive;
    this.#degraded = head.fields.get(DEGRADED) !== undefined;
  }

  onData(_chunk: Buffer, start: number, end: number): void {
    this.#bodyBytes += end - start;
    if (this.#bodyBytes <= this.#host.engine.limits.maxResponseDrainBytes) return;
    // The status says enough.
    this.#keepAlive = false;
    this.onComplete();
  }

  onTrailers(_trailers: FieldTable): void {}

  onComplete(): void {
    if (!this.#asking) return;
    const result = this.#judge(this.#status, this.#degraded);
    if (!this.#keepAlive || this.#check.reuseConnection === false) this.stop();
    this.#tell(result, `status ${this.#status}`);
  }

  onFault(fault: Http1Fault): void {
    if (!this.#asking) return;
    this.stop();
    this.#tell('network', `its answer broke a rule of HTTP: ${fault.rule}`);
  }

  #sendRequest(): void {
    this.#decoder?.expect(this.#method);
    this.#socket?.write(this.#request);
  }

  #judge(status: number, degraded: boolean): ProbeResult {
    const { expectedStatuses = DEFAULT_EXPECTED, retriableStatuses = [] } = this.#check;
    const isIn = (ranges: readonly StatusRange[]): boolean =>
      ranges.some(({ from, to }) => status >= from && status <= to);
    if (isIn(expectedStatuses)) return degraded ? 'degraded' : 'passed';
    return isIn(retriableStatuses) ? 'retriable' : 'unexpected';
  }

  #tell(result: ProbeResult, detail: string): void {
    this.#asking = false;
    this.#host.told(result, detail);
  }
}
