import {
  formatAddress,
  isInternalAddress,
  type Address,
  type InternalAddress,
  type ListenAddress,
  type TcpKeepalive,
} from '@tulle/model';
import type { CompiledChain, CompiledListener } from '../compile/compiled-listener.ts';
import { HttpChain } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import type { ListenOwner, Socket, SocketFault } from '../ports.ts';
import { HboneHandshake, type HandshakeListener } from '../hbone/handshake.ts';
import type { IncomingTunnel } from '../hbone/tunnel-facts.ts';
import { ConnectionFacts } from './connection-facts.ts';
import type { HandedOver, Taker } from './handed-over.ts';
import { NOBODY_TOLD, type ConnectionEnd } from './connection-log.ts';
import { IncomingConnection, type AcceptingListener } from './incoming.ts';
import { noteRefusal } from './refused-peer.ts';
import { PlaintextClients } from './plaintext-clients.ts';
import { SpareDial } from './spare-dial.ts';
import { ListenerMetrics, type ChainSlot, type ListenerConnection } from './serving.ts';

/** A listening socket, and who serves what it accepts: another listener may take it over, so that it never closes. */
class Door implements ListenOwner {
  owner: ListenerRuntime;
  /** As configured. */
  readonly at: ListenAddress | InternalAddress;
  listening: { readonly address: Address | InternalAddress; close(): Promise<void> } | undefined;

  constructor(owner: ListenerRuntime, at: ListenAddress | InternalAddress) {
    this.owner = owner;
    this.at = at;
  }

  get address(): Address | InternalAddress {
    return this.listening?.address ?? this.at;
  }

  get mayUseTls(): boolean {
    return this.owner.mayUseTls;
  }

  get keepalive(): TcpKeepalive | undefined {
    return this.owner.compiled.config.tcpKeepalive;
  }

  accept(socket: Socket): void {
    this.owner.accept(socket);
  }

  async close(): Promise<void> {
    await this.listening?.close();
  }
}

/** A listener at work: its socket, its connections, and the chains in force. */
export class ListenerRuntime implements AcceptingListener, HandshakeListener, Taker {
  readonly name: string;
  readonly metrics: ListenerMetrics;
  readonly plaintextClients: PlaintextClients = new PlaintextClients();
  compiled: CompiledListener;
  readonly #engine: Engine;
  /** With who is told when they are over. */
  readonly #connections: Map<ListenerConnection, readonly ConnectionEnd[]> = new Map<
    ListenerConnection,
    readonly ConnectionEnd[]
  >();
  readonly #slots: Map<string, ChainSlot> = new Map<string, ChainSlot>();
  readonly #spares: Map<CompiledChain, SpareDial> = new Map<CompiledChain, SpareDial>();
  readonly #stops: (() => void)[] = [];
  /** Connections that came between binding and the moment the configuration took effect. */
  #early: Socket[] | undefined = [];
  /** One for each of its addresses. */
  #doors: Door[] = [];
  /** Told when the last connection is gone. */
  readonly #onEmpty: (() => void)[] = [];
  #drainStartMs = -1;
  #drainWindowMs = 0;
  #closed = false;
  /** It holds its chains. */
  #active = false;
  drainEnded = false;

  constructor(engine: Engine, compiled: CompiledListener) {
    this.#engine = engine;
    this.name = compiled.name;
    this.compiled = compiled;
    this.metrics = new ListenerMetrics(engine.meter, compiled.name);
  }

  get direction(): 'inbound' | 'outbound' | 'unspecified' {
    return this.compiled.config.direction ?? 'unspecified';
  }

  get bufferLimitBytes(): number {
    return this.compiled.config.bufferLimitBytes ?? 1024 * 1024;
  }

  get mayUseTls(): boolean {
    return this.compiled.mayUseTls;
  }

  get address(): Address | InternalAddress {
    return this.#doorAt(this.compiled.config.address)?.address ?? this.compiled.config.address;
  }

  /** Where it listens beside that. */
  get additionalAddresses(): readonly (Address | InternalAddress)[] {
    const { additionalAddresses = [] } = this.compiled.config;
    return additionalAddresses.map((at) => this.#doorAt(at)?.address ?? at);
  }

  #doorAt(address: ListenAddress | InternalAddress): Door | undefined {
    return this.#doors.find(({ at }) => formatAddress(at) === formatAddress(address));
  }

  /** Whether its connections count where those of all listeners are bounded. */
  get #counts(): boolean {
    const { ignoresConnectionLimit, bypassesOverload } = this.compiled.config;
    return ignoresConnectionLimit !== true && bypassesOverload !== true;
  }

  /** Whether load that is shed is not its own. */
  get #bypasses(): boolean {
    return this.compiled.config.bypassesOverload === true;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get draining(): boolean {
    return this.#drainStartMs >= 0;
  }

  /** Binds a socket. Connections wait until {@link activate}. @throws when the address cannot be had */
  async bind(address: ListenAddress | InternalAddress): Promise<void> {
    const door = new Door(this, address);
    if (isInternalAddress(address)) {
      const close = this.#engine.internal.listen(address.internal, door);
      door.listening = { address, close: () => Promise.resolve(close()) };
    } else door.listening = await this.#engine.transport.listen(address, door);
    this.#doors.push(door);
  }

  /** Whether it has the socket of an address. */
  listensAt(address: ListenAddress | InternalAddress): boolean {
    return this.#doorAt(address) !== undefined;
  }

  /** Serves what comes in at a socket of a listener that leaves. */
  inherit(from: ListenerRuntime, address: ListenAddress | InternalAddress): void {
    const door = from.#doorAt(address);
    if (door === undefined) return;
    from.#doors = from.#doors.filter((other) => other !== door);
    this.#doors.push(door);
    door.owner = this;
  }

  async #closeDoors(): Promise<void> {
    await Promise.all(this.#doors.map(async (door) => door.close()));
  }

  /** The configuration is in force: chains are put in place, who waited is served. */
  activate(): void {
    this.compiled.retain();
    this.#active = true;
    this.#fillSlots();
    this.#engine.takers.add(this, this.compiled.config);
    const { metrics } = this;
    this.#observe('cx_active', 'Open connections', () => this.#connections.size);
    this.#observe('cx_http2_active', 'Open connections that speak HTTP/2', () => metrics.http2Active);
    this.#observe('http2_streams_active', 'HTTP/2 streams under way', () => metrics.http2Streams);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const socket of early) this.#take(socket);
  }

  #observe(what: string, help: string, read: () => number): void {
    const labels = { listener: this.name };
    const { meter } = this.#engine;
    this.#stops.push(meter.observed(`tulle_listener_downstream_${what}`, { help, labels }, read));
  }

  /** Takes a new configuration; connections stay, their next request sees it. */
  replace(compiled: CompiledListener): void {
    const before = this.compiled;
    compiled.retain();
    const counted = this.#counts;
    this.compiled = compiled;
    if (counted !== this.#counts)
      this.#engine.overload.connections += counted ? -this.#connections.size : this.#connections.size;
    this.#engine.takers.remove(this, before.config);
    if (!this.draining) this.#engine.takers.add(this, compiled.config);
    this.#fillSlots();
    this.#closeSpares();
    before.release();
    this.#inTurn(() => this.#endPlainText());
  }

  /**
   * Plain text is taken no more. Bytes that flow so would flow on, also those of an upgraded connection; requests are
   * answered to the end of the one under way, whatever chain has the name of theirs now.
   */
  #endPlainText(): void {
    if (!this.compiled.mayUseTls || this.compiled.chains.some(({ tls }) => tls === undefined)) return;
    for (const connection of [...this.#connections.keys()])
      if (connection.plain === 'bytes') connection.destroy();
      else if (connection.plain === 'requests') connection.closeIfIdle();
  }

  #fillSlots(): void {
    for (const chain of this.compiled.chains)
      if (chain.handler instanceof HttpChain) {
        const slot = this.slot(chain.name);
        // Who waits for what a newer one has finds it.
        chain.handler.place = slot;
        slot.current = chain.handler;
      }
    for (const [name, slot] of this.#slots) {
      const chain = this.compiled.chains.find((other) => other.name === name);
      if (chain === undefined || !(chain.handler instanceof HttpChain)) slot.current = undefined;
    }
  }

  /** Where the connections of a chain find it. */
  slot(chain: string): ChainSlot {
    let slot = this.#slots.get(chain);
    if (slot === undefined) this.#slots.set(chain, (slot = { current: undefined }));
    return slot;
  }

  spareOf(chain: CompiledChain): SpareDial {
    let spare = this.#spares.get(chain);
    if (spare === undefined) {
      spare = new SpareDial(this.#engine);
      if (this.compiled.chains.includes(chain) && !this.draining && !this.#closed)
        this.#spares.set(chain, spare);
      else spare.close();
    }
    return spare;
  }

  #closeSpares(): void {
    for (const [chain, spare] of this.#spares) {
      if (this.compiled.chains.includes(chain) && !this.draining && !this.#closed) continue;
      this.#spares.delete(chain);
      spare.close();
    }
  }

  chainNamed(name: string): CompiledChain | undefined {
    return this.compiled.chains.find((chain) => chain.name === name);
  }

  // — connections —

  accept(socket: Socket): void {
    if (this.#early === undefined) return this.#take(socket);
    socket.events = WAITING;
    socket.pause();
    if (this.#early.length < this.#engine.limits.maxEarlyConnections) return void this.#early.push(socket);
    this.metrics.overflows.add();
    socket.destroy(true);
  }

  /** Somebody asks for a tunnel, and is answered when what it leads to is connected. */
  tunnelled(tunnel: IncomingTunnel): void {
    this.#take(tunnel.socket, tunnel);
  }

  /** Another listener accepted it; it was going here. */
  takeOver(socket: Socket, handed: HandedOver): void {
    this.#take(socket, undefined, handed);
  }

  secured(from: ListenerConnection, to: ListenerConnection): void {
    this.handedOver(from, to, NOBODY_TOLD);
  }

  refused(socket: Socket, fault: SocketFault): void {
    noteRefusal(this, this.#engine, new ConnectionFacts(socket, this.name, this.direction), fault);
  }

  #take(socket: Socket, tunnel?: IncomingTunnel, handed?: HandedOver): void {
    const { maxConnections: max = 65_536, handsOver } = this.compiled.config;
    if (this.#connections.size >= max) {
      this.metrics.overflows.add();
      socket.events = WAITING;
      socket.destroy(true);
      return;
    }
    const { turn, overload } = this.#engine;
    if (!this.#bypasses && overload.refusesConnection(this.#counts)) {
      socket.events = WAITING;
      socket.destroy(true);
      return;
    }
    // What may go to another is counted once it stays.
    if (handsOver !== true || handed !== undefined) this.metrics.connections.add();
    turn.begin();
    try {
      const { hbone } = this.compiled;
      if (this.#counts) overload.connections++;
      if (hbone !== undefined && tunnel === undefined) {
        this.#connections.set(new HboneHandshake(this.#engine, this, hbone, socket), NOBODY_TOLD);
        return;
      }
      const incoming = new IncomingConnection(this.#engine, this, socket, tunnel, handed);
      this.#connections.set(incoming, NOBODY_TOLD);
      socket.resume();
      incoming.begin();
    } catch (defect) {
      this.#engine.logDefect(defect);
      socket.destroy();
    } finally {
      turn.end();
    }
  }

  handedOver(from: ListenerConnection, to: ListenerConnection, told?: readonly ConnectionEnd[]): void {
    const kept = told ?? this.#connections.get(from) ?? NOBODY_TOLD;
    this.#connections.delete(from);
    this.#connections.set(to, kept);
  }

  connectionOver(connection: ListenerConnection): void {
    const told = this.#connections.get(connection);
    if (this.#connections.delete(connection) && this.#counts) this.#engine.overload.connections--;
    for (const one of told ?? []) one.close(connection);
    if (this.#connections.size > 0) return;
    for (const tell of this.#onEmpty.splice(0)) tell();
  }

  plaintext(remoteAddress: string): void {
    this.metrics.plaintext.add();
    this.plaintextClients.note(remoteAddress, this.#engine.clock.epochMs());
  }

  // — drain —

  asksToClose(): boolean {
    if (this.#engine.failsHealthChecks) return true;
    if (this.#drainStartMs < 0) return !this.#bypasses && this.#engine.overload.asksToClose();
    if (this.drainEnded || this.#drainWindowMs === 0) return true;
    return this.#engine.random() < (this.#engine.clock.nowMs() - this.#drainStartMs) / this.#drainWindowMs;
  }

  /**
   * Closes the listening socket and lets the connections go: responses say `Connection: close`, more and more often over
   * the window; at its end idle connections close. Resolves when the last is gone, or after `windowMs` with the rest
   * still at work.
   */
  async drain(windowMs: number): Promise<void> {
    if (this.#drainStartMs < 0) {
      this.#drainStartMs = this.#engine.clock.nowMs();
      this.#drainWindowMs = windowMs;
      this.#engine.takers.remove(this, this.compiled.config);
      this.#closeSpares();
    }
    await this.#closeDoors();
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#engine.clock.setTimer(windowMs, () => {
        this.drainEnded = true;
        this.#inTurn(() => {
          for (const connection of [...this.#connections.keys()]) connection.closeIfIdle();
        });
        resolve();
      });
      this.#onEmpty.push(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Asks connections to close that are at rest, those first that came first. @returns how many were asked */
  closeIdle(atMost: number): number {
    if (this.#bypasses) return 0;
    let asked = 0;
    this.#inTurn(() => {
      for (const connection of [...this.#connections.keys()].slice(0, atMost)) {
        connection.closeIfIdle();
        asked++;
      }
    });
    return asked;
  }

  /** Resolves when no connection is left. */
  emptied(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#onEmpty.push(resolve));
  }

  /** Bound, but its configuration is not applied: the socket closes, nothing else was touched. */
  async abandon(): Promise<void> {
    for (const socket of this.#early ?? []) socket.destroy();
    this.#early = [];
    await this.#closeDoors();
  }

  /** Closes everything now. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.drainEnded = true;
    if (this.#drainStartMs < 0) this.#drainStartMs = this.#engine.clock.nowMs();
    this.#closeSpares();
    this.#engine.takers.remove(this, this.compiled.config);
    const closed = this.#closeDoors();
    for (const socket of this.#early ?? []) socket.destroy();
    this.#inTurn(() => {
      for (const connection of [...this.#connections.keys()]) connection.destroy();
    });
    for (const stop of this.#stops) stop();
    for (const slot of this.#slots.values()) slot.current = undefined;
    if (this.#active) this.compiled.release();
    await closed;
  }

  #inTurn(run: () => void): void {
    this.#engine.turn.begin();
    try {
      run();
    } finally {
      this.#engine.turn.end();
    }
  }

  describe(): {
    readonly name: string;
    readonly address: string;
    readonly additionalAddresses: readonly string[];
    readonly connections: number;
    readonly draining: boolean;
  } {
    return {
      name: this.name,
      address: formatAddress(this.address),
      additionalAddresses: this.additionalAddresses.map(formatAddress),
      connections: this.connections,
      draining: this.draining,
    };
  }
}

const WAITING = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };
