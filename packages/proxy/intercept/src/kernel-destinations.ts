import type { TcpAddress } from '@tulle/model';
import { readDestination, SOCKET_ADDRESS_BYTES } from './socket-address.ts';
import { loadSystemCalls, type Require } from './system-calls.ts';

/** `SOL_IP` and `SOL_IPV6` of Linux. */
const SOL_IP = 0;
const SOL_IPV6 = 41;
/** `SO_ORIGINAL_DST` (linux/netfilter_ipv4.h) and `IP6T_SO_ORIGINAL_DST` (linux/netfilter_ipv6/ip6_tables.h). */
const SO_ORIGINAL_DST = 80;

/**
 * Loads what asks Linux where a connection was going before nftables or iptables redirected it, with
 * `getsockopt(SO_ORIGINAL_DST)` through the package `koffi`. Some microseconds a connection.
 * @param require loads koffi; default: as Node finds it from here
 * @returns a function from the file descriptor of an accepted TCP socket to that destination; `undefined` where the kernel
 *   tracks no such connection. One that was not redirected was going to its own local address, and so it is told.
 * @throws Error with a sentence where this is not Linux, or koffi is not installed or has nothing for this machine
 */
export function kernelDestinations(require?: Require): (fd: number) => TcpAddress | undefined {
  const { getsockopt } = loadSystemCalls(require);
  const value = Buffer.alloc(SOCKET_ADDRESS_BYTES);
  const bytes = new Uint32Array(1);
  const ask = (fd: number, level: number): boolean => {
    bytes[0] = SOCKET_ADDRESS_BYTES;
    return getsockopt(fd, level, SO_ORIGINAL_DST, value, bytes) === 0;
  };
  return (fd) => {
    // IPv4 first: a socket that listens for both has IPv4 connections too, and each family knows none of the other's.
    if (ask(fd, SOL_IP)) return readDestination(value, 4);
    return ask(fd, SOL_IPV6) ? readDestination(value, 6) : undefined;
  };
}
