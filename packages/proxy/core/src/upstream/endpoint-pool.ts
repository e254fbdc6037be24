import type { Endpoint } from '@tulle/model';
import { attemptFailed, sendAttempt } from '../attempts/attempts.ts';
import type { Socket, SocketFault } from '../ports.ts';
import type { UpstreamPool, UpstreamStream } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import type { ClusterRuntime } from './cluster.ts';
import { ConnectingSocket, type ConnectOwner } from './connecting.ts';
import { usesTls } from './endpoint-tls.ts';
import { UpstreamConnection } from './h1-client.ts';
import { RestingConnections } from './resting-connections.ts';
import { Waiters } from './waiters.ts';

/**
 * The connections to one endpoint, and the streams that wait for one. HTTP/1 connections serve one stream and rest
 * between two. Limits are the cluster's.
 */
export class EndpointPool implements UpstreamPool, ConnectOwner {
  readonly cluster: ClusterRuntime;
  readonly address: string;
  endpoint: Endpoint;
  /** Open or connecting. */
  connections = 0;
  connecting = 0;
  readonly resting: RestingConnections;
  readonly #waiters: Waiters = new Waiters();
  #retired = false;

  constructor(cluster: ClusterRuntime, endpoint: Endpoint, address: string) {
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.address = address;
    this.resting = new RestingConnections(cluster);
  }

  /** Connections at rest. */
  get idle(): number {
    return this.resting.size;
  }

  /** The endpoint is described anew; another expected identity or mode ends the connections that relied on the old. */
  configure(endpoint: Endpoint): void {
    const before = this.endpoint;
    this.endpoint = endpoint;
    if (before.identity !== endpoint.identity || before.mode !== endpoint.mode) this.resting.closeAll();
  }

  take(stream: Stream): UpstreamStream | undefined {
    const connection = this.resting.take(stream);
    if (connection !== undefined) return connection;
    const { cluster } = this;
    if (cluster.pending >= cluster.maxPending) {
      cluster.metrics.pendingOverflow.add();
      attemptFailed(
        stream,
        'TULLE_UPSTREAM_OVERFLOW',
        true,
        'upstream_reset_before_response_started{overflow,pending}',
      );
      return undefined;
    }
    cluster.pending++;
    this.#waiters.add(stream);
    stream.waiting = true;
    this.#grow();
    return undefined;
  }

  stopWaiting(stream: Stream): void {
    if (this.#waiters.remove(stream)) this.cluster.pending--;
  }

  #nextWaiter(): Stream | undefined {
    const stream = this.#waiters.take();
    if (stream === undefined) return undefined;
    this.cluster.pending--;
    stream.waiting = false;
    return stream;
  }

  connected(socket: Socket): void {
    this.connecting--;
    this.give(new UpstreamConnection(this, socket));
  }

  /** A connection is free: the next waiter gets it, or it rests. */
  give(connection: UpstreamConnection): void {
    const { cluster } = this;
    if (!connection.reusable) return connection.close();
    const nowMs = cluster.engine.turn.nowMs;
    const stream = this.#nextWaiter();
    if (stream !== undefined) {
      if (connection.startsAgain(stream, nowMs, Infinity)) sendAttempt(stream, connection);
      else attemptFailed(stream, 'TULLE_UPSTREAM_CONNECT', true, undefined);
      return;
    }
    if (this.#retired || cluster.closed) return connection.close();
    this.resting.add(connection, nowMs);
  }

  /** The stream that waited longest learns it. */
  notConnected(fault: SocketFault | undefined): void {
    this.connecting--;
    this.connections--;
    this.cluster.connections--;
    if (fault === undefined) return;
    const code = this.#codeOf(fault);
    const stream = this.#nextWaiter();
    if (stream !== undefined)
      attemptFailed(
        stream,
        code,
        true,
        code === 'TULLE_UPSTREAM_CONNECT' || code === 'TULLE_UPSTREAM_CONNECT_TIMEOUT'
          ? undefined
          : `upstream_reset_before_response_started{connection_failure,${fault.reason}}`,
      );
    this.#grow();
  }

  #codeOf(fault: SocketFault): Parameters<typeof attemptFailed>[1] {
    const { metrics, engine, name } = this.cluster;
    metrics.connectFailures.add();
    if (fault.kind === 'timeout') {
      metrics.connectTimeouts.add();
      return 'TULLE_UPSTREAM_CONNECT_TIMEOUT';
    }
    if (fault.kind !== 'identity' && fault.kind !== 'tls') return 'TULLE_UPSTREAM_CONNECT';
    metrics.tlsRefused(fault.reason);
    engine.log.warn(`endpoint ${this.address} of cluster ${name} refused: ${fault.message}`, {
      cluster: name,
      endpoint: this.address,
      reason: fault.reason,
    });
    return fault.kind === 'identity' ? 'TULLE_UPSTREAM_IDENTITY' : 'TULLE_UPSTREAM_TLS';
  }

  /** An open connection is gone. @param resting it was at rest and the peer closed it */
  gone(connection: UpstreamConnection, resting: boolean): void {
    this.connections--;
    this.cluster.connections--;
    this.resting.remove(connection, resting);
    this.#grow();
  }

  /** The endpoint left the set, or the cluster closes: nothing new. */
  retire(): void {
    this.#retired = true;
    this.resting.stop();
  }

  /** Opens connections for those who wait, as far as the limits let. */
  #grow(): void {
    const { cluster } = this;
    while (this.connecting < this.#waiters.size) {
      // A cluster at its limit still opens the first connection to an endpoint, or its streams would wait for nothing.
      if (cluster.connections >= cluster.maxConnections && this.connections > 0) {
        cluster.metrics.connectionOverflow.add();
        return;
      }
      this.connecting++;
      this.connections++;
      cluster.connections++;
      cluster.metrics.connections.add();
      const socket = cluster.engine.transport.connect(
        this.endpoint.address,
        usesTls(cluster, this.endpoint) ? { tls: cluster.tls, expectedIdentity: this.endpoint.identity } : {},
      );
      new ConnectingSocket(this, socket);
    }
  }
}
