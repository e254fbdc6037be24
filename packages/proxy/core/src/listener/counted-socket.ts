import type { Socket, SocketEvents, SocketFault, TlsPeer, TunnelRequest, WriteResult } from '../ports.ts';

/** A socket whose bytes are counted, for who logs connections; everything else is the socket's own. */
export class CountedSocket implements Socket, SocketEvents {
  events: SocketEvents;
  bytesRead: number;
  bytesWritten = 0;
  readonly tunnel?: TunnelRequest;
  readonly #socket: Socket;

  /** @param before bytes that were read of it already */
  constructor(socket: Socket, before: number) {
    this.#socket = socket;
    if (socket.tunnel !== undefined) this.tunnel = socket.tunnel;
    this.bytesRead = before;
    this.events = socket.events;
    socket.events = this;
  }

  onOpen(): void {
    this.events.onOpen();
  }

  onRead(chunk: Buffer, start: number, end: number): void {
    this.bytesRead += end - start;
    this.events.onRead(chunk, start, end);
  }

  onEnd(): void {
    this.events.onEnd();
  }

  onDrain(): void {
    this.events.onDrain();
  }

  onClose(fault: SocketFault | undefined): void {
    this.events.onClose(fault);
  }

  write(bytes: Buffer): WriteResult {
    this.bytesWritten += bytes.length;
    return this.#socket.write(bytes);
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }
  get remotePort(): number {
    return this.#socket.remotePort;
  }
  get localAddress(): string {
    return this.#socket.localAddress;
  }
  get localPort(): number {
    return this.#socket.localPort;
  }
  get tls(): TlsPeer | undefined {
    return this.#socket.tls;
  }
  get queuedBytes(): number {
    return this.#socket.queuedBytes;
  }
  get unsentBytes(): number {
    return this.#socket.unsentBytes;
  }
  get ownedReads(): boolean {
    return this.#socket.ownedReads;
  }

  cork(): void {
    this.#socket.cork();
  }
  uncork(): void {
    this.#socket.uncork();
  }
  end(): void {
    this.#socket.end();
  }
  destroy(reset?: boolean): void {
    this.#socket.destroy(reset);
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
  keepRead(): void {
    this.#socket.keepRead();
  }
  setOwnedReads(owned: boolean): void {
    this.#socket.setOwnedReads(owned);
  }
}
