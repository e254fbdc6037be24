import type { RecordCertificate } from '@tulle/telemetry';
import type {
  Address,
  CertificateSource,
  DownstreamTls,
  NetworkOptions,
  TcpAddress,
  TcpKeepalive,
  UpstreamTls,
} from '@tulle/model';

import type { InternalEnds } from './internal/passed.ts';

/**
 * The side door: everything that the engine needs of the outside world (decision D11). `node/` has the adapters for
 * Node, `@tulle/testkit` those for memory and virtual time; the data path knows only these interfaces.
 */

/** {@link Socket.write}: the kernel (or peer) has all bytes; the buffer is the caller's again. */
export const WRITE_TAKEN = 0;
/** {@link Socket.write}: the socket keeps a reference to the buffer until `onDrain`; it must not change. */
export const WRITE_KEPT = 1;
export type WriteResult = typeof WRITE_TAKEN | typeof WRITE_KEPT;

/** Why a socket failed. */
export type SocketFaultKind =
  | 'refused'
  | 'unreachable'
  | 'reset'
  | 'timeout'
  | 'dns'
  | 'tls'
  | 'identity'
  | 'local'
  | 'other';

/** Why a socket closed otherwise than by agreement. */
export interface SocketFault {
  readonly kind: SocketFaultKind;
  /** Low-cardinality word for metric labels, e.g. `ECONNREFUSED` or a refusal reason of `@tulle/spiffe`. */
  readonly reason: string;
  /** A sentence for logs; values that came from the peer are quoted. */
  readonly message: string;
}

/** What a socket tells its owner. One object with methods, so that no closure is made a connection. */
export interface SocketEvents {
  /**
   * Ready: connected, and where TLS is used the handshake is done and the peer verified. Not called for plain accepted
   * sockets, which are ready at once.
   */
  onOpen(): void;
  /** Bytes in `chunk[start, end)`, borrowed until this returns unless {@link Socket.keepRead} is called (decision D1). */
  onRead(chunk: Buffer, start: number, end: number): void;
  /** The peer sends nothing more (half-close). */
  onEnd(): void;
  /** All bytes that `write` kept are gone. */
  onDrain(): void;
  /** Exactly once, last. */
  onClose(fault: SocketFault | undefined): void;
}

/** What TLS proved about the peer. */
export interface TlsPeer {
  /** SPIFFE id, verified. */
  readonly identity: string | undefined;
  /** Server name that the client asked for, lower case. */
  readonly serverName: string | undefined;
  readonly alpn: string | undefined;
  /** It is the peer of a tunnel: TLS ends with that, and what is said inside is plain text. */
  readonly tunnelled?: boolean;
  /** The certificate that it showed, read when it is asked for; absent: it showed none, or nobody can tell. */
  certificate?(): PeerCertificate | undefined;
  /** The certificate that this proxy showed, likewise. */
  own?(): RecordCertificate | undefined;
  /** What was agreed on, e.g. `TLSv1.3` and `TLS_AES_128_GCM_SHA256`; absent: nobody can tell. */
  readonly version?: string;
  readonly cipher?: string;
}

/** What a caller's certificate says, for those behind the proxy (Envoy `x-forwarded-client-cert`). */
export interface PeerCertificate extends RecordCertificate {
  /** It and those between it and its root. */
  readonly chainPem: string;
  /** URI names of this proxy's own certificate. */
  readonly localUris: readonly string[];
}

/** A CONNECT that came: what it leads to is connected before it is answered. Only the first answer counts. */
export interface TunnelRequest {
  /** The tunnel stands. */
  accept(): void;
  /** @param status of HTTP, 400 to 599 */
  refuse(status: number): void;
}

/** A connection, plain or secured. */
export interface Socket {
  /** Set by the owner before the next event; may be changed when the connection changes hands. */
  events: SocketEvents;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Present once a TLS handshake is done and verified. */
  readonly tls: TlsPeer | undefined;
  /** Somebody asked for a tunnel, and waits for the answer; absent: there is nothing to answer. */
  readonly tunnel?: TunnelRequest;
  /** It was accepted from this process itself, and brings this along; absent: from the kernel. */
  readonly internal?: InternalEnds | undefined;
  /** Bytes that `write` kept and that are not gone yet. */
  readonly queuedBytes: number;
  /** Falls as queued bytes leave, also within one large write; only to tell whether a slow peer takes something. */
  readonly unsentBytes: number;
  /** Whether the chunk of the running `onRead` is private, so that {@link keepRead} can be called. */
  readonly ownedReads: boolean;
  /** Hands bytes over. Never calls back synchronously. */
  write(bytes: Buffer): WriteResult;
  /** Gathers writes until {@link uncork}; each `write` in between returns WRITE_KEPT, and `queuedBytes` tells after it. */
  cork(): void;
  uncork(): void;
  /** Sends what is queued, then closes this direction. */
  end(): void;
  /** Closes both directions now; queued bytes are lost. `onClose` follows. @param reset as RST where possible */
  destroy(reset?: boolean): void;
  pause(): void;
  resume(): void;
  /** In `onRead` with {@link ownedReads}: the chunk stays valid; the socket reads on into another buffer. */
  keepRead(): void;
  /**
   * `true`: read into private buffers from the next read on (a body streams through); `false`: the shared one (what
   * arrives is consumed in the callback). Sockets that always have private buffers ignore it.
   */
  setOwnedReads(owned: boolean): void;
}

/** Who listens. */
export interface ListenOwner {
  /** Called for each connection; it must set `events` before it returns. */
  accept(socket: Socket): void;
  /** Whether the next accepted connection may be handed to {@link Transport.secure}; asked for each. */
  readonly mayUseTls: boolean;
  /** What the kernel does about accepted connections that are silent; asked for each. Absent: nothing. */
  readonly keepalive?: TcpKeepalive | undefined;
}

/** A listening socket. */
export interface Listening {
  /** With the real port where 0 was asked for. */
  readonly address: Address;
  /** Accepts nothing more. Resolves when the socket is closed; accepted connections live on. */
  close(): Promise<void>;
}

/** TLS towards callers, ready to use; made when the configuration is compiled. */
export interface ServerTls {
  /** Stops following certificate changes. */
  close(): void;
}

/** TLS towards endpoints, ready to use. */
export interface ClientTls {
  close(): void;
}

/** How to connect. */
export interface ConnectOptions {
  readonly tls?: ClientTls | undefined;
  /** SPIFFE id that the endpoint must prove. */
  readonly expectedIdentity?: string | undefined;
  /** Server name for TLS, in place of what its configuration says. */
  readonly serverName?: string;
  /** The endpoint's own, for TLS that takes it as server name. */
  readonly hostname?: string | undefined;
  /** The certificate must have that name, and no other that its configuration expects. */
  readonly verifyServerName?: boolean;
  /** Protocols to offer by ALPN where the configuration of TLS names none. */
  readonly alpn?: readonly string[];
  /** Protocols to offer by ALPN whatever the configuration of TLS names. */
  readonly onlyAlpn?: readonly string[];
  /** Bytes that go out before anything else, also before TLS. */
  readonly preface?: Buffer;
  /** TLS is spoken over this connection, which may not be open yet, instead of one that is made. With `tls` alone. */
  readonly over?: Socket;
  /** Absent: the kernel does not ask whether the other end lives. */
  readonly keepalive?: TcpKeepalive;
  /** Address of this machine to come from. */
  readonly sourceAddress?: string;
  /** Of which network, with what mark. Absent: the process's own, without. */
  readonly network?: NetworkOptions;
}

/** What a name stands for. */
export interface ResolvedName {
  /** At least one, in the order in which they are to be used. */
  readonly addresses: readonly string[];
  /** How long that holds, where it was asked for and is known. */
  readonly ttlMs?: number;
}

/** What a socket of datagrams tells its owner. */
export interface DatagramEvents {
  /** A datagram came; its bytes are the owner's from then on. */
  onDatagram(bytes: Buffer, address: string, port: number): void;
  /** Something is wrong that belongs to no datagram, e.g. nobody listens at the other end. */
  onError(reason: string): void;
}

/** A socket of datagrams. */
export interface DatagramSocket {
  /** Its own, with the real port where 0 was asked for. */
  readonly address: Address;
  /**
   * Sends to whom it is connected to, or to an address and port. Never calls back.
   * @returns false: too much waits to be sent, and it is lost
   */
  send(bytes: Buffer, address?: string, port?: number): boolean;
  /** Harmless when it is closed. */
  close(): void;
}

/** Datagrams, by UDP. */
export interface Datagrams {
  /** Takes datagrams at an address. @throws Error naming the address when it cannot be had */
  bind(address: TcpAddress, events: DatagramEvents): Promise<DatagramSocket>;
  /**
   * A socket with one other end: it sends there, and takes nothing of anybody else. The address is one, not a name.
   * @throws Error when there is no socket or port left
   */
  connect(address: TcpAddress, events: DatagramEvents, sourceAddress?: string): DatagramSocket;
}

/** Sockets, TLS and names. */
export interface Transport {
  /** Absent: there are no datagrams, and listeners of them are refused. */
  readonly datagrams?: Datagrams;
  /** Listens. @throws Error naming the address when it cannot be had */
  listen(address: Address, owner: ListenOwner): Promise<Listening>;
  /** Begins to connect; `onOpen` or `onClose` follows, never before the next turn. */
  connect(address: Address, options: ConnectOptions): Socket;
  /**
   * Wraps an accepted plain socket in TLS; `firstBytes` were read already. The result tells `onOpen` when the peer is
   * verified, or `onClose` with a fault of kind `tls` or `identity`.
   */
  secure(socket: Socket, tls: ServerTls, firstBytes: Buffer | undefined): Socket;
  /** Prepares TLS for a filter chain. @throws Error with a sentence when certificates cannot be used */
  serverTls(config: DownstreamTls): ServerTls;
  /** Prepares TLS for a cluster. @throws Error with a sentence when certificates cannot be used */
  clientTls(config: UpstreamTls): ClientTls;
  /** Addresses of a host name. @param withTtl say how long they hold, if DNS does @throws Error when there is none */
  resolve(host: string, withTtl?: boolean): Promise<ResolvedName>;
  /**
   * Where an accepted connection was going before the kernel led it here; `undefined`: it came straight. Absent where
   * the kernel cannot be asked.
   */
  originalDestination?(socket: Socket): TcpAddress | undefined;
  /**
   * Loads what `originalDestination` needs, before a configuration that asks for it is taken; again and again.
   * @throws Error with a sentence when it cannot be had here
   */
  prepareOriginalDestination?(): void;
  /** SHA-1 of latin1 text, as WebSocket handshakes need it. */
  sha1(text: string): Buffer;
  /** Certificates in use, for the admin's `/certs`; keys never. */
  certificates(): readonly CertificateInfo[];
  /** Frees what the transport holds. */
  close(): Promise<void>;
}

/** One certificate as `/certs` shows it. */
export interface CertificateInfo {
  readonly source: CertificateSource['kind'] | 'trust';
  readonly subject: string;
  readonly spiffeId: string | undefined;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What a process uses of its means. */
export interface ResourceUse {
  /** Of the heap, what its last full collection left; 0 before the first. */
  heapBytes: number;
  heapLimitBytes: number;
  /** Resident memory. */
  rssBytes: number;
  /** What the process may have of it; 0: no limit is known. */
  memoryLimitBytes: number;
  /** How late the event loop came to its work since the last reading, the median. */
  loopDelayMs: number;
  /** Share of the processor that the loop had of what it can have since then; who is kept from it by others is late whatever it does. */
  busyShare: number;
  /** Files that the process may have open; 0: not known. */
  openFilesLimit: number;
}

/** Knows what the process uses. */
export interface ResourceMonitor {
  /** Overwrites every field. */
  read(into: ResourceUse): void;
  /** From now on calls `onIteration` whenever an iteration of the event loop begins; `undefined`: not any more. */
  watchIterations(onIteration: (() => void) | undefined): void;
  /** Calls back once, when the iteration of the event loop that runs now is over. Absent: requests are never put off. */
  afterIteration?(callback: () => void): void;
  close(): void;
}

/** Chance. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}
