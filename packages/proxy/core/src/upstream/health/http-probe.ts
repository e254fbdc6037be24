import { FieldTable } from '@tulle/fields';
import { ResponseDecoder, type Http1Fault, type ResponseHead, type ResponseSink } from '@tulle/http1';
import { CompileContext, loadedRegexEngine } from '@tulle/match';
import type { HeaderValue, HttpHealthCheck } from '@tulle/model';
import type { Socket, SocketEvents, SocketFault } from '../../ports.ts';
import { AnswerTest } from './answer-test.ts';
import { Http2Exchange, speaksHttp2, type ExchangeOwner, type Question } from './h2-exchange.ts';
import type { Probe, ProbeHost, ProbeResult } from './probe.ts';

const USER_AGENT: HeaderValue = { name: 'user-agent', value: 'tulle-health-check' };

/** Asks by a request; its connection serves further questions as long as the endpoint keeps it. */
export class HttpProbe implements Probe, SocketEvents, ResponseSink, ExchangeOwner {
  readonly #host: ProbeHost;
  readonly #check: HttpHealthCheck;
  readonly #method: string;
  readonly #request: Buffer;
  readonly #question: Question;
  readonly #test: AnswerTest;
  /** A longer body is not waited for: what was looked at says enough. */
  readonly #maxBodyBytes: number;
  #socket: Socket | undefined;
  /** Where the endpoint speaks HTTP/2, the socket is its. */
  #exchange: Http2Exchange | undefined;
  #open = false;
  #decoder: ResponseDecoder | undefined;
  #asking = false;
  #status = 0;
  #keepAlive = false;
  #fields: FieldTable = new FieldTable();
  #body: Buffer[] = [];
  #bodyBytes = 0;

  /** @param authority what `Host` says */
  constructor(host: ProbeHost, check: HttpHealthCheck, authority: string) {
    this.#host = host;
    this.#check = check;
    this.#method = check.method ?? 'GET';
    const { maxResponseDrainBytes: drained } = host.engine.limits;
    // The pattern was found sound when the cluster was compiled.
    this.#test = new AnswerTest(check, drained, new CompileContext(loadedRegexEngine()));
    this.#maxBodyBytes = Math.max(drained, this.#test.bodyBytes);
    const { headers = [], withoutUserAgent = false } = check;
    const body = check.send === undefined ? undefined : Buffer.from(check.send, 'hex');
    const said = withoutUserAgent || headers.some(({ name }) => name.toLowerCase() === 'user-agent');
    const all = [...(said ? [] : [USER_AGENT]), ...headers];
    const length = body === undefined ? '' : `content-length: ${body.length}\r\n`;
    const head = Buffer.from(
      `${this.#method} ${check.path} HTTP/1.1\r\nhost: ${authority}\r\n${all
        .map(({ name, value }) => `${name}: ${value}\r\n`)
        .join('')}${length}${check.reuseConnection === false ? 'connection: close\r\n' : ''}\r\n`,
      'latin1',
    );
    this.#request = body === undefined ? head : Buffer.concat([head, body]);
    const fields = new FieldTable();
    for (const { name, value } of all) fields.add(name.toLowerCase(), value);
    this.#question = { method: this.#method, authority, path: check.path, fields, body };
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
    this.#body = [];
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
      this.#exchange = new Http2Exchange(engine, socket, http2, this, this.#test.bodyBytes);
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

  answered(status: number, _grpcStatus: number, body: Buffer, fields: FieldTable): void {
    if (!this.#asking) return;
    if (this.#check.reuseConnection === false) this.stop();
    this.#judge(status, fields, body);
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
    this.#fields = head.fields;
  }

  onData(chunk: Buffer, start: number, end: number): void {
    const kept = Math.min(end - start, this.#test.bodyBytes - this.#bodyBytes);
    if (kept > 0) this.#body.push(Buffer.from(chunk.subarray(start, start + kept)));
    this.#bodyBytes += end - start;
    if (this.#bodyBytes <= this.#maxBodyBytes) return;
    this.#keepAlive = false;
    this.onComplete();
  }

  onTrailers(_trailers: FieldTable): void {}

  onComplete(): void {
    if (!this.#asking) return;
    if (!this.#keepAlive || this.#check.reuseConnection === false) this.stop();
    this.#judge(this.#status, this.#fields, Buffer.concat(this.#body));
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

  #judge(status: number, fields: FieldTable, body: Buffer): void {
    const result = this.#test.judge(status, fields, body);
    const other = result === 'unexpected' && this.#test.expects(status);
    this.#tell(
      result,
      other ? `status ${status}, but not the body or the service` : `status ${status}`,
      status,
    );
  }

  #tell(result: ProbeResult, detail: string, status = 0): void {
    this.#asking = false;
    this.#host.told(result, detail, status);
  }
}
