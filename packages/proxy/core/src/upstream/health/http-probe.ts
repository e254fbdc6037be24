import type { FieldTable } from '@tulle/fields';
import { ResponseDecoder, type Http1Fault, type ResponseHead, type ResponseSink } from '@tulle/http1';
import type { HttpHealthCheck, StatusRange } from '@tulle/model';
import type { Socket, SocketEvents, SocketFault } from '../../ports.ts';
import type { Probe, ProbeHost, ProbeResult } from './probe.ts';

const DEFAULT_EXPECTED: readonly StatusRange[] = [{ from: 200, to: 200 }];

/** Asks by a request; its connection serves further questions as long as the endpoint keeps it. */
export class HttpProbe implements Probe, SocketEvents, ResponseSink {
  readonly #host: ProbeHost;
  readonly #check: HttpHealthCheck;
  readonly #method: string;
  readonly #request: Buffer;
  #socket: Socket | undefined;
  #open = false;
  #decoder: ResponseDecoder | undefined;
  #asking = false;
  #status = 0;
  #keepAlive = false;
  #bodyBytes = 0;

  /** @param authority what `Host` says */
  constructor(host: ProbeHost, check: HttpHealthCheck, authority: string) {
    this.#host = host;
    this.#check = check;
    this.#method = check.method ?? 'GET';
    this.#request = Buffer.from(
      `${this.#method} ${check.path} HTTP/1.1\r\nhost: ${authority}\r\nuser-agent: tulle-health-check\r\n${
        check.reuseConnection === false ? 'connection: close\r\n' : ''
      }\r\n`,
      'latin1',
    );
  }

  ask(): void {
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
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  close(): void {
    this.stop();
  }

  // — SocketEvents —

  onOpen(): void {
    if (this.#socket === undefined) return;
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

  // — ResponseSink —

  onInformational(): void {}

  onHead(head: ResponseHead): void {
    this.#status = head.status;
    this.#keepAlive = head.keepAlive;
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
    const result = this.#judge(this.#status);
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

  #judge(status: number): ProbeResult {
    const { expectedStatuses = DEFAULT_EXPECTED, retriableStatuses = [] } = this.#check;
    const isIn = (ranges: readonly StatusRange[]): boolean =>
      ranges.some(({ from, to }) => status >= from && status <= to);
    return isIn(expectedStatuses) ? 'passed' : isIn(retriableStatuses) ? 'retriable' : 'unexpected';
  }

  #tell(result: ProbeResult, detail: string): void {
    this.#asking = false;
    this.#host.told(result, detail);
  }
}
