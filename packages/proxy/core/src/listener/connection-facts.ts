import { DYNAMIC_METADATA } from '@tulle/filter';
import type { EngineConnection } from '../sides.ts';
import type { ProxiedFields } from './proxied-fields.ts';
import { ConnectionState } from '../internal/connection-state.ts';
import type { InternalEnds } from '../internal/passed.ts';
import type { ProxiedAddresses } from './proxy-protocol.ts';
import { connectionNumber } from '../stream/connection-number.ts';
import type { PeerCertificate, Socket, TlsPeer } from '../ports.ts';
import type { TcpAddress } from '@tulle/model';

/** What filters and records see of an accepted connection. Made once a connection and never changed, but for its {@link state}, so it may be kept. */
export class ConnectionFacts implements EngineConnection {
  /** Unique in the process. */
  readonly id: number = connectionNumber();
  readonly remoteAddress: string;
  readonly directAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly listener: string;
  readonly direction: 'inbound' | 'outbound' | 'unspecified';
  readonly tls: boolean;
  readonly peerIdentity: string | undefined;
  readonly serverName: string | undefined;
  readonly alpn: string | undefined;
  readonly tlsPeer: TlsPeer | undefined;
  readonly internal: InternalEnds | undefined;
  state: ConnectionState | undefined;
  /** Where the connection was going before it was led here. */
  readonly originalDestination: TcpAddress | undefined;
  /** What a header of the PROXY protocol said beyond the addresses; `undefined`: there was no header. */
  readonly proxied: ProxiedFields | undefined;

  /**
   * @param said by a header of the PROXY protocol, in place of the socket's own
   * @param seenName server name that its TLS hello asks for, where TLS is only passed on
   * @param internal of the socket below TLS, where this is another
   * @param state of the same connection, when less was known of it; default: what it brought along
   * @param proxied by that header, beyond the addresses
   * @param asked where the connection was going, as the kernel or that header says
   */
  constructor(
    socket: Socket,
    listener: string,
    direction: EngineConnection['direction'],
    said?: ProxiedAddresses,
    asked?: TcpAddress,
    seenName?: string,
    internal: InternalEnds | undefined = socket.internal,
    state?: ConnectionState,
    proxied?: ProxiedFields,
  ) {
    this.remoteAddress = said?.sourceAddress ?? socket.remoteAddress;
    this.directAddress = socket.remoteAddress;
    this.remotePort = said?.sourcePort ?? socket.remotePort;
    this.localAddress = asked?.host ?? socket.localAddress;
    this.localPort = asked?.port ?? socket.localPort;
    this.originalDestination = asked;
    this.proxied = proxied;
    this.internal = internal;
    this.state = state ?? stateOf(internal, proxied);
    this.listener = listener;
    this.direction = direction;
    const { tls } = socket;
    this.tls = tls !== undefined;
    this.peerIdentity = tls?.identity;
    this.serverName = tls?.serverName ?? seenName;
    this.alpn = tls?.alpn;
    this.tlsPeer = tls;
  }

  /** What the peer's certificate says; `undefined` without one. */
  get certificate(): PeerCertificate | undefined {
    return this.tlsPeer?.certificate?.();
  }

  get peerCertificate(): string | undefined {
    return this.certificate?.pem;
  }
}

/** What is known of a connection before any filter ran; `undefined`: nothing. */
function stateOf(
  internal: InternalEnds | undefined,
  proxied: ProxiedFields | undefined,
): ConnectionState | undefined {
  const passed = internal?.passed;
  const said = proxied?.metadata;
  if ((said ?? passed?.filterState ?? passed?.metadata) === undefined) return undefined;
  const state = new ConnectionState(passed);
  if (said !== undefined) state.set(DYNAMIC_METADATA, { ...state.get(DYNAMIC_METADATA), ...said });
  return state;
}
