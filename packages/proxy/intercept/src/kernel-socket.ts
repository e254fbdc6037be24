import { isIPv6 } from 'node:net';
import { formatAddress, type TcpAddress } from '@tulle/model';
import {
  AF_INET,
  AF_INET6,
  readDestination,
  SOCKET_ADDRESS_BYTES,
  writeSocketAddress,
} from './socket-address.ts';
import { loadSystemCalls, type Require, type SystemCalls } from './system-calls.ts';

/** Of Linux, bits/socket_type.h: a child process inherits no descriptor, and no call waits. */
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
/** Of Linux, asm-generic/socket.h and netinet/in.h. */
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_MARK = 36;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;

const DEFAULT_BACKLOG = 4_096;

/** How a socket is made. */
export interface KernelSocketOptions {
  /**
   * Mark of every packet that it sends, for rules that let it pass (`meta mark`), 1 to 4,294,967,295 (`SO_MARK`, socket(7)).
   * Connections accepted on a marked socket are marked too where `net.ipv4.tcp_fwmark_accept` says so. Absent: none.
   */
  readonly mark?: number;
}

/** How a listening socket is made. */
export interface ListenOptions extends KernelSocketOptions {
  /** Connections that wait to be accepted. Default 4,096; the kernel's `somaxconn` is the upper bound. */
  readonly backlog?: number;
  /** On `::`: take IPv6 alone. Default `false`: IPv4 too, whose addresses are then told as `::ffff:10.0.0.1`. */
  readonly ipv6Only?: boolean;
}

/** A listening socket, bound and with a queue: connections wait in it from now on. `server.listen({ fd })` takes it over. */
export interface ListeningDescriptor {
  readonly fd: number;
  /** With the port that the system chose where 0 was asked for. */
  readonly address: TcpAddress;
}

/** Makes a TCP socket that is not connected, in the namespace that the thread is in now. @throws SystemCallError */
export function openTcp(calls: SystemCalls, family: 4 | 6, options: KernelSocketOptions): number {
  return openSocket(calls, family, SOCK_STREAM, options);
}

/**
 * Makes a UDP socket, in the namespace that the thread is in now.
 * @param address where it is bound; absent: nowhere yet
 * @throws SystemCallError naming the address
 */
export function openUdp(
  calls: SystemCalls,
  family: 4 | 6,
  options: KernelSocketOptions,
  address?: TcpAddress,
): number {
  const fd = openSocket(calls, family, SOCK_DGRAM, options);
  if (address === undefined) return fd;
  return orClosed(calls, fd, () => {
    const name = writeSocketAddress(address);
    if (calls.bind(fd, name, name.length) !== 0)
      throw calls.failed('bind', `cannot listen on ${formatAddress(address)} for UDP`);
    return fd;
  });
}

function openSocket(
  calls: SystemCalls,
  family: 4 | 6,
  kind: typeof SOCK_STREAM | typeof SOCK_DGRAM,
  { mark }: KernelSocketOptions,
): number {
  const fd = calls.socket(family === 4 ? AF_INET : AF_INET6, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    throw calls.failed(
      'socket',
      `cannot make a ${kind === SOCK_STREAM ? 'TCP' : 'UDP'} socket of IPv${family}`,
    );
  if (mark !== undefined)
    orClosed(calls, fd, () =>
      setOption(calls, fd, SOL_SOCKET, SO_MARK, mark, `cannot mark a socket with ${mark}`),
    );
  return fd;
}

/** Makes a socket that listens, in the namespace that the thread is in now. @throws SystemCallError naming the address */
export function listenTcp(
  calls: SystemCalls,
  address: TcpAddress,
  options: ListenOptions,
): ListeningDescriptor {
  const doing = `cannot listen on ${formatAddress(address)}`;
  const name = writeSocketAddress(address);
  const family = isIPv6(address.host) ? 6 : 4;
  const fd = openTcp(calls, family, options);
  return orClosed(calls, fd, () => {
    setOption(calls, fd, SOL_SOCKET, SO_REUSEADDR, 1, doing);
    if (family === 6) setOption(calls, fd, SOL_IPV6, IPV6_V6ONLY, options.ipv6Only === true ? 1 : 0, doing);
    if (calls.bind(fd, name, name.length) !== 0) throw calls.failed('bind', doing);
    if (calls.listen(fd, options.backlog ?? DEFAULT_BACKLOG) !== 0) throw calls.failed('listen', doing);
    const bound = Buffer.alloc(SOCKET_ADDRESS_BYTES);
    if (calls.getsockname(fd, bound, Uint32Array.of(SOCKET_ADDRESS_BYTES)) !== 0)
      throw calls.failed('getsockname', doing);
    return { fd, address: { host: address.host, port: readDestination(bound, family).port } };
  });
}

/**
 * Loads what lets connections wait at a bound socket before anybody accepts, through the package `koffi` (`listen(2)`).
 * @returns a function of the socket's file descriptor; it throws SystemCallError
 * @throws Error with a sentence where this is not Linux, or koffi is not installed
 */
export function connectionQueues(require?: Require): (fd: number, backlog?: number) => void {
  const calls = loadSystemCalls(require);
  return (fd, backlog = DEFAULT_BACKLOG) => {
    if (calls.listen(fd, backlog) !== 0) throw calls.failed('listen', 'connections cannot wait');
  };
}

function setOption(
  calls: SystemCalls,
  fd: number,
  level: number,
  option: number,
  value: number,
  doing: string,
): void {
  const bytes = Buffer.from(Uint32Array.of(value).buffer);
  if (calls.setsockopt(fd, level, option, bytes, bytes.length) !== 0) throw calls.failed('setsockopt', doing);
}

function orClosed<T>(calls: SystemCalls, fd: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}
