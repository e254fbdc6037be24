import { createHash } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { connect as netConnect, createServer, isIP, Socket as NetSocket, type Server } from 'node:net';
import {
  formatAddress,
  isUnixAddress,
  type Address,
  type CertificateSource,
  type DownstreamTls,
  type IdentitySource,
  type ListenAddress,
  type TcpAddress,
  type UpstreamTls,
} from '@tulle/model';
import { removeStaleSocket } from '@tulle/unix-socket';
import type {
  CertificateInfo,
  ClientTls,
  ConnectOptions,
  Datagrams,
  Listening,
  ListenOwner,
  ResolvedName,
  ServerTls,
  Socket,
  Transport,
} from '../ports.ts';
import { acceptDirectly } from './accept.ts';
import { NodeSocket } from './node-socket.ts';
import { connectInside, type OpenSocket } from './network-sockets.ts';
import { NodeTls, type NodeClientTls, type NodeServerTls } from './node-tls.ts';
import { nodeDatagrams } from './node-datagrams.ts';
import { setKeepalive } from './keepalive.ts';
import { resolveWithTtl } from './resolve-with-ttl.ts';

/** A listening handle that somebody else owns: a `net.Server` or native handle (as IPC passes it), or a file descriptor. */
export type ListeningHandle = object | { readonly fd: number };

/** What the Node transport is made of. */
export interface NodeTransportOptions {
  /**
   * Gives the listening handle for an address instead of binding one: a supervisor owns the sockets for life (decision
   * D3). `undefined`: bind it here.
   */
  readonly acquireHandle?: (address: Address) => Promise<ListeningHandle | undefined>;
  /** Who this process is; needed by TLS with `workload` certificates and `mesh` trust. */
  readonly identity?: IdentitySource | undefined;
  /** Those of the workloads that this process serves, by SPIFFE id, for certificates that name one. */
  readonly identities?: (spiffeId: string) => IdentitySource | undefined;
  /**
   * Makes sockets in other networks, or with a mark, for clusters that ask for it: with `networkNamespaces` of
   * `@tulle/intercept`. Absent: such clusters cannot connect.
   */
  readonly openSocket?: OpenSocket;
  /** Connections that wait in the kernel to be accepted. Default 4,096; the kernel's `somaxconn` is the upper bound. */
  readonly backlog?: number;
  /**
   * Loads what asks the kernel where a connection with a file descriptor was going before it was led here (`getsockopt`
   * of `SO_ORIGINAL_DST`, which Node does not offer): `kernelDestinations` of `@tulle/intercept`. Called when a
   * configuration first asks; what it throws is said of the listener. Absent: listeners with `originalDestination` are
   * refused.
   */
  readonly originalDestination?: () => (fd: number) => TcpAddress | undefined;
  /** Whether several processes take datagrams at the same addresses, each of a share of the callers. Default false: who has one has it alone. */
  readonly sharesDatagrams?: boolean;
  /** How often certificate files are looked at for a change. Default 5,000: short against any certificate's life. */
  readonly certificateWatchMs?: number;
  /** Told of errors that belong to no connection (accept failed, a certificate file cannot be read). */
  readonly onError?: (message: string) => void;
}

/** Sockets, TLS and names of Node. */
export function nodeTransport(options: NodeTransportOptions = {}): Transport {
  return new NodeTransport(options);
}

class NodeTransport implements Transport {
  readonly #options: NodeTransportOptions;
  readonly #tls: NodeTls;
  /** Of the workloads that it serves. */
  readonly #others = new Map<string, NodeTls>();
  readonly datagrams: Datagrams;
  readonly originalDestination?: (socket: Socket) => TcpAddress | undefined;
  readonly prepareOriginalDestination?: () => void;

  constructor(options: NodeTransportOptions) {
    this.#options = options;
    this.datagrams = nodeDatagrams(options.sharesDatagrams === true);
    this.#tls = this.#tlsAs(options.identity);
    const { originalDestination } = options;
    if (originalDestination !== undefined) {
      let ask: ReturnType<typeof originalDestination> | undefined;
      this.prepareOriginalDestination = () => void (ask ??= originalDestination());
      this.originalDestination = (socket) => {
        const fd = (socket as NodeSocket).fd;
        return fd < 0 ? undefined : ask?.(fd);
      };
    }
  }

  async listen(address: ListenAddress, owner: ListenOwner): Promise<Listening> {
    const handle = await this.#options.acquireHandle?.(address);
    // Anything else stays, and listening there fails by itself.
    if (handle === undefined && !isUnixAddress(address) && address.namespace !== undefined)
      throw new Error(
        `cannot listen on ${formatAddress(address)}: give nodeTransport({ acquireHandle }) that makes sockets in other networks`,
      );
    if (handle === undefined && isUnixAddress(address)) await removeStaleSocket(address.path).catch(() => {});
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error): void =>
        reject(
          new Error(`cannot listen on ${formatAddress(address)}: ${explainListen(error)}`, { cause: error }),
        );
      server.once('error', failed);
      const listening = (): void => {
        server.off('error', failed);
        resolve();
      };
      const backlog = this.#options.backlog ?? 4_096;
      if (handle !== undefined) server.listen(handle, listening);
      else if (isUnixAddress(address)) server.listen({ path: address.path, backlog }, listening);
      else server.listen({ host: address.host, port: address.port, backlog }, listening);
    });
    server.on('error', (error) =>
      this.#options.onError?.(`listener ${formatAddress(address)}: ${error.message}`),
    );
    const onAcceptError = (status: number): void =>
      this.#options.onError?.(
        `accepting on ${formatAddress(address)} failed with status ${status}; out of file descriptors?`,
      );
    if (
      !acceptDirectly(
        server,
        (socket) => owner.accept(socket),
        () => !owner.mayUseTls,
        () => owner.keepalive,
        onAcceptError,
      )
    ) {
      server.on('connection', (raw: NetSocket) => {
        if (owner.keepalive !== undefined) setKeepalive(raw, owner.keepalive);
        owner.accept(new NodeSocket(false).attach(raw, true));
      });
    }
    return { address: addressOf(server, address), close: () => closeServer(server) };
  }

  connect(address: Address, options: ConnectOptions): Socket {
    if (options.tls !== undefined)
      return (options.tls as NodeClientTls).owner.connect(address, options.tls, options);
    const socket = new NodeSocket(true);
    const target = isUnixAddress(address)
      ? { path: address.path }
      : {
          host: address.host,
          port: address.port,
          ...(isIP(address.host) === 0 ? {} : { autoSelectFamily: false }),
          ...(options.sourceAddress === undefined ? {} : { localAddress: options.sourceAddress }),
        };
    const raw =
      options.network === undefined || isUnixAddress(address)
        ? netConnect({ ...target, allowHalfOpen: true, noDelay: true, onread: socket.onread })
        : connectInside(this.#options.openSocket, address, options.network, {
            allowHalfOpen: true,
            onread: socket.onread,
          });
    if (options.keepalive !== undefined) setKeepalive(raw, options.keepalive);
    if (options.preface !== undefined) raw.write(options.preface);
    socket.attach(raw, false);
    raw.once('connect', () => socket.ready(undefined));
    return socket;
  }

  #tlsAs(identity: IdentitySource | undefined): NodeTls {
    const { onError, certificateWatchMs, openSocket } = this.#options;
    return new NodeTls(identity, (message) => onError?.(message), certificateWatchMs, openSocket);
  }

  /** @throws Error where the certificate is of a workload that this process does not serve */
  #tlsFor(certificate: CertificateSource | undefined): NodeTls {
    if (certificate?.kind !== 'workload' || certificate.identity === undefined) return this.#tls;
    const { identity: spiffeId } = certificate;
    const source = this.#options.identities?.(spiffeId);
    if (source === undefined) throw new Error(`this process has no certificate of ${spiffeId}`);
    const known = this.#others.get(spiffeId);
    if (known?.identity === source) return known;
    known?.close();
    const tls = this.#tlsAs(source);
    this.#others.set(spiffeId, tls);
    return tls;
  }

  secure(socket: Socket, tls: ServerTls, firstBytes: Buffer | undefined): Socket {
    return (tls as NodeServerTls).owner.secure(socket, tls, firstBytes);
  }

  serverTls(config: DownstreamTls): ServerTls {
    return this.#tlsFor(config.certificate).server(config);
  }

  clientTls(config: UpstreamTls): ClientTls {
    return this.#tlsFor(config.certificate).client(config);
  }

  async resolve(host: string, withTtl = false): Promise<ResolvedName> {
    if (withTtl && isIP(host) === 0) {
      const found = await resolveWithTtl(host);
      if (found !== undefined) return found;
    }
    const found = await lookup(host, { all: true });
    return { addresses: found.map((entry) => entry.address) };
  }

  sha1(text: string): Buffer {
    return createHash('sha1').update(text, 'latin1').digest();
  }

  certificates(): readonly CertificateInfo[] {
    return [this.#tls, ...this.#others.values()].flatMap((tls) => tls.certificates());
  }

  async close(): Promise<void> {
    this.#tls.close();
    for (const tls of this.#others.values()) tls.close();
    return Promise.resolve();
  }
}

function addressOf(server: Server, asked: ListenAddress): Address {
  const bound = server.address();
  return isUnixAddress(asked) || bound === null || typeof bound === 'string'
    ? asked
    : { ...asked, port: bound.port };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}

function explainListen(error: Error): string {
  const code = 'code' in error ? error.code : '';
  if (code === 'EADDRINUSE')
    return 'the address is in use; stop who has it (`ss -ltnp`), or choose another port (0 takes a free one)';
  if (code === 'EACCES')
    return 'not permitted; ports below 1024 need CAP_NET_BIND_SERVICE, a socket path a writable directory';
  if (code === 'EADDRNOTAVAIL') return 'no interface of this machine has that address';
  return error.message;
}
