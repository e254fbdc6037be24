import { FILTER_STATE } from '@tulle/filter';
import type { TcpAddress } from '@tulle/model';
import { HttpChain } from '../compile/compiled.ts';
import { chooseChain } from '../compile/choose-chain.ts';
import type { IncomingTunnel } from '../hbone/tunnel-facts.ts';
import { toldAddresses } from '../internal/told-addresses.ts';
import type { InternalEnds } from '../internal/passed.ts';
import type { CompiledChain, CompiledListener } from '../compile/compiled-listener.ts';
import type { TcpChain } from '../compile/compiled-tcp.ts';
import type { Engine } from '../engine.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';
import { isAddress } from '../upstream/host-port.ts';
import { HELLO_MORE, MAX_HELLO_BYTES, readFirstBytes, type FirstBytes } from './client-hello.ts';
import { ConnectionFacts } from './connection-facts.ts';
import { ConnectionHooks } from './conn-hooks.ts';
import { ConnectionLog, type ConnectionEnd } from './connection-log.ts';
import { CountedSocket } from './counted-socket.ts';
import type { HandedOver } from './handed-over.ts';
import { HttpStart, type StartingListener } from './http-start.ts';
import {
  PROXY_INVALID,
  PROXY_MORE,
  PROXY_NONE,
  readProxyHeader,
  type ProxiedAddresses,
} from './proxy-protocol.ts';
import { keepFields, NO_FIELDS, type ProxiedFields } from './proxied-fields.ts';
import { noteRefusal } from './refused-peer.ts';
import type { ListenerConnection } from './serving.ts';
import { TcpConnection } from './tcp-connection.ts';
import { seenOf, unlookedAt, type Unlooked } from './unlooked.ts';

/** What an accepted connection needs of its listener. */
export interface AcceptingListener extends StartingListener {
  readonly compiled: CompiledListener;
  readonly direction: 'inbound' | 'outbound' | 'unspecified';
  /** A peer came in plain text where others come with TLS. */
  plaintext(remoteAddress: string): void;
}

/**
 * An accepted connection until its chain's handler takes it: connection filters → chain, by address and where needed
 * by the first bytes → TLS and the peer's identity → the chain's own connection filters.
 */
export class IncomingConnection implements SocketEvents, ListenerConnection {
  readonly #engine: Engine;
  readonly #listener: AcceptingListener;
  #socket: Socket;
  #first: Buffer | undefined;
  #listenerHooks: ConnectionHooks | undefined;
  /** Those of a chain of HTTP; a connection of TCP keeps its own. */
  #chainHooks: ConnectionHooks | undefined;
  #chain: CompiledChain | undefined;
  /** Of the listener's own access logs, where it has some. */
  #log: ConnectionLog | undefined;
  #cancelTimer: (() => void) | undefined;
  /** Server name that the hello asks for, as far as somebody looked. */
  #seenName: string | undefined;
  #sniffing = false;
  /** A header of the PROXY protocol comes first. */
  #proxying = false;
  /** What it said. */
  #said: ProxiedAddresses | undefined;
  /** What it said besides; `undefined`: there was none. */
  #proxied: ProxiedFields | undefined;
  /** Where the connection was going, where that is not here: who came straight here would be led in a circle. */
  #asked: TcpAddress | undefined;
  #peerEnded = false;
  #over = false;

  /** What it came through. */
  readonly #tunnel: IncomingTunnel | undefined;
  /** It came from within the process. */
  readonly #internal: InternalEnds | undefined;
  /** Another listener accepted it. */
  readonly #handed: boolean;
  /** What of its first bytes is not looked at. */
  #unlooked: Unlooked | undefined;

  constructor(
    engine: Engine,
    listener: AcceptingListener,
    socket: Socket,
    tunnel: IncomingTunnel | undefined,
    handed: HandedOver | undefined,
  ) {
    this.#tunnel = tunnel;
    this.#handed = handed !== undefined;
    if (handed !== undefined) {
      this.#asked = handed.asked;
      this.#said = handed.said;
      this.#proxied = handed.proxied;
      this.#first = handed.first;
      this.#peerEnded = handed.peerEnded;
    }
    this.#engine = engine;
    this.#listener = listener;
    this.#socket = socket;
    this.#internal = socket.internal;
    socket.events = this;
  }

  /** Once its chain is chosen, a filter may still be asked: none of its bytes was passed on. */
  get plain(): 'bytes' | undefined {
    return this.#chain !== undefined && this.#chain.tls === undefined ? 'bytes' : undefined;
  }

  begin(): void {
    const { config, logs } = this.#listener.compiled;
    if (logs.opened !== undefined) this.#log = new ConnectionLog(this.#engine, logs.opened, this.#facts());
    if (this.#tunnel !== undefined) return this.#cameThrough(this.#tunnel);
    if (config.originalDestination === true && this.#internal !== undefined) this.#restore(this.#internal);
    else if (config.originalDestination === true && !this.#handed)
      this.#ask(this.#engine.transport.originalDestination?.(this.#socket));
    if (config.proxyProtocol === undefined) return this.#filter();
    this.#proxying = true;
    this.#armTimer();
    if (this.#first !== undefined) this.#readProxyHeader();
  }

  #cameThrough({ authority, forwardedFor }: IncomingTunnel): void {
    this.#asked = authority;
    // Nobody needs to look for a name that was said.
    if (!isAddress(authority.host)) this.#seenName = authority.host;
    if (forwardedFor !== undefined)
      this.#said = {
        sourceAddress: forwardedFor.address,
        sourcePort: forwardedFor.port,
        destinationAddress: authority.host,
        destinationPort: authority.port,
      };
    this.#filter();
  }

  #restore({ passed }: InternalEnds): void {
    const { local, remote } = toldAddresses(passed);
    this.#asked = local;
    if (remote !== undefined)
      this.#said = {
        sourceAddress: remote.host,
        sourcePort: remote.port,
        destinationAddress: local?.host ?? '',
        destinationPort: local?.port ?? 0,
      };
  }

  #ask(asked: TcpAddress | undefined): void {
    const { localPort } = this.#socket;
    // A socket that listens for IPv6 and IPv4 says `::ffff:` before addresses of the latter.
    const localAddress = this.#socket.localAddress.replace(/^::ffff:(?=.*\.)/, '');
    if (asked !== undefined && (asked.port !== localPort || asked.host !== localAddress)) this.#asked = asked;
  }

  /** The beginning of the connection, as far as it came, up to the end of the PROXY protocol's header. */
  #readProxyHeader(): void {
    const first = this.#first as Buffer;
    const rules = this.#listener.compiled.config.proxyProtocol ?? {};
    const { optional = false, versions } = rules;
    const header = readProxyHeader(first);
    if (header === PROXY_MORE) return;
    this.#proxying = false;
    const refused =
      header === PROXY_INVALID ||
      (header === PROXY_NONE ? !optional : versions !== undefined && !versions.includes(header.version));
    if (refused) {
      this.#listener.metrics.proxyProtocolErrors.add();
      return this.#drop();
    }
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (header !== PROXY_NONE) {
      const said = header.addresses;
      this.#said = said;
      this.#proxied = header.tlvs.length === 0 ? NO_FIELDS : keepFields(header.tlvs, rules);
      if (said !== undefined) this.#ask({ host: said.destinationAddress, port: said.destinationPort });
      this.#first = header.bytes === first.length ? undefined : first.subarray(header.bytes);
    }
    this.#filter();
  }

  #filter(): void {
    const { compiled } = this.#listener;
    if (this.#log !== undefined) this.#log.facts = this.#facts();
    if (compiled.filters.connFilters.length === 0) return this.#choose();
    this.#listenerHooks = new ConnectionHooks(this.#engine, compiled.filters, this.#facts());
    this.#afterHook(this.#listenerHooks.run('connect'), () => this.#choose());
  }

  #facts(): ConnectionFacts {
    const { name, direction } = this.#listener;
    return new ConnectionFacts(
      this.#socket,
      name,
      direction,
      this.#said,
      this.#asked,
      this.#seenName,
      this.#internal,
      this.#listenerHooks?.state,
      this.#proxied,
    );
  }

  /** Goes on when a hook let the connection pass; else closes it. */
  #afterHook(passed: boolean | Promise<boolean>, goOn: () => void): void {
    if (typeof passed === 'boolean') return passed ? goOn() : this.#refuse(this.#listenerHooks);
    this.#armTimer();
    this.#socket.pause();
    void passed.then((ok) =>
      this.#inTurn(() => {
        if (this.#over) return;
        this.#socket.resume();
        if (ok) goOn();
        else this.#refuse(this.#listenerHooks);
      }),
    );
  }

  #refuse(hooks: ConnectionHooks | undefined): void {
    const { log } = this.#engine;
    if (this.#log !== undefined && hooks !== undefined) this.#log.refused(hooks.code, hooks.details);
    log.info(
      `connection from ${this.#socket.remoteAddress} refused by a filter: ${hooks?.code ?? ''} ${hooks?.details ?? ''}`,
      { listener: this.#listener.name },
    );
    this.#socket.tunnel?.refuse(403);
    this.#drop();
  }

  #choose(): void {
    const { compiled } = this.#listener;
    if (compiled.config.handsOver === true && this.#goesElsewhere()) return;
    if (!compiled.looksAtBytes || this.#tunnel !== undefined) return this.#chosen(this.#chainFor(undefined));
    this.#unlooked = unlookedAt(compiled.config, this.#asked?.port ?? this.#socket.localPort);
    if (this.#unlooked?.tls === true && this.#unlooked.http) return this.#chosen(this.#chainFor(undefined));
    this.#sniffing = true;
    this.#armTimer(compiled.config.firstBytesTimeoutMs);
    if (this.#first !== undefined) this.#sniff(this.#first);
    if (this.#peerEnded && this.#sniffing) this.#drop();
  }

  /** Another listener has the address that it was going to, and serves it; what was handed over once stays. */
  #goesElsewhere(): boolean {
    const asked = this.#asked;
    if (this.#handed || this.#over) return false;
    const taker = asked && this.#engine.takers.at(asked);
    if (asked === undefined || taker === undefined || taker === (this.#listener as object)) {
      this.#listener.metrics.connections.add();
      return false;
    }
    this.#over = true;
    this.#cancelTimer?.();
    this.#listenerHooks?.close();
    this.#log?.discard();
    this.#listener.connectionOver(this);
    const [said, proxied, first, peerEnded] = [this.#said, this.#proxied, this.#first, this.#peerEnded];
    taker.takeOver(this.#socket, { asked, said, proxied, first, peerEnded });
    return true;
  }

  /** @param seen `undefined`: nobody looked, or nothing came */
  #chainFor(seen: FirstBytes | undefined): CompiledChain | undefined {
    const socket = this.#socket;
    const said = this.#said;
    return chooseChain(this.#listener.compiled, {
      sourceAddress: said?.sourceAddress ?? socket.remoteAddress,
      sourcePort: said?.sourcePort ?? socket.remotePort,
      directAddress: socket.remoteAddress,
      destinationAddress: this.#asked?.host ?? socket.localAddress,
      destinationPort: this.#asked?.port ?? socket.localPort,
      tls: seen?.tls,
      serverName: seen?.serverName ?? this.#seenName,
      applicationProtocols: seen?.applicationProtocols ?? [],
      filterState: this.#listenerHooks?.state?.get(FILTER_STATE) ?? this.#internal?.passed.filterState,
    });
  }

  #sniff(first: Buffer): void {
    const { compiled } = this.#listener;
    const read = readFirstBytes(first, compiled.looksAtNames, compiled.looksAtProtocols);
    if (read === HELLO_MORE) {
      if (first.length > MAX_HELLO_BYTES) this.#drop();
      return;
    }
    const seen = this.#unlooked === undefined ? read : seenOf(read, this.#unlooked);
    this.#sniffing = false;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#seenName = seen?.serverName;
    this.#chosen(this.#chainFor(seen));
  }

  /** @param timeoutMs 0: for ever; default: the engine's limit */
  #armTimer(timeoutMs: number = this.#engine.limits.handshakeTimeoutMs): void {
    if (timeoutMs === 0) return;
    this.#cancelTimer ??= this.#engine.clock.setTimer(timeoutMs, () =>
      this.#inTurn(() => {
        if (this.#over) return;
        this.#cancelTimer = undefined;
        if (this.#sniffing && this.#listener.compiled.config.continueWithoutFirstBytes === true) {
          this.#sniffing = false;
          return this.#chosen(this.#chainFor(undefined));
        }
        this.#listener.metrics.handshakeTimeouts.add();
        this.#drop();
      }),
    );
  }

  #chosen(chain: CompiledChain | undefined): void {
    if (chain === undefined) {
      this.#listener.metrics.noChain.add();
      this.#socket.tunnel?.refuse(404);
      this.#log?.unmatched(this.#facts());
      return this.#drop();
    }
    this.#chain = chain;
    if (this.#log !== undefined) this.#log.chain = chain.name;
    if (chain.tls === undefined) return this.#secured();
    this.#armTimer(chain.handshakeTimeoutMs);
    const secured = this.#engine.transport.secure(this.#socket, chain.tls.tls, this.#first);
    this.#first = undefined;
    this.#socket = secured;
    secured.events = this;
  }

  /** The peer is known, as far as the chain wants it to be. */
  #secured(): void {
    const facts = this.#facts();
    if (this.#socket.tls !== undefined) this.#listener.metrics.tlsConnections.add();
    else if (this.#listener.compiled.mayUseTls) this.#listener.plaintext(this.#socket.remoteAddress);
    this.#listenerHooks?.update(facts);
    if (this.#log !== undefined) this.#log.facts = facts;
    if (this.#listenerHooks === undefined) return this.#handOver(facts);
    this.#afterHook(this.#listenerHooks.run('handshake'), () => this.#handOver(facts));
  }

  #handOver(facts: ConnectionFacts): void {
    const chain = this.#chain as CompiledChain;
    const { handler } = chain;
    const { connFilters } = handler.filters;
    if (handler instanceof HttpChain && connFilters.length === 0) return this.#http(handler, facts);
    if (!(handler instanceof HttpChain) && connFilters.length === 0)
      return this.#tcp(handler, facts, undefined);
    const hooks = new ConnectionHooks(this.#engine, handler.filters, facts, chain.name);
    const finish = (ok: boolean): void => {
      if (ok && !this.#over) {
        if (!(handler instanceof HttpChain)) return this.#tcp(handler, facts, hooks);
        this.#chainHooks = hooks;
        return this.#http(handler, facts);
      }
      this.#chainHooks = hooks;
      this.#refuse(hooks);
      hooks.close();
    };
    const passed = hooks.admit();
    if (typeof passed === 'boolean') return finish(passed);
    this.#armTimer();
    this.#socket.pause();
    void passed.then((ok) => this.#inTurn(() => finish(ok)));
  }

  #http(handler: HttpChain, facts: ConnectionFacts): void {
    this.#socket.tunnel?.accept();
    if (this.#log !== undefined) {
      this.#log.protocol = 'HTTP/1.1';
      this.#socket = this.#log.socket = new CountedSocket(this.#socket, this.#first?.length ?? 0);
    }
    const start = new HttpStart(
      this.#engine,
      this.#listener,
      this.#chain as CompiledChain,
      handler,
      this.#socket,
      facts,
      this.#first,
    );
    if (this.#peerEnded) start.onEnd();
    this.#done(start);
    start.begin();
  }

  #tcp(handler: TcpChain, facts: ConnectionFacts, hooks: ConnectionHooks | undefined): void {
    const connection = new TcpConnection(
      this.#engine,
      this.#listener,
      handler,
      this.#socket,
      facts,
      hooks,
      this.#first,
    );
    if (this.#peerEnded) connection.onEnd();
    this.#done(connection);
    connection.begin();
  }

  #done(connection: ListenerConnection): void {
    this.#over = true;
    this.#cancelTimer?.();
    const told: ConnectionEnd[] = [];
    if (this.#chainHooks !== undefined) told.push(this.#chainHooks);
    if (this.#listenerHooks !== undefined) told.push(this.#listenerHooks);
    if (this.#log !== undefined) told.push(this.#log);
    this.#listener.handedOver(this, connection, told);
  }

  #drop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer?.();
    this.#socket.destroy();
    this.#chainHooks?.close();
    this.#listenerHooks?.close();
    this.#log?.close(this);
    this.#listener.connectionOver(this);
  }

  // — SocketEvents —

  onOpen(): void {
    this.#inTurn(() => {
      if (!this.#over) this.#secured();
    });
  }

  onRead(chunk: Buffer, start: number, end: number): void {
    this.#inTurn(() => {
      if (this.#over) return;
      const bytes = chunk.subarray(start, end);
      this.#first = this.#first === undefined ? Buffer.from(bytes) : Buffer.concat([this.#first, bytes]);
      if (this.#proxying) return this.#readProxyHeader();
      if (!this.#sniffing) {
        if (this.#first.length > this.#engine.limits.maxPipelinedBytes) this.#socket.pause();
        return;
      }
      this.#sniff(this.#first);
    });
  }

  onEnd(): void {
    this.#peerEnded = true;
    if (this.#sniffing || this.#proxying) this.#inTurn(() => this.#drop());
  }

  onDrain(): void {}

  onClose(fault: SocketFault | undefined): void {
    this.#inTurn(() => {
      if (this.#over) return;
      if (fault !== undefined && (fault.kind === 'tls' || fault.kind === 'identity')) {
        const facts = this.#facts();
        noteRefusal(this.#listener, this.#engine, facts, fault);
        this.#log?.refused('TULLE_PEER_REFUSED', fault.reason);
      }
      this.#drop();
    });
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
