import type { Stream } from '../stream/stream.ts';
import type { Http2ClientConnection } from './h2-client.ts';

/** Streams that a connection to an endpoint is taken to bear before one has said so. */
const ASSUMED_STREAMS = 100;

/** HTTP/2 connections to one endpoint. The first with room takes a stream, so that there are as few as can be. */
export class SharedConnections {
  readonly #connections: Http2ClientConnection[] = [];
  #streamsEach = ASSUMED_STREAMS;

  get size(): number {
    return this.#connections.length;
  }

  /** Of them without a stream. */
  get idle(): number {
    return this.#connections.reduce((count, { streams }) => (streams === 0 ? count + 1 : count), 0);
  }

  /** Streams that one more connection is taken to bear. */
  get streamsEach(): number {
    return this.#streamsEach;
  }

  /** One that takes the stream now. Upgrades wait until the endpoint has said whether it takes them. */
  withRoom(stream: Stream): Http2ClientConnection | undefined {
    const connections = this.#connections;
    for (let i = 0; i < connections.length; i++) {
      const connection = connections[i] as Http2ClientConnection;
      if (connection.hasRoom && (stream.upgrade === undefined || connection.settled)) return connection;
    }
    return undefined;
  }

  add(connection: Http2ClientConnection): void {
    this.#connections.push(connection);
  }

  /** An endpoint said how many streams it takes. */
  learn({ settled, maxStreams }: Http2ClientConnection): void {
    if (settled && maxStreams > 0) this.#streamsEach = maxStreams;
  }

  remove(connection: Http2ClientConnection): void {
    const at = this.#connections.indexOf(connection);
    if (at >= 0) this.#connections.splice(at, 1);
  }

  /** They take no new stream; each closes with its last. */
  leave(): void {
    for (const connection of [...this.#connections]) connection.leave();
  }
}
