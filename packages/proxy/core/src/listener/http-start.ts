import type { StreamRecord } from '@tulle/telemetry';
import type { WheelTimer } from '@tulle/time';
import type { HttpChain } from '../compile/compiled.ts';
import type { TcpChain } from '../compile/compiled-tcp.ts';
import type { CompiledChain } from '../compile/compiled-listener.ts';
import type { Engine } from '../engine.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { ConnectionHooks } from './conn-hooks.ts';
import type { ConnectionEnd } from './connection-log.ts';
import { ServerConnection } from './h1-server.ts';
import { Http2ServerConnection } from './h2-server.ts';
import { BYTES, HTTP1, HTTP2, PREFACE_MORE, readPreface, readStart } from './preface.ts';
import { ProtocolRace, type RaceOwner } from './protocol-race.ts';
import type { ChainSlot, ListenerConnection, ServingListener } from './serving.ts';
import type { SpareDial } from './spare-dial.ts';
import { TcpConnection, type Detected } from './tcp-connection.ts';
import type { Mutable } from '../stream/recorder.ts';

/** What a connection needs of its listener until it is known what it speaks. */
export interface StartingListener extends ServingListener {
  /** Where the connections of a chain find it. */
  slot(chain: string): ChainSlot;
  /** The chain of this name that is in force. */
  chainNamed(chain: string): CompiledChain | undefined;
  /** The connection to an endpoint of what takes bytes there that is left over. */
  spareOf(chain: CompiledChain): SpareDial;
  /** Another serves the connection. @param hooks to be closed with it, in this order; default: those of `from` */
  handedOver(from: ListenerConnection, to: ListenerConnection, told?: readonly ConnectionEnd[]): void;
}

/**
 * How long a caller may yet show that it speaks HTTP where no endpoint can be connected: that is answered with 503. Then it
 * is taken for one that waits for the server to speak first, and its connection ends as that of any other.
 */
const UNANSWERED_MS = 1_000;

/** Filters do not let the connection pass. */
const REFUSED = 'refused';

/**
 * A connection to a chain of HTTP until it is known what it speaks: by what the chain says, by ALPN, by the caller's first bytes.
 * Where the chain lets others than HTTP pass, whoever speaks first decides, caller or endpoint.
 */
export class HttpStart implements SocketEvents, ListenerConnection, RaceOwner {
  readonly plain: 'bytes' | undefined;
  readonly #engine: Engine;
  readonly #listener: StartingListener;
  readonly #chain: CompiledChain;
  readonly #handler: HttpChain;
  readonly #socket: Socket;
  readonly #facts: ConnectionFacts;
  #first: Buffer | undefined;
  #race: ProtocolRace | undefined;
  /** Filters were asked; bytes are looked at. */
  #detecting = false;
  #peerEnded = false;
  #cancelTimer: (() => void) | undefined;
  #restTimer: WheelTimer | undefined;
  #over = false;

  /** @param first bytes that the caller said already */
  constructor(
    engine: Engine,
    listener: StartingListener,
    chain: CompiledChain,
    handler: HttpChain,
    socket: Socket,
    facts: ConnectionFacts,
    first: Buffer | undefined,
  ) {
    this.#engine = engine;
    this.#listener = listener;
    this.#chain = chain;
    this.#handler = handler;
    this.#socket = socket;
    this.#facts = facts;
    this.#first = first === undefined || first.length === 0 ? undefined : first;
    this.plain = socket.tls === undefined ? 'bytes' : undefined;
    socket.events = this;
  }

  begin(): void {
    const { codec } = this.#handler.settings;
    if (codec !== 'auto') return this.#serve(codec === 'http1' ? HTTP1 : HTTP2);
    const { alpn } = this.#facts;
    if (alpn !== undefined) return this.#serve(alpn === 'h2' ? HTTP2 : HTTP1);
    const { otherwise } = this.#chain;
    if (otherwise === undefined) return this.#detect();
    this.#admit(otherwise, (hooks) => {
      if (hooks !== REFUSED)
        this.#race = new ProtocolRace(
          this.#engine,
          otherwise,
          this.#facts,
          hooks,
          this,
          this.#listener.spareOf(this.#chain),
        );
      this.#detect();
    });
  }

  /** Asks the filters of a chain of bytes, of which there may be none. */
  #admit(chain: TcpChain, goOn: (hooks: ConnectionHooks | undefined | typeof REFUSED) => void): void {
    if (chain.filters.connFilters.length === 0) return goOn(undefined);
    const hooks = new ConnectionHooks(this.#engine, chain.filters, this.#facts, chain.name);
    const finish = (passed: boolean): void => {
      if (!passed || this.#over) hooks.close();
      if (!this.#over) goOn(passed ? hooks : REFUSED);
    };
    const passed = hooks.admit();
    if (typeof passed === 'boolean') return finish(passed);
    this.#armTimer(this.#engine.limits.handshakeTimeoutMs);
    this.#socket.pause();
    void passed.then((ok) => this.#inTurn(() => finish(ok)));
  }

  /** The first bytes say what the caller speaks. */
  #detect(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#detecting = true;
    const first = this.#first;
    if (first !== undefined) {
      const seen = this.#speaks(first, 0, first.length);
      if (seen !== PREFACE_MORE) return this.#detected(seen);
      this.#armTimer(this.#engine.limits.handshakeTimeoutMs);
    }
    const { idleTimeoutMs } = this.#handler.settings;
    if (idleTimeoutMs > 0) (this.#restTimer = this.#engine.wheel.timer(restOver, this)).arm(idleTimeoutMs);
    this.#socket.resume();
    this.#race?.begin();
    if (this.#peerEnded && !this.#over) this.#callerEnded();
  }

  #speaks(bytes: Buffer, start: number, end: number): ReturnType<typeof readStart> {
    return this.#race === undefined ? readPreface(bytes, start, end) : readStart(bytes, start, end);
  }

  /** By the caller's first bytes. */
  #detected(seen: typeof HTTP1 | typeof HTTP2 | typeof BYTES): void {
    if (seen === BYTES) return this.#bytes('caller');
    if (this.#race !== undefined)
      this.#listener.metrics.detected(seen === HTTP2 ? 'http2' : 'http1', 'caller');
    this.#serve(seen);
  }

  #serve(version: typeof HTTP1 | typeof HTTP2): void {
    const engine = this.#engine;
    const listener = this.#listener;
    const slot = listener.slot(this.#chain.name);
    const socket = this.#socket;
    this.#race?.end();
    this.#race = undefined;
    this.#handOver(
      version === HTTP2
        ? new Http2ServerConnection(engine, listener, slot, this.#handler, socket, this.#facts)
        : new ServerConnection(engine, listener, slot, this.#handler, socket, this.#facts),
    );
    const first = this.#first;
    if (first !== undefined) socket.events.onRead(first, 0, first.length);
    if (this.#peerEnded) socket.events.onEnd();
    socket.resume();
  }

  /** It is no HTTP, and goes on as it is, where the port is still one that lets it. */
  #bytes(by: Detected['by']): void {
    const race = this.#race as ProtocolRace;
    this.#race = undefined;
    this.#detecting = false;
    const chain = this.#listener.chainNamed(this.#chain.name)?.otherwise;
    const silent = by === 'caller' && this.#first === undefined;
    if (chain === race.chain) return this.#pass(chain, race.hooks, { dial: race.handOver(), by, silent });
    // By now there is another configuration: its filters are asked, or it lets nothing but HTTP pass.
    race.end();
    if (chain === undefined) return this.#serve(HTTP1);
    this.#admit(chain, (hooks) =>
      hooks === REFUSED ? this.#serve(HTTP1) : this.#pass(chain, hooks, { dial: undefined, by, silent }),
    );
  }

  #pass(chain: TcpChain, hooks: ConnectionHooks | undefined, detected: Detected): void {
    const listener = this.#listener;
    if (!detected.silent) listener.metrics.detected('bytes', detected.by);
    const connection = new TcpConnection(
      this.#engine,
      listener,
      chain,
      this.#socket,
      this.#facts,
      hooks,
      this.#first,
      detected,
    );
    if (this.#peerEnded) connection.onEnd();
    this.#handOver(connection);
    connection.begin();
  }

  #handOver(connection: ListenerConnection): void {
    this.#leave();
    this.#listener.handedOver(this, connection);
  }

  #leave(): void {
    this.#over = true;
    this.#cancelTimer?.();
    this.#restTimer?.cancel();
  }

  #drop(): void {
    if (this.#over) return;
    this.#leave();
    this.#race?.end();
    this.#socket.destroy();
    this.#listener.connectionOver(this);
  }

  #armTimer(timeoutMs: number): void {
    this.#cancelTimer ??= this.#engine.clock.setTimer(timeoutMs, () =>
      this.#inTurn(() => {
        if (!this.#over) this.#listener.metrics.handshakeTimeouts.add();
        this.#drop();
      }),
    );
  }

  /** The caller said nothing for the idle timeout. */
  restOver(): void {
    this.#inTurn(() => {
      if (!this.#over) this.#listener.metrics.idleTimeouts.add();
      this.#drop();
    });
  }

  // — RaceOwner —

  endpointSpoke(): void {
    if (!this.#over) this.#bytes('endpoint');
  }

  endpointMissing(): void {
    if (this.#over) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#engine.clock.setTimer(UNANSWERED_MS, () =>
      this.#inTurn(() => {
        if (!this.#over && this.#race !== undefined) this.#bytes('endpoint');
      }),
    );
  }

  // — SocketEvents —

  onOpen(): void {}
  onDrain(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    this.#inTurn(() => {
      if (this.#over) return;
      if (this.#detecting && this.#first === undefined) {
        const seen = this.#speaks(chunk, start, end);
        if (seen === HTTP1 || seen === HTTP2) {
          this.#detected(seen);
          return this.#socket.events.onRead(chunk, start, end);
        }
        if (seen === PREFACE_MORE) this.#armTimer(this.#engine.limits.handshakeTimeoutMs);
      }
      const bytes = chunk.subarray(start, end);
      this.#first = this.#first === undefined ? Buffer.from(bytes) : Buffer.concat([this.#first, bytes]);
      if (this.#detecting) {
        const seen = this.#speaks(this.#first, 0, this.#first.length);
        if (seen !== PREFACE_MORE) this.#detected(seen);
      } else if (this.#first.length > this.#engine.limits.maxPipelinedBytes) this.#socket.pause();
    });
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#detecting) this.#inTurn(() => this.#callerEnded());
  }

  /** Who says that this was all, and it was no request, may yet listen. */
  #callerEnded(): void {
    if (this.#over) return;
    if (this.#race === undefined) this.#drop();
    else this.#bytes('caller');
  }

  onClose(_fault: SocketFault | undefined): void {
    this.#inTurn(() => this.#drop());
  }

  /** Nobody knows yet what it speaks. */
  describe(record: Mutable<StreamRecord>): void {
    record.protocol = 'TCP';
  }

  closeIfIdle(): void {
    if (this.#first === undefined) this.#inTurn(() => this.#drop());
  }

  destroy(): void {
    this.#inTurn(() => this.#drop());
  }

  #inTurn(run: () => void): void {
    this.#engine.inTurn(run, () => this.#drop());
  }
}

function restOver(start: HttpStart): void {
  start.restOver();
}
