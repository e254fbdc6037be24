import type { ConnectionInfo } from '@tulle/filter';
import type { ProxiedAddresses } from './proxy-protocol.ts';
import { connectionNumber } from '../stream/connection-number.ts';
import type { PeerCertificate, Socket, TlsPeer } from '../ports.ts';
import type { TcpAddress } from '@tulle/model';

/** What filters and records see of an accepted connection. Made once a connection, never changed, so it may be kept. */
export class ConnectionFacts implements ConnectionInfo {
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
  /** Where the connection was going before it was led here. */
  readonly originalDestination: TcpAddress | undefined;

  /**
   * @param said by a header of the PROXY protocol, in place of the socket's own
   * @param seenName server name that its TLS hello asks for, where TLS is only passed on
   * @param asked where the connection was going, as the kernel or that header says
   */
  constructor(
    socket: Socket,
    listener: string,
    direction: ConnectionInfo['direction'],
    said?: ProxiedAddresses,
    asked?: TcpAddress,
    seenName?: string,
  ) {
    this.remoteAddress = said?.sourceAddress ?? socket.remoteAddress;
    this.directAddress = socket.remoteAddress;
    this.remotePort = said?.sourcePort ?? socket.remotePort;
    this.localAddress = asked?.host ?? socket.localAddress;
    this.localPort = asked?.port ?? socket.localPort;
    this.originalDestination = asked;
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
}
