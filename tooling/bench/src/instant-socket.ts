import type { Socket, SocketEvents } from '@tulle/proxy';

const NO_EVENTS: SocketEvents = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };
/** As the sockets' shared buffer: what is read stands in it until the next read. */
const READ: Buffer = Buffer.allocUnsafeSlow(64 * 1024);

/** A socket that hands over at once what is written to it; what is done with it says the class that extends this. */
export abstract class InstantSocket implements Socket {
  events: SocketEvents = NO_EVENTS;
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort: number;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 8080;
  readonly tls = undefined;
  readonly queuedBytes = 0;
  readonly unsentBytes = 0;
  readonly ownedReads = false;
  constructor(port: number) {
    this.remotePort = port;
  }

  /** @param bytes borrowed until it returns */
  abstract write(bytes: Buffer): 0;

  deliver(message: Buffer): void {
    message.copy(READ);
    this.events.onRead(READ, 0, message.length);
  }

  cork(): void {}
  uncork(): void {}
  end(): void {}
  destroy(): void {
    this.events.onClose(undefined);
  }
  pause(): void {}
  resume(): void {}
  keepRead(): void {}
  setOwnedReads(): void {}
}
