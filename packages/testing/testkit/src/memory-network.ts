import { createHash } from 'node:crypto';
import type {
  ClientTls,
  ListenOwner,
  ServerTls,
  Socket,
  SocketFault,
  SocketFaultKind,
  Transport,
} from '@tulle/proxy';
import {
  formatAddress,
  isUnixAddress,
  type Address,
  type DownstreamTls,
  type UpstreamTls,
} from '@tulle/model';
import type { Clock } from '@tulle/time';
import { MemorySocket } from './memory-socket.ts';
import { TestConnection } from './test-connection.ts';

/** What a connecting side shows. */
export interface Caller {
  /** Default 192.0.2.1. */
  readonly host?: string;
  readonly port?: number;
  /** Speaks (pretended) TLS; with `identity` it proves that SPIFFE id. */
  readonly tls?: PresentedTls;
}

/** A machine of the network. */
export interface Machine {
  /** IP address from which it connects. */
  readonly address: string;
  /** SPIFFE id that it proves over TLS, as caller and as called. */
  readonly identity?: string;
}

/** What runs on a {@link Machine} sees of the network: its loopback addresses are its own. */
export interface MachineNetwork {
  /** For `createProxy({ transport })`. */
  readonly transport: Transport;
  connect: MemoryNetwork['connect'];
  listen: MemoryNetwork['listen'];
}

interface PresentedTls {
  readonly identity?: string;
  readonly serverName?: string;
  /** Protocols that it offers. */
  readonly alpn?: readonly string[];
}

/** What a service shows to who connects with TLS. */
export interface ServiceTls {
  /** SPIFFE id; without one it speaks plain text only. */
  readonly identity?: string;
  /** Protocols that it takes, preferred first. Default none: who offers some gets none chosen. */
  readonly alpn?: readonly string[];
}

/** Something that takes connections at an address. */
interface Acceptor {
  /** SPIFFE id that it proves to who connects with TLS; `undefined`: it speaks plain text. */
  readonly identity: string | undefined;
  /** Protocols that it takes, preferred first; `undefined`: a proxy's listener, whose TLS says so in its own time. */
  readonly alpn: readonly string[] | undefined;
  accept(socket: MemorySocket): void;
}

/**
 * A network in memory: everything that connects in it runs in this process, and nothing opens a real socket. TLS is
 * pretended: who shows which identity is said, not computed; certificates are the matter of `@tulle/spiffe`'s tests.
 */
export interface MemoryNetwork {
  /** For `createProxy({ transport })`. */
  readonly transport: Transport;
  /** The network as a machine sees it. */
  machine(machine: Machine): MachineNetwork;
  /** Connects as a caller would. */
  connect(address: Address | string, caller?: Caller): TestConnection;
  /** Takes connections as a service would; `onConnection` scripts each. */
  listen(
    address: Address | string,
    onConnection: (connection: TestConnection) => void,
    options?: ServiceTls,
  ): { close(): void };
  /** Connections to this address fail that way (`silence`: nothing ever comes) until it is given `undefined`. */
  refuse(address: Address | string, fault: Partial<SocketFault> | 'silence' | undefined): void;
  /** What names resolve to. */
  readonly names: Map<string, readonly string[]>;
  /** Delay of each connect, in the clock's milliseconds. Default 0: at once. */
  connectDelayMs: number;
  /** TLS that was prepared for listeners and clusters and is not closed. */
  readonly openTls: number;
  /** Connections that the proxy tried to make to an address so far. */
  connections(address: Address | string): number;
}

/** Makes a {@link MemoryNetwork}. */
export function memoryNetwork(clock: Clock): MemoryNetwork {
  const acceptors = new Map<string, Acceptor>();
  const faults = new Map<string, Partial<SocketFault> | 'silence'>();
  const counts = new Map<string, number>();
  const names = new Map<string, readonly string[]>();
  /** What the caller of an accepted socket would show in a TLS handshake. */
  const presented = new WeakMap<Socket, PresentedTls>();
  /** Finishes the handshake of who connects, with what the accepting proxy chose among its protocols. */
  const handshakes = new WeakMap<Socket, (alpn: string | undefined) => void>();
  const openTls = new Set<FakeTls>();
  let nextPort = 20_000;

  const pair = (
    target: Address,
    caller: { host: string; port: number },
  ): [near: MemorySocket, far: MemorySocket] => {
    const there = isUnixAddress(target) ? { host: '', port: 0 } : target;
    const near = new MemorySocket(there, caller);
    const far = new MemorySocket(caller, there);
    near.peer = far;
    far.peer = near;
    return [near, far];
  };

  const accept = (
    address: Address,
    acceptor: Acceptor,
    machine?: Machine,
  ): { readonly address: Address; close(): void } => {
    const at =
      !isUnixAddress(address) && address.port === 0 ? { host: address.host, port: nextPort++ } : address;
    const name = nameOf(at, machine);
    if (acceptors.has(name)) throw new Error(`cannot listen on ${name}: it is in use in this network`);
    acceptors.set(name, acceptor);
    return {
      address: at,
      close() {
        if (acceptors.get(name) === acceptor) acceptors.delete(name);
      },
    };
  };

  const transportOf = (machine?: Machine): Transport => ({
    async listen(address, owner: ListenOwner) {
      const listening = accept(
        address,
        { identity: machine?.identity, alpn: undefined, accept: (socket) => owner.accept(socket) },
        machine,
      );
      return Promise.resolve({ address: listening.address, close: async () => listening.close() });
    },
    connect(address, options) {
      const name = nameOf(address, machine);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      const host = isLoopback(address) ? '127.0.0.1' : (machine?.address ?? '127.0.0.1');
      const [near, far] = pair(address, { host, port: nextPort++ });
      const offered =
        options.tls && (options.onlyAlpn ?? (options.tls as FakeTls).config.alpn ?? options.alpn);
      if (options.tls !== undefined && (machine?.identity !== undefined || offered !== undefined))
        presented.set(far, {
          ...(machine?.identity === undefined ? {} : { identity: machine.identity }),
          ...(offered === undefined ? {} : { alpn: offered }),
        });
      if (options.preface !== undefined) far.unshift(options.preface);
      const go = (): void => {
        const refusedBy = faults.get(name);
        if (refusedBy === 'silence' || near.closed) return;
        const acceptor = acceptors.get(name);
        if (refusedBy !== undefined || acceptor === undefined) {
          near.fail({
            kind: 'refused',
            reason: 'ECONNREFUSED',
            message: `connect ECONNREFUSED ${name}`,
            ...refusedBy,
          });
          return;
        }
        const refusal =
          options.tls === undefined
            ? undefined
            : refusalOfEndpoint(options.tls as FakeTls, options.expectedIdentity, acceptor.identity);
        if (refusal !== undefined) {
          near.fail(refusal);
          return;
        }
        const secured = (alpn: string | undefined): void =>
          near.open(
            options.tls === undefined
              ? undefined
              : { identity: acceptor.identity, serverName: undefined, alpn },
          );
        if (offered !== undefined && acceptor.alpn === undefined) {
          handshakes.set(far, secured);
          far.unshift(HELLO);
        } else {
          const chosen = offered === undefined ? undefined : chooseAlpn(acceptor.alpn ?? [], offered);
          if (options.tls !== undefined)
            far.tls = { identity: machine?.identity, serverName: undefined, alpn: chosen };
          // Told first: a service may speak at once, and its bytes come after.
          secured(chosen);
        }
        acceptor.accept(far);
      };
      if (network.connectDelayMs > 0) clock.setTimer(network.connectDelayMs, go);
      else queueMicrotask(go);
      return near;
    },
    secure(socket, tls, firstBytes) {
      const plain = socket as MemorySocket;
      const secured = new MemorySocket(
        { host: plain.remoteAddress, port: plain.remotePort },
        { host: plain.localAddress, port: plain.localPort },
      );
      plain.moveTo(secured);
      if (firstBytes !== undefined) secured.unshift(firstBytes);
      const shown = presented.get(plain);
      if (handshakes.has(plain)) secured.dropFront(HELLO.length);
      const { config } = tls as FakeTls;
      const refusal = refusalOfCaller(config as DownstreamTls, shown);
      const mine = (config as DownstreamTls).alpn ?? ['http/1.1'];
      const chosen = shown?.alpn === undefined ? undefined : chooseAlpn(mine, shown.alpn);
      if (refusal !== undefined || (shown?.alpn !== undefined && chosen === undefined)) {
        secured.fail(refusal ?? fault('tls', 'handshake-failed'));
        secured.destroy();
        return secured;
      }
      const asked =
        (config as DownstreamTls).clientCertificate !== 'none' &&
        (config as DownstreamTls).trust !== undefined;
      secured.open({
        identity: asked ? shown?.identity : undefined,
        serverName: shown?.serverName,
        alpn: chosen,
      });
      handshakes.get(plain)?.(chosen);
      return secured;
    },
    serverTls: (config) => new FakeTls(config, openTls),
    clientTls: (config) => new FakeTls(config, openTls),
    async resolve(host) {
      const found = names.get(host);
      if (found === undefined) throw new Error(`getaddrinfo ENOTFOUND ${host}`);
      return Promise.resolve({ addresses: found });
    },
    sha1: (text) => createHash('sha1').update(text, 'latin1').digest(),
    certificates: () => [],
    close: () => Promise.resolve(),
  });

  const connectFrom = (address: Address | string, caller: Caller, machine?: Machine): TestConnection => {
    const target = parseAddress(address);
    const host = caller.host ?? machine?.address ?? '192.0.2.1';
    const [near, far] = pair(target, { host, port: caller.port ?? nextPort++ });
    const connection = new TestConnection(near);
    const name = nameOf(target, machine);
    const acceptor = acceptors.get(name);
    if (acceptor === undefined)
      near.fail({
        kind: 'refused',
        reason: 'ECONNREFUSED',
        message: `nobody listens on ${name} in this network`,
      });
    else {
      if (caller.tls !== undefined) presented.set(far, caller.tls);
      acceptor.accept(far);
    }
    return connection;
  };
  const listenOn = (
    address: Address | string,
    onConnection: (connection: TestConnection) => void,
    { identity, alpn = [] }: ServiceTls = {},
    machine?: Machine,
  ): { close(): void } =>
    accept(
      parseAddress(address),
      { identity, alpn, accept: (socket) => onConnection(new TestConnection(socket)) },
      machine,
    );

  const network: MemoryNetwork = {
    transport: transportOf(),
    names,
    connectDelayMs: 0,
    get openTls() {
      return openTls.size;
    },
    machine: (machine) => ({
      transport: transportOf(machine),
      connect: (address, caller = {}) => connectFrom(address, caller, machine),
      listen: (address, onConnection, options) =>
        listenOn(
          address,
          onConnection,
          machine.identity === undefined ? options : { identity: machine.identity, ...options },
          machine,
        ),
    }),
    connect: (address, caller = {}) => connectFrom(address, caller),
    listen: (address, onConnection, options) => listenOn(address, onConnection, options),
    refuse(address, fault) {
      const name = formatAddress(parseAddress(address));
      if (fault === undefined) faults.delete(name);
      else faults.set(name, fault);
    },
    connections: (address) => counts.get(formatAddress(parseAddress(address))) ?? 0,
  };
  return network;
}

/** What a listener sees first of a handshake in which protocols are chosen: a ClientHello that says nothing. */
const HELLO: Buffer = Buffer.from('160301000401000000', 'hex');

/** How an address is told apart in the whole network: loopback is each machine's own. */
function nameOf(address: Address, machine: Machine | undefined): string {
  const name = formatAddress(address);
  return machine !== undefined && (isUnixAddress(address) || isLoopback(address))
    ? `${machine.address} ${name}`
    : name;
}

function isLoopback(address: Address): boolean {
  return !isUnixAddress(address) && (address.host.startsWith('127.') || address.host === '::1');
}

class FakeTls implements ServerTls, ClientTls {
  readonly config: DownstreamTls | UpstreamTls;
  readonly #open: Set<FakeTls>;

  constructor(config: DownstreamTls | UpstreamTls, open: Set<FakeTls>) {
    this.config = config;
    this.#open = open;
    open.add(this);
  }

  close(): void {
    this.#open.delete(this);
  }
}

function refusalOfCaller(config: DownstreamTls, shown: PresentedTls | undefined): SocketFault | undefined {
  if (shown === undefined) return fault('tls', 'plaintext');
  const mode = config.clientCertificate ?? (config.trust === undefined ? 'none' : 'require');
  if (mode === 'none') return undefined;
  if (shown.identity === undefined) return mode === 'require' ? fault('tls', 'no-certificate') : undefined;
  return config.allowedIds === undefined || isAllowed(shown.identity, config.allowedIds)
    ? undefined
    : fault('identity', 'unexpected-identity');
}

function refusalOfEndpoint(
  tls: FakeTls,
  expected: string | undefined,
  proven: string | undefined,
): SocketFault | undefined {
  if (proven === undefined) return fault('tls', 'handshake-failed');
  const ids = expected === undefined ? (tls.config as UpstreamTls).allowedIds : [expected];
  return ids === undefined || isAllowed(proven, ids) ? undefined : fault('identity', 'unexpected-identity');
}

/** @returns the first of `mine` that was offered */
function chooseAlpn(mine: readonly string[], offered: readonly string[]): string | undefined {
  return mine.find((protocol) => offered.includes(protocol));
}

function isAllowed(id: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('/*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern,
  );
}

function fault(kind: SocketFaultKind, reason: string): SocketFault {
  return { kind, reason, message: `refused: ${reason}` };
}

/** `host:port`, `[v6]:port`, or a path that begins with `/`. */
export function parseAddress(address: Address | string): Address {
  if (typeof address !== 'string') return address;
  if (address.startsWith('/')) return { path: address };
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
