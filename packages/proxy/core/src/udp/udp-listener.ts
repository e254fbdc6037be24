import type { Address } from '@tulle/model';
import type { Engine } from '../engine.ts';
import type { DatagramEvents, DatagramSocket } from '../ports.ts';
import type { CompiledUdp } from './compiled-udp.ts';
import { UdpMetrics } from './udp-metrics.ts';
import { UdpSession, type SessionOwner } from './udp-session.ts';

/** A listener of datagrams at work: its socket, and its sessions. */
export class UdpListener implements DatagramEvents, SessionOwner {
  readonly metrics: UdpMetrics;
  compiled: CompiledUdp;
  readonly #engine: Engine;
  readonly #sessions: Map<string, UdpSession> = new Map<string, UdpSession>();
  readonly #onEmpty: (() => void)[] = [];
  #socket: DatagramSocket | undefined;
  /** What came before the configuration took effect is dropped, as what comes before a socket is bound. */
  #active = false;

  constructor(engine: Engine, compiled: CompiledUdp) {
    this.#engine = engine;
    this.compiled = compiled;
    this.metrics = new UdpMetrics(engine.meter, compiled.name, () => this.#sessions.size);
  }

  get address(): Address {
    return this.#socket?.address ?? this.compiled.address;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** @throws Error naming the address when it cannot be had */
  async bind(): Promise<void> {
    this.#socket = await this.#engine.transport.datagrams?.bind(this.compiled.address, this);
  }

  activate(): void {
    this.#active = true;
  }

  /** Takes a new configuration; sessions stay where their cluster is still one of its. */
  replace(compiled: CompiledUdp): void {
    this.compiled = compiled;
    const names = new Set(compiled.shares.filter(({ weight }) => weight > 0).map(({ ref }) => ref.name));
    for (const session of [...this.#sessions.values()]) if (!names.has(session.share.ref.name)) session.end();
  }

  onDatagram(bytes: Buffer, address: string, port: number): void {
    if (!this.#active) return;
    const { turn } = this.#engine;
    turn.begin();
    try {
      this.#take(bytes, address, port);
    } catch (defect) {
      this.#engine.logDefect(defect);
    } finally {
      turn.end();
    }
  }

  #take(bytes: Buffer, address: string, port: number): void {
    const { metrics } = this;
    metrics.received.add();
    metrics.receivedBytes.add(bytes.length);
    const key = `${address} ${port}`;
    let session = this.#sessions.get(key);
    if (session !== undefined && !session.stands) {
      metrics.endpointsGone.add();
      session.end();
      session = undefined;
    }
    session ??= this.#begin(key, address, port);
    session?.send(bytes);
  }

  #begin(key: string, address: string, port: number): UdpSession | undefined {
    if (this.#sessions.size >= this.compiled.maxSessions) {
      this.metrics.dropped('sessions');
      return undefined;
    }
    if (this.#engine.overload.refusesConnection(true)) {
      this.metrics.dropped('overload');
      return undefined;
    }
    const session = UdpSession.begin(this.#engine, this, { key, address, port });
    if (session !== undefined) this.#sessions.set(key, session);
    return session;
  }

  reply(bytes: Buffer, { address, port }: UdpSession): void {
    // Who sends from port 0 takes no answer (RFC 768), and no socket sends there.
    if (port === 0) return this.metrics.dropped('port');
    if (this.#socket?.send(bytes, address, port) !== true) return this.metrics.dropped('queue');
    this.metrics.sent.add();
    this.metrics.sentBytes.add(bytes.length);
  }

  over(session: UdpSession): void {
    if (this.#sessions.get(session.key) === session) this.#sessions.delete(session.key);
    if (this.#sessions.size > 0) return;
    for (const tell of this.#onEmpty.splice(0)) tell();
  }

  onError(reason: string): void {
    this.metrics.errors.add();
    this.#engine.log.debug(`listener ${this.compiled.name}: ${reason}`);
  }

  /**
   * Serves on until nothing is under way, or the window is over: a datagram that finds no socket is lost, and callers cannot
   * be told to go elsewhere. Then the socket closes.
   */
  async drain(windowMs: number): Promise<void> {
    if (this.#sessions.size > 0)
      await new Promise<void>((resolve) => {
        const cancel = this.#engine.clock.setTimer(windowMs, resolve);
        this.#onEmpty.push(() => {
          cancel();
          resolve();
        });
      });
    this.close();
  }

  close(): void {
    this.#active = false;
    this.#socket?.close();
    this.#socket = undefined;
    for (const session of [...this.#sessions.values()]) session.end();
    this.metrics.close();
  }
}
