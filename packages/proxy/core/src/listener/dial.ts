import {
  addHash,
  hashText,
  LOCAL_FAILURE,
  NEUTRAL,
  type Outcome,
  type SubsetCriteria,
  SUCCESS,
} from '@tulle/balance';
import type { ErrorCode } from '@tulle/filter';
import { isInternalAddress } from '@tulle/model';
import { backoffDelayMs } from '@tulle/time';
import type { TcpChain, TcpShare } from '../compile/compiled-tcp.ts';
import type { Engine } from '../engine.ts';
import { alongWithConnection } from '../internal/along.ts';
import type { Socket, SocketFault } from '../ports.ts';
import type { ClusterRuntime, UpstreamEndpoint } from '../upstream/cluster.ts';
import { addressesOfEndpoint, connectEndpoint } from '../upstream/connect-endpoint.ts';
import { passthroughOf, proxyProtocolOf } from '../upstream/endpoint-tls.ts';
import { FirstToOpen } from '../upstream/first-to-open.ts';
import { calledBy } from './called-by.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import type { KeptAnswer } from './kept-answer.ts';

/** Who wants the endpoint; it may change until it is connected. */
export interface DialOwner {
  /** The endpoint is connected: its socket is there to be taken. */
  dialled(): void;
  /** No endpoint could be had. */
  notDialled(code: ErrorCode): void;
}

/** A connection to an endpoint that is looked for, until it is let go of. */
export interface Dial {
  owner: DialOwner;
  readonly cluster: Pick<ClusterRuntime, 'name' | 'statName' | 'labels'> | undefined;
  /** That which is connected, or was tried last. */
  readonly endpoint: Pick<UpstreamEndpoint, 'address' | 'endpoint'> | undefined;
  /** Who the endpoint proved to be. */
  readonly identity: string | undefined;
  /** What it said before its socket was taken, and whether it said that this was all. */
  readonly heard: Buffer | undefined;
  readonly heardEnd: boolean;
  readonly connected: boolean;
  /** As many endpoints were asked as may be, and none was connected. */
  readonly exhausted: boolean;
  /** What logs of the connection are told of an answer. */
  readonly kept: KeptAnswer | undefined;
  /** Looks for an endpoint. What fails at once is told at once. */
  begin(): void;
  /** The socket of what is connected: whoever takes it closes it. */
  take(): Socket;
  /** The connection is over, or nobody wants it. @param outcome what that says of the endpoint; default nothing */
  end(outcome?: Outcome): void;
}

/** Before another endpoint is tried. @param failed attempts so far @returns what cancels it; `undefined`: there is no wait */
export function waitToDial(
  { clock, random }: Engine,
  { connectBackoff }: TcpChain,
  failed: number,
  then: () => void,
): (() => void) | undefined {
  if (connectBackoff === undefined) return undefined;
  return clock.setTimer(backoffDelayMs(failed, connectBackoff, random), then);
}

/** By weight. @returns `undefined`: there is none that has any */
export function drawShare({ shares, totalWeight }: TcpChain, engine: Engine): TcpShare | undefined {
  let draw = engine.random() * totalWeight;
  for (const share of shares) {
    draw -= share.weight;
    if (draw < 0) return share;
  }
  return totalWeight === 0 ? undefined : shares.findLast(({ weight }) => weight > 0);
}

/** What connections of one caller have in common; -1: nothing. */
export function hashOf({ hashesSource }: TcpChain, { remoteAddress }: ConnectionFacts): number {
  return hashesSource ? addHash(-1, hashText(remoteAddress)) : -1;
}

const NOBODY = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };

/** The endpoint of a connection of bytes: chosen, connected, where that fails another; counted until it is let go of. */
export class EndpointDial implements Dial {
  owner: DialOwner;
  cluster: ClusterRuntime | undefined;
  /** That which is connected, or was tried last. */
  endpoint: UpstreamEndpoint | undefined;
  /** Connected. */
  socket: Socket | undefined;
  /** Who the endpoint proved to be. */
  identity: string | undefined;
  /** What it said before its socket was taken, and whether it said that this was all. */
  heard: Buffer | undefined;
  heardEnd = false;
  exhausted = false;
  readonly kept = undefined;
  readonly #engine: Engine;
  readonly #chain: TcpChain;
  /** Of the caller that it is for: endpoints may be told. */
  #facts: ConnectionFacts;
  readonly #hash: number;
  readonly #tried: UpstreamEndpoint[] = [];
  #subset: SubsetCriteria | undefined;
  /** It is being connected. */
  #race: FirstToOpen | undefined;
  #admitted = false;
  #cancelTimer: (() => void) | undefined;
  #startedMs = 0;
  #connectMs = 0;
  /** Why the endpoint that was tried last could not be connected. */
  #code: ErrorCode = 'TULLE_UPSTREAM_CONNECT';
  #connected = false;
  /** It is kept for somebody, and counts as nobody's use of the endpoint. */
  #resting = false;
  /** Somebody closes the socket. */
  #taken = false;
  #over = false;

  constructor(engine: Engine, chain: TcpChain, facts: ConnectionFacts, owner: DialOwner) {
    this.#engine = engine;
    this.#chain = chain;
    this.#facts = facts;
    this.owner = owner;
    this.#hash = hashOf(chain, facts);
  }

  /** Looks for an endpoint. What fails at once is told at once. */
  begin(): void {
    const share = drawShare(this.#chain, this.#engine);
    const cluster = share?.ref.current;
    this.#subset = share?.subset;
    this.cluster = cluster;
    if (cluster === undefined) return this.#fail('TULLE_CLUSTER_NOT_FOUND');
    if (!cluster.enter(false)) return this.#fail('TULLE_UPSTREAM_OVERFLOW');
    this.#admitted = true;
    this.#connect(cluster);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** How long it has been connected; 0 while it is not. */
  get ageMs(): number {
    return this.#connected ? this.#engine.turn.nowMs - this.#startedMs - this.#connectMs : 0;
  }

  /** Whether another caller of the chain may have it: nothing of it depends on who called. */
  get suitsAnybody(): boolean {
    const { cluster, endpoint } = this;
    const made = this.socket ?? this.#race;
    if (this.#chain.hashesSource || made === undefined || endpoint === undefined) return false;
    return (
      this.heard === undefined &&
      !this.heardEnd &&
      cluster?.onDemand === undefined &&
      endpoint.endpoint.mode !== 'hbone' &&
      !isInternalAddress(endpoint.endpoint.address) &&
      proxyProtocolOf(endpoint.data.cluster, endpoint.endpoint) === undefined
    );
  }

  /** It is connected, and nobody wants it now. */
  rest(): void {
    this.#resting = true;
    this.endpoint?.onEnd(NEUTRAL, this.#connectMs, this.#engine.turn.nowMs);
    this.cluster?.leave(false);
    this.#admitted = false;
  }

  /** Somebody wants it. @returns whether the cluster lets it, and still has the endpoint */
  wake(): boolean {
    const { cluster, endpoint } = this;
    if (!this.#resting) return true;
    if (cluster === undefined || endpoint === undefined || cluster.closed) return false;
    if (endpoint.data.cluster.own.get(endpoint.address) !== endpoint || !cluster.enter(false)) return false;
    this.#admitted = true;
    this.#resting = false;
    endpoint.onStart();
    return true;
  }

  /** Another caller has it from now on. */
  passTo(owner: DialOwner, facts: ConnectionFacts): void {
    this.owner = owner;
    this.#facts = facts;
  }

  /** The socket of the endpoint that is connected: whoever takes it closes it. */
  take(): Socket {
    this.#taken = true;
    return this.socket as Socket;
  }

  /** The connection is over, or nobody wants it. @param outcome what that says of the endpoint */
  end(outcome: Outcome = NEUTRAL): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer?.();
    const { socket } = this;
    const race = this.#race;
    if (socket !== undefined || race !== undefined)
      this.#gone(outcome, this.#connected ? this.#connectMs : this.#engine.turn.nowMs - this.#startedMs);
    race?.destroy();
    if (socket !== undefined && !this.#taken) {
      socket.events = NOBODY;
      socket.destroy();
    }
    if (this.#admitted) this.cluster?.leave(false);
  }

  #endpointOf(cluster: ClusterRuntime, nowMs: number): UpstreamEndpoint | undefined {
    const { onDemand } = cluster;
    if (onDemand === undefined) {
      const { balancer } = cluster;
      const other = balancer.pick(nowMs, this.#tried, this.#hash, this.#subset);
      // Whoever waits may find well who was not.
      const again = other === undefined && this.#chain.connectBackoff !== undefined;
      return again ? balancer.pick(nowMs, undefined, this.#hash, this.#subset) : other;
    }
    const found = this.#tried.length === 0 ? onDemand.ofConnection(this.#facts) : undefined;
    return found && cluster.own.get(found.address);
  }

  #connect(cluster: ClusterRuntime): void {
    const nowMs = this.#engine.turn.nowMs;
    const endpoint = this.#endpointOf(cluster, nowMs);
    if (endpoint === undefined) {
      if (this.#tried.length === 0) cluster.metrics.noEndpoint.add();
      return this.#fail(this.#tried.length === 0 ? 'TULLE_UPSTREAM_NO_ENDPOINT' : this.#code);
    }
    if (cluster.connections >= cluster.resources.maxConnections) {
      cluster.metrics.connectionOverflow.add();
      return this.#fail('TULLE_UPSTREAM_OVERFLOW');
    }
    this.endpoint = endpoint;
    this.#tried.push(endpoint);
    this.#startedMs = nowMs;
    endpoint.onStart();
    cluster.connections++;
    cluster.used = true;
    const { counts } = endpoint.data;
    counts.dialled++;
    const { engine } = cluster;
    const { endpoint: described } = endpoint;
    const own = endpoint.data.cluster;
    const addresses = addressesOfEndpoint(own, described);
    const connect = (at: number): Socket =>
      connectEndpoint(own, described, {
        whose: calledBy(this.#engine, this.#chain, this.#facts),
        along: alongWithConnection(this.#facts, passthroughOf(own, described) !== undefined),
        address: addresses[at],
      });
    let timedOut = false;
    const race = new FirstToOpen(engine, connect, addresses.length, {
      trying: () => {
        cluster.metrics.connections.add();
        counts.opened++;
      },
      won: (socket) => this.#inTurn(() => this.#opened(socket)),
      lost: (fault) => this.#inTurn(() => this.#connectFailed(cluster, endpoint, fault, timedOut)),
    });
    this.#race = race;
    this.#cancelTimer = engine.clock.setTimer(own.connectTimeoutMs, () => {
      timedOut = true;
      race.destroy();
    });
  }

  #opened(socket: Socket): void {
    this.#cancelTimer?.();
    this.#race = undefined;
    this.socket = socket;
    this.endpoint?.data.carries(socket);
    this.#connectMs = this.#engine.turn.nowMs - this.#startedMs;
    this.identity = socket.tls?.identity;
    if (this.endpoint !== undefined) this.endpoint.data.counts.sent++;
    this.#connected = true;
    this.owner.dialled();
  }

  #connectFailed(
    cluster: ClusterRuntime,
    endpoint: UpstreamEndpoint,
    fault: SocketFault | undefined,
    timedOut: boolean,
  ): void {
    if (this.#over) return;
    this.#cancelTimer?.();
    this.#gone(LOCAL_FAILURE, this.#engine.turn.nowMs - this.#startedMs);
    cluster.metrics.connectFailures.add();
    endpoint.data.counts.connectFailures++;
    if (timedOut) cluster.metrics.connectTimeouts.add();
    const kind = fault?.kind;
    if (kind === 'tls' || kind === 'identity')
      cluster.metrics.tlsRefused(fault?.reason ?? 'handshake-failed');
    this.#code = timedOut
      ? 'TULLE_UPSTREAM_CONNECT_TIMEOUT'
      : kind === 'identity'
        ? 'TULLE_UPSTREAM_IDENTITY'
        : kind === 'tls'
          ? 'TULLE_UPSTREAM_TLS'
          : 'TULLE_UPSTREAM_CONNECT';
    if (fault !== undefined)
      this.#engine.log.debug(`cluster ${cluster.name}: ${endpoint.address}: ${fault.message}`);
    if (this.#tried.length < this.#chain.maxConnectAttempts) {
      this.#cancelTimer = waitToDial(this.#engine, this.#chain, this.#tried.length, () =>
        this.#inTurn(() => this.#connect(cluster)),
      );
      if (this.#cancelTimer === undefined) this.#connect(cluster);
      return;
    }
    cluster.metrics.connectAttemptsExceeded.add();
    this.exhausted = true;
    this.#fail(this.#code);
  }

  /** The socket is not counted any more. */
  #gone(outcome: Outcome, connectMs: number): void {
    if (this.socket !== undefined) this.endpoint?.data.carriesNoMore(this.socket);
    this.socket = undefined;
    this.#race = undefined;
    if (this.cluster !== undefined) this.cluster.connections--;
    const counts = this.endpoint?.data.counts;
    if (counts !== undefined) counts.dialled--;
    if (counts !== undefined && outcome === SUCCESS) counts.carried++;
    else if (counts !== undefined && outcome !== NEUTRAL && !this.#resting) counts.uncarried++;
    if (!this.#resting) this.endpoint?.onEnd(outcome, connectMs, this.#engine.turn.nowMs);
  }

  #fail(code: ErrorCode): void {
    this.owner.notDialled(code);
  }

  #inTurn(run: () => void): void {
    this.#engine.inTurn(run, () => this.#fail('TULLE_INTERNAL'));
  }
}
