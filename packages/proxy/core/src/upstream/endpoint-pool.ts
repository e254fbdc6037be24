import type { ErrorCode } from '@tulle/filter';
import { isInternalAddress, type Endpoint, type PoolOptions } from '@tulle/model';
import { attemptFailed, sendAttempt } from '../attempts/attempts.ts';
import { type Along, alongWith, keyOf } from '../internal/along.ts';
import type { Socket, SocketFault } from '../ports.ts';
import type { EngineConnection, UpstreamPool, UpstreamStream } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import type { ClusterRuntime } from './cluster.ts';
import { ConnectingSocket, type ConnectOwner } from './connecting.ts';
import { addressesOf, addressesOfEndpoint, connectEndpoint } from './connect-endpoint.ts';
import { EndpointCounts } from './endpoint-counts.ts';
import { mayAgreeOnHttp2, passthroughOf, proxyProtocolOf, tlsOf } from './endpoint-tls.ts';
import { BytesConnection } from './bytes-client.ts';
import { UpstreamConnection } from './h1-client.ts';
import { Http2ClientConnection, type SharedOwner } from './h2-client.ts';
import { failureOf } from './connect-failure.ts';
import { type PoolPart, tooManyParts } from './pool-part.ts';
import { PoolParts } from './pool-parts.ts';
import { serverNameOf } from './said-name.ts';
import { RestingConnections } from './resting-connections.ts';
import { SharedConnections } from './shared-connections.ts';
import { Waiters } from './waiters.ts';

/** Offered by ALPN to an endpoint that is spoken to in what the request came in (RFC 7301 §6, RFC 9113 §3.1). */
const ALPN: Readonly<Record<'http1' | 'http2', readonly string[]>> = { http1: ['http/1.1'], http2: ['h2'] };

/** Server names at a time for which there are connections to one endpoint. */
const MAX_SERVER_NAMES = 64;
/** Callers' connections at a time that have connections of their own to one endpoint. */
const MAX_CALLERS = 4_096;
/** Sets of what goes along at a time that have connections of their own to one listener of this process. */
const MAX_ALONG = 4_096;

/**
 * The connections to one endpoint, and the streams that wait for one. HTTP/1 connections serve one stream and rest
 * between two, HTTP/2 connections are shared; which it is shows when a connection is open. Limits are the cluster's.
 */
export class EndpointPool implements UpstreamPool, ConnectOwner, SharedOwner {
  readonly cluster: ClusterRuntime;
  readonly address: string;
  endpoint: Endpoint;
  /** Of the endpoint as a whole; parts have the same. */
  readonly counts: EndpointCounts;
  /** Open or connecting. */
  connections = 0;
  connecting = 0;
  readonly resting: RestingConnections;
  readonly #shared: SharedConnections = new SharedConnections();
  /** Whether new connections are expected to be shared: as configured, then as the last one was. */
  #shares: boolean;
  readonly #waiters: Waiters = new Waiters();
  #retired = false;
  /** Connections of an earlier one serve nothing new. */
  generation = 0;
  /** Sockets that carry bytes, where they are closed as the endpoint fails. */
  readonly #carrying: Set<Socket>;

  /** As the cluster says it; where that is the request's, of one of the two. */
  readonly #protocol: NonNullable<PoolOptions['protocol']>;
  /** Of this endpoint, by what requests came in, where that decides. */
  #http1: EndpointPool | undefined = undefined;
  #http2: EndpointPool | undefined = undefined;

  /** Of this endpoint, for what is no HTTP there. */
  #bytes: EndpointPool | undefined = undefined;
  readonly #forBytes: boolean;

  /** Server name for TLS that its requests said; `''`: none. */
  readonly #serverName: string;
  /** Whose requests it serves alone; `undefined`: everybody's. */
  readonly #caller: EngineConnection | undefined;
  /** Whether there are parts by caller. */
  #byCaller = false;
  /** Of this endpoint, by the server name, where requests say it. */
  #named: PoolParts<string, EndpointPool> | undefined = undefined;
  /** What its requests take along to a listener of this process, all the same; `undefined`: as each does. */
  readonly #along: Along | undefined;
  /** Whether there are parts by that. */
  #byAlong = false;
  #alongs: PoolParts<string, EndpointPool> | undefined = undefined;
  /** Of this endpoint, by the caller's connection. */
  #callers: PoolParts<EngineConnection, EndpointPool> | undefined = undefined;
  /** Told when no connection is left and nobody waits. */
  readonly #onUnused: (() => void) | undefined;

  constructor(
    cluster: ClusterRuntime,
    endpoint: Endpoint,
    address: string,
    {
      serverName = '',
      protocol = cluster.protocol,
      caller,
      along,
      forBytes = false,
      onUnused,
      counts = new EndpointCounts(),
      carrying = new Set<Socket>(),
    }: PoolPart = {},
  ) {
    this.counts = counts;
    this.#carrying = carrying;
    this.#forBytes = forBytes;
    this.#serverName = serverName;
    this.#protocol = protocol;
    this.#caller = caller;
    this.#along = along;
    this.#onUnused = onUnused;
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.address = address;
    this.resting = new RestingConnections(cluster);
    this.#shares = protocol === 'http2' || (protocol === 'auto' && mayAgreeOnHttp2(cluster, endpoint));
    this.#byCaller = this.#isByCaller();
    this.#byAlong = along === undefined && isInternalAddress(endpoint.address);
  }

  #isByCaller(): boolean {
    const { cluster, endpoint } = this;
    return (
      this.#caller === undefined &&
      (cluster.perDownstream || proxyProtocolOf(cluster, endpoint) !== undefined)
    );
  }

  /** Connections at rest. */
  get idle(): number {
    return this.resting.size + this.#shared.idle;
  }

  /** Whether a stream uses one of its connections, or of those of its parts. */
  get inUse(): boolean {
    return this.connections > this.idle || this.#parts().some((part) => part.inUse);
  }

  /** Connections to the endpoint, open or connecting, whatever they carry. */
  get allConnections(): number {
    return this.#parts().reduce(
      (sum, part) => sum + part.connections,
      this.connections + this.counts.dialled,
    );
  }

  /** Streams that wait for one of them. */
  get waiting(): number {
    return this.#parts().reduce((sum, part) => sum + part.#waiters.size, this.#waiters.size);
  }

  /** Open connections that speak HTTP/2. */
  get shared(): number {
    return this.#shared.size;
  }

  /** The endpoint is described anew; another expected identity or mode ends the connections that relied on the old. */
  configure(endpoint: Endpoint): void {
    const before = this.endpoint;
    this.endpoint = endpoint;
    this.#byCaller = this.#isByCaller();
    const sameMetadata = JSON.stringify(before.metadata) === JSON.stringify(endpoint.metadata);
    for (const pool of this.#parts()) pool.configure(endpoint);
    const sameTls =
      JSON.stringify([before.tlsLabels, before.tunnel]) ===
      JSON.stringify([endpoint.tlsLabels, endpoint.tunnel]);
    if (before.identity === endpoint.identity && before.mode === endpoint.mode && sameTls && sameMetadata)
      return;
    this.resting.closeAll();
    this.#shared.leave();
  }

  /** Connections serve nothing new: those at rest close, others with what they carry. */
  drain(): void {
    this.generation++;
    for (const pool of this.#parts()) pool.drain();
    this.resting.closeAll();
    this.#shared.leave();
  }

  /** The endpoint is known to be ill now. */
  unwell(): void {
    this.drain();
    for (const socket of this.#carrying) socket.destroy();
  }

  /** The socket carries bytes. */
  carries(socket: Socket): void {
    if (this.cluster.config.pool?.closesOnFailure === true) this.#carrying.add(socket);
  }

  /** It is over. */
  carriesNoMore(socket: Socket): void {
    this.#carrying.delete(socket);
  }

  /** Whether what the socket proved when it was connected is what is expected by now. */
  #isExpected({ tls }: Socket): boolean {
    const { cluster, endpoint } = this;
    if ((tlsOf(cluster, endpoint) !== undefined) !== (tls !== undefined)) return false;
    return tls === undefined || endpoint.identity === undefined || tls.identity === endpoint.identity;
  }

  /** The pools that this one leads to. */
  #parts(): EndpointPool[] {
    const parts = [...(this.#named ?? []), ...(this.#callers ?? []), ...(this.#alongs ?? [])];
    if (this.#http1 !== undefined) parts.push(this.#http1);
    if (this.#http2 !== undefined) parts.push(this.#http2);
    if (this.#bytes !== undefined) parts.push(this.#bytes);
    return parts;
  }

  take(stream: Stream): UpstreamStream | undefined {
    if (stream.toBytes && !this.#forBytes)
      return (this.#bytes ??= this.#part({ protocol: 'http1', forBytes: true })).take(stream);
    const { serverNames } = this.cluster;
    if (this.#protocol === 'downstream') return this.#inProtocolOf(stream).take(stream);
    if (serverNames !== undefined && this.#serverName === '') {
      const name = serverNameOf(stream, serverNames);
      if (name !== '') return this.#poolOf(name, stream)?.take(stream);
    }
    if (this.#byCaller) return this.#ofCaller(stream)?.take(stream);
    if (this.#byAlong) {
      const along = alongWith(stream, passthroughOf(this.cluster, this.endpoint) !== undefined);
      const key = keyOf(along);
      if (key !== '') return this.#ofAlong(key, along, stream)?.take(stream);
    }
    if (this.#shared.size > 0) {
      const shared = this.#shared.withRoom(stream);
      if (shared !== undefined) return this.#share(shared, stream);
    }
    const connection = this.resting.take(stream);
    if (connection !== undefined) return connection;
    const { cluster } = this;
    const resources = cluster.resourcesOf(stream.highPriority);
    if (resources.pending >= resources.maxPending) {
      cluster.metrics.pendingOverflow.add();
      attemptFailed(
        stream,
        'TULLE_UPSTREAM_OVERFLOW',
        true,
        'upstream_reset_before_response_started{overflow,pending}',
      );
      return undefined;
    }
    resources.pending++;
    this.#waiters.add(stream);
    stream.waiting = true;
    this.#grow();
    return undefined;
  }

  #inProtocolOf(stream: Stream): EndpointPool {
    return stream.http2 || stream.grpc
      ? (this.#http2 ??= this.#part({ protocol: 'http2' }))
      : (this.#http1 ??= this.#part({ protocol: 'http1' }));
  }

  #part(part: PoolPart): EndpointPool {
    return new EndpointPool(this.cluster, this.endpoint, this.address, {
      serverName: this.#serverName,
      protocol: this.#protocol,
      caller: this.#caller,
      along: this.#along,
      forBytes: this.#forBytes,
      counts: this.counts,
      carrying: this.#carrying,
      ...part,
    });
  }

  /** @returns `undefined` where there are too many: the attempt has failed */
  #poolOf(name: string, stream: Stream): EndpointPool | undefined {
    const parts = (this.#named ??= new PoolParts(MAX_SERVER_NAMES));
    return parts.find(name, () => this.#part({ serverName: name })) ?? tooManyParts(stream, 'server_names');
  }

  #ofCaller(stream: Stream): EndpointPool | undefined {
    const { connection } = stream.downstream;
    const parts = (this.#callers ??= new PoolParts(MAX_CALLERS));
    const make = (): EndpointPool =>
      this.#part({ caller: connection, onUnused: () => parts.forget(connection) });
    return parts.find(connection, make) ?? tooManyParts(stream, 'callers');
  }

  #ofAlong(key: string, along: Along, stream: Stream): EndpointPool | undefined {
    const parts = (this.#alongs ??= new PoolParts(MAX_ALONG));
    const make = (): EndpointPool => this.#part({ along, onUnused: () => parts.forget(key) });
    return parts.find(key, make) ?? tooManyParts(stream, 'filter_states');
  }

  stopWaiting(stream: Stream): void {
    for (const pool of this.#parts()) pool.stopWaiting(stream);
    if (this.#waiters.remove(stream)) this.cluster.resourcesOf(stream.highPriority).pending--;
  }

  #nextWaiter(): Stream | undefined {
    const stream = this.#waiters.take();
    if (stream === undefined) return undefined;
    this.cluster.resourcesOf(stream.highPriority).pending--;
    stream.waiting = false;
    return stream;
  }

  /** Of several addresses each that is tried counts. */
  trying(): void {
    this.cluster.metrics.connections.add();
    this.counts.opened++;
  }

  connected(socket: Socket): void {
    const { cluster } = this;
    this.connecting--;
    if (!this.#isExpected(socket)) {
      socket.destroy();
      this.connections--;
      cluster.connections--;
      return this.#grow();
    }
    if (this.#forBytes) return this.#carryBytes(socket);
    this.#shares =
      this.#protocol === 'http2'
        ? socket.tls?.alpn === undefined || socket.tls.alpn === 'h2'
        : this.#protocol === 'auto' && socket.tls?.alpn === 'h2';
    if (!this.#shares) {
      cluster.metrics.http1Connections.add();
      this.give(new UpstreamConnection(this, socket));
      // It was expected to serve all who wait.
      if (this.#protocol !== 'http1') this.#grow();
      return;
    }
    cluster.metrics.http2Connections.add();
    cluster.http2Connections++;
    const connection = new Http2ClientConnection(this, socket);
    this.#shared.add(connection);
    this.roomMade(connection);
    if (this.#retired || cluster.closed) connection.leave();
  }

  /** It serves who waited longest, and nobody after. */
  #carryBytes(socket: Socket): void {
    const stream = this.#nextWaiter();
    if (stream !== undefined) {
      this.carries(socket);
      return sendAttempt(stream, new BytesConnection(this, socket));
    }
    socket.destroy();
    this.bytesGone(socket);
  }

  /** A connection that carried bytes is gone. */
  bytesGone(socket: Socket): void {
    this.carriesNoMore(socket);
    this.connections--;
    this.cluster.connections--;
    this.#grow();
    this.#tellUnused();
  }

  // — shared connections —

  /** A stream of a shared connection, or `undefined` where the endpoint does not take what it is for. */
  #share(connection: Http2ClientConnection, stream: Stream): UpstreamStream | undefined {
    if (stream.upgrade === undefined || connection.takesUpgrades) return connection.open(stream);
    attemptFailed(stream, 'TULLE_UPGRADE_REFUSED', true, 'upgrade_failed{upstream_without_extended_connect}');
    return undefined;
  }

  roomMade(connection: Http2ClientConnection): void {
    this.#shared.learn(connection);
    while (connection.hasRoom) {
      const next = this.#waiters.next;
      if (next === undefined || (next.upgrade !== undefined && !connection.settled)) return;
      this.#nextWaiter();
      const side = this.#share(connection, next);
      if (side !== undefined) sendAttempt(next, side);
    }
  }

  leaves(connection: Http2ClientConnection): void {
    this.#shared.remove(connection);
    if (connection.settled) this.#grow();
  }

  sharedGone(connection: Http2ClientConnection): void {
    this.#shared.remove(connection);
    this.connections--;
    this.cluster.connections--;
    this.cluster.http2Connections--;
    // Where the endpoint never said a word of HTTP/2, another connection would go the same way.
    if (!connection.settled)
      this.#failWaiters(
        'TULLE_UPSTREAM_PROTOCOL',
        `upstream_reset_before_response_started{protocol_error,${connection.faultRule || 'closed'}}`,
      );
    this.#grow();
    this.#tellUnused();
  }

  // — connections of one stream at a time —

  /** A connection is free: the next waiter gets it, or it rests. */
  give(connection: UpstreamConnection): void {
    const { cluster } = this;
    if (!connection.reusable || !this.#isExpected(connection.socket)) return connection.close();
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

  /** As many as the connection would have served learn it, those that waited longest. */
  notConnected(fault: SocketFault | undefined): void {
    this.connecting--;
    this.connections--;
    this.cluster.connections--;
    if (fault === undefined) return;
    const code = failureOf(this, fault);
    const details =
      code === 'TULLE_UPSTREAM_CONNECT' || code === 'TULLE_UPSTREAM_CONNECT_TIMEOUT'
        ? undefined
        : `upstream_reset_before_response_started{connection_failure,${fault.reason}}`;
    this.#failWaiters(code, details);
    this.#grow();
    this.#tellUnused();
  }

  #tellUnused(): void {
    if (this.connections === 0 && this.#waiters.size === 0) this.#onUnused?.();
  }

  #failWaiters(code: ErrorCode, details: string | undefined): void {
    for (let left = Math.min(this.#streamsEach, this.#waiters.size); left > 0; left--) {
      const stream = this.#nextWaiter();
      if (stream !== undefined) attemptFailed(stream, code, true, details);
    }
  }

  /** An open connection is gone. @param resting it was at rest and the peer closed it */
  gone(connection: UpstreamConnection, resting: boolean): void {
    this.connections--;
    this.cluster.connections--;
    this.resting.remove(connection, resting);
    this.#grow();
    this.#tellUnused();
  }

  /** The endpoint left the set, or the cluster closes: nothing new. */
  retire(): void {
    this.#retired = true;
    for (const pool of this.#parts()) pool.retire();
    this.resting.stop();
    this.#shared.leave();
  }

  /** Streams that a new connection is expected to serve. */
  get #streamsEach(): number {
    return this.#shares ? Math.min(this.#shared.streamsEach, this.cluster.streamsEach) : 1;
  }

  #alpn(): readonly string[] | undefined {
    if (this.#forBytes) return undefined;
    const { protocol, alpn } = this.cluster;
    return protocol === 'downstream' ? ALPN[this.#protocol as 'http1' | 'http2'] : alpn;
  }

  /** Opens connections for those who wait, as far as the limits let. */
  #grow(): void {
    const { cluster } = this;
    while (this.connecting * this.#streamsEach < this.#waiters.size) {
      // A cluster at its limit still opens the first connection to an endpoint, or its streams would wait for nothing.
      const { maxConnections } = cluster.resourcesOf(this.#waiters.next?.highPriority === true);
      const full =
        cluster.connections >= maxConnections || this.connections >= cluster.maxConnectionsPerEndpoint;
      if (full && this.connections > 0) {
        cluster.metrics.connectionOverflow.add();
        return;
      }
      this.connecting++;
      this.connections++;
      cluster.connections++;
      const { endpoint } = this;
      const addresses = addressesOfEndpoint(cluster, endpoint);
      const connect = (at: number): Socket =>
        connectEndpoint(cluster, endpoint, {
          serverName: this.#serverName,
          whose: this.#caller && addressesOf(this.#caller),
          alpn: this.#alpn(),
          along: this.#along,
          address: addresses[at],
        });
      new ConnectingSocket(this, connect, addresses.length);
    }
  }
}
