import type { TcpHealthCheck } from '@tulle/model';
import type { Socket, SocketEvents, SocketFault } from '../../ports.ts';
import { plainHeader, writeProxyHeader } from '../proxy-header.ts';
import { holdsAll, payloadsOf } from './payloads.ts';
import type { Probe, ProbeHost } from './probe.ts';

/** So much of an answer is looked at; more has nothing in it that was waited for. */
const MAX_ANSWER_BYTES = 65_536;

/** Connects, and where that was asked for, sends bytes and waits for others. A connection for each check. */
export class TcpProbe implements Probe, SocketEvents {
  readonly #host: ProbeHost;
  readonly #send: Buffer;
  readonly #receive: readonly Buffer[];
  #socket: Socket | undefined;
  #answer: Buffer = Buffer.alloc(0);

  constructor(host: ProbeHost, { send = '', receive, proxyProtocol }: TcpHealthCheck) {
    this.#host = host;
    const header =
      proxyProtocol === undefined ? [] : [writeProxyHeader(plainHeader(proxyProtocol), undefined)];
    this.#send = Buffer.concat([...header, Buffer.from(send, 'hex')]);
    this.#receive = payloadsOf(receive);
  }

  ask(): void {
    this.#answer = Buffer.alloc(0);
    this.#socket = this.#host.connect();
    this.#socket.events = this;
  }

  stop(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  close(): void {
    this.stop();
  }

  onOpen(): void {
    if (this.#socket === undefined) return;
    if (this.#send.length > 0) this.#socket.write(this.#send);
    if (this.#receive.length === 0) this.#passed();
  }

  onRead(chunk: Buffer, start: number, end: number): void {
    if (this.#socket === undefined) return;
    this.#answer = Buffer.concat([this.#answer, chunk.subarray(start, end)]);
    if (holdsAll(this.#answer, this.#receive)) this.#passed();
    else if (this.#answer.length > MAX_ANSWER_BYTES)
      this.#failed('the bytes that it should send do not come');
  }

  onEnd(): void {
    this.#failed('it ended the connection');
  }

  onDrain(): void {}

  onClose(fault: SocketFault | undefined): void {
    this.#failed(fault?.message ?? 'it closed the connection');
  }

  #passed(): void {
    this.stop();
    this.#host.told('passed', '');
  }

  #failed(detail: string): void {
    if (this.#socket === undefined) return;
    this.stop();
    this.#host.told('network', detail);
  }
}
