import { addHash, hashText, NEUTRAL } from '@tulle/balance';
import { isUnixAddress, type Address } from '@tulle/model';
import type { StreamRecord } from '@tulle/telemetry';
import type { WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';
import type { DatagramEvents, DatagramSocket } from '../ports.ts';
import type { ClusterRuntime, UpstreamEndpoint } from '../upstream/cluster.ts';
import type { CompiledUdp, CompiledUdpShare } from './compiled-udp.ts';
import type { UdpMetrics } from './udp-metrics.ts';
import type { Mutable } from '../stream/recorder.ts';

/** Whose sessions these are. */
export interface SessionOwner {
  readonly compiled: CompiledUdp;
  readonly metrics: UdpMetrics;
  /** Where it listens. */
  readonly address: Address;
  /** Sends to a caller. */
  reply(bytes: Buffer, session: UdpSession): void;
  /** The session is over. */
  over(session: UdpSession): void;
}

/** What one address and port sends, and what comes back: a socket to one endpoint. */
export class UdpSession implements DatagramEvents {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly share: CompiledUdpShare;
  readonly #engine: Engine;
  readonly #owner: SessionOwner;
  readonly #cluster: ClusterRuntime;
  readonly #endpoint: UpstreamEndpoint;
  readonly #socket: DatagramSocket;
  readonly #timer: WheelTimer;
  readonly #startMs: number;
  #lastMs: number;
  #received = 0;
  #sent = 0;
  #over = false;

  private constructor(
    engine: Engine,
    owner: SessionOwner,
    caller: { readonly key: string; readonly address: string; readonly port: number },
    to: {
      readonly share: CompiledUdpShare;
      readonly cluster: ClusterRuntime;
      readonly endpoint: UpstreamEndpoint;
    },
  ) {
    this.key = caller.key;
    this.address = caller.address;
    this.port = caller.port;
    this.share = to.share;
    this.#engine = engine;
    this.#owner = owner;
    this.#cluster = to.cluster;
    this.#endpoint = to.endpoint;
    this.#startMs = this.#lastMs = engine.clock.nowMs();
    const datagrams = engine.transport.datagrams;
    const { address } = to.endpoint.endpoint;
    if (datagrams === undefined || !('host' in address)) throw new Error('no endpoint of datagrams'); // was looked at before
    const { sourceAddress } = to.cluster.connectOptions;
    this.#socket = datagrams.connect(address, this, sourceAddress);
    to.endpoint.onStart();
    to.cluster.connections++;
    to.cluster.used = true;
    to.cluster.metrics.connections.add();
    owner.metrics.sessions.add();
    this.#timer = engine.wheel.timer(rested, this);
    this.#timer.arm(owner.compiled.idleTimeoutMs, this.#lastMs);
  }

  /**
   * Chooses an endpoint and begins.
   * @returns `undefined` where there is none to be had; why is counted
   */
  static begin(
    engine: Engine,
    owner: SessionOwner,
    caller: { readonly key: string; readonly address: string; readonly port: number },
  ): UdpSession | undefined {
    const { compiled, metrics } = owner;
    const share = draw(compiled, engine.random());
    const cluster = share?.ref.current;
    if (share === undefined || cluster === undefined) {
      metrics.dropped('cluster');
      return undefined;
    }
    const hash = compiled.hashesSource ? addHash(-1, hashText(caller.address)) : -1;
    const endpoint = cluster.balancer.pick(engine.clock.nowMs(), [], hash, undefined);
    if (endpoint === undefined || !('host' in endpoint.endpoint.address)) {
      cluster.metrics.noEndpoint.add();
      metrics.dropped('endpoint');
      return undefined;
    }
    if (cluster.connections >= cluster.resources.maxConnections) {
      cluster.metrics.connectionOverflow.add();
      metrics.dropped('limit');
      return undefined;
    }
    if (!cluster.enter(false)) {
      metrics.dropped('limit');
      return undefined;
    }
    try {
      return new UdpSession(engine, owner, caller, { share, cluster, endpoint });
    } catch (error) {
      // No socket, or no port: the next datagram may have more luck.
      cluster.leave(false);
      cluster.metrics.connectFailures.add();
      metrics.dropped('endpoint');
      engine.log.debug(`cluster ${cluster.name}: ${endpoint.address}: ${String(error)}`);
      return undefined;
    }
  }

  /** Whether its endpoint is still one of its cluster's. */
  get stands(): boolean {
    return (
      this.share.ref.current === this.#cluster &&
      this.#endpoint.data.cluster.own.get(this.#endpoint.address) === this.#endpoint
    );
  }

  /** A datagram of the caller. */
  send(bytes: Buffer): void {
    this.#lastMs = this.#engine.clock.nowMs();
    this.#received += bytes.length;
    if (!this.#socket.send(bytes)) this.#owner.metrics.dropped('queue');
  }

  onDatagram(bytes: Buffer): void {
    if (this.#over) return;
    const { turn } = this.#engine;
    turn.begin();
    try {
      this.#answered(bytes);
    } catch (defect) {
      this.#engine.logDefect(defect);
      this.end();
    } finally {
      turn.end();
    }
  }

  #answered(bytes: Buffer): void {
    if (!this.stands) return this.#gone();
    this.#lastMs = this.#engine.turn.nowMs;
    this.#sent += bytes.length;
    this.#owner.reply(bytes, this);
  }

  /** Nobody listens there, most likely: the caller's next datagram may go to another endpoint. */
  onError(): void {
    if (!this.#over) this.#gone();
  }

  #gone(): void {
    this.#owner.metrics.endpointsGone.add();
    this.end();
  }

  /** Nothing came for as long as a session may rest, or something did meanwhile. */
  rested(): void {
    const { idleTimeoutMs } = this.#owner.compiled;
    const nowMs = this.#engine.clock.nowMs();
    const leftMs = this.#lastMs + idleTimeoutMs - nowMs;
    if (leftMs > 0) return this.#timer.arm(leftMs, nowMs);
    this.#owner.metrics.idle.add();
    this.end();
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer.cancel();
    this.#socket.close();
    this.#endpoint.onEnd(NEUTRAL, 0, this.#engine.clock.nowMs());
    this.#cluster.connections--;
    this.#cluster.leave(false);
    this.#engine.recorder.recordOther((record) => this.#describe(record));
    this.#owner.over(this);
  }

  #describe(record: Mutable<StreamRecord>): void {
    const { clock } = this.#engine;
    const { address, compiled } = this.#owner;
    const { endpoint } = this.#endpoint;
    const durationMs = clock.nowMs() - this.#startMs;
    record.kind = 'tcp';
    record.protocol = 'UDP';
    record.startEpochMs = clock.epochMs() - durationMs;
    record.durationMs = durationMs;
    record.listener = compiled.name;
    record.direction = compiled.direction;
    record.cluster = this.#cluster.name;
    record.upstreamAddress = this.#endpoint.address;
    record.upstreamLabels = endpoint.labels ?? this.#cluster.labels;
    record.upstreamHostname = endpoint.hostname;
    record.remoteAddress = this.address;
    record.remotePort = this.port;
    if (!isUnixAddress(address)) {
      record.localAddress = address.host;
      record.localPort = address.port;
    }
    record.bytesReceived = this.#received;
    record.bytesSent = this.#sent;
  }
}

function rested(session: UdpSession): void {
  session.rested();
}

function draw({ shares, totalWeight }: CompiledUdp, chance: number): CompiledUdpShare | undefined {
  let left = chance * totalWeight;
  for (const share of shares) {
    left -= share.weight;
    if (left < 0) return share;
  }
  return totalWeight === 0 ? undefined : shares.findLast(({ weight }) => weight > 0);
}
