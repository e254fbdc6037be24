import { isIPv4, isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import { formatIpv6, parseIpv6 } from '@tulle/match';
import type { TcpAddress } from '@tulle/model';

/** `AF_INET` and `AF_INET6` of Linux. */
export const AF_INET = 2;
export const AF_INET6 = 10;
/** Bytes of a `sockaddr_in`. */
const SOCKET_ADDRESS_4_BYTES = 16;
/** Bytes of a `sockaddr_in6`; a `sockaddr_in` has 16. */
export const SOCKET_ADDRESS_BYTES = 28;

/**
 * Reads a `sockaddr_in` (port at byte 2, address at 4) or `sockaddr_in6` (port at 2, address at 8) of Linux; both are in
 * the order of the network (ip(7), ipv6(7)). The family at byte 0, in the order of the machine, is what the caller asked for.
 */
export function readDestination(bytes: Buffer, family: 4 | 6): TcpAddress {
  const port = bytes.readUInt16BE(2);
  if (family === 4) return { host: `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]}`, port };
  const words = Uint32Array.of(
    bytes.readUInt32BE(8),
    bytes.readUInt32BE(12),
    bytes.readUInt32BE(16),
    bytes.readUInt32BE(20),
  );
  return { host: formatIpv6(words), port };
}

/** The family of an IP address. @throws Error where the text is none */
export function familyOf(host: string): 4 | 6 {
  if (isIPv4(host)) return 4;
  if (isIPv6(host) && !host.includes('%')) return 6;
  throw new Error(`${JSON.stringify(host)} is no IP address; write e.g. 127.0.0.1 or ::1`);
}

/** Makes the `sockaddr_in` or `sockaddr_in6` of an IP address and port. @throws Error where the host is no IP address */
export function writeSocketAddress({ host, port }: TcpAddress): Buffer {
  const family = familyOf(host);
  const bytes = Buffer.alloc(family === 4 ? SOCKET_ADDRESS_4_BYTES : SOCKET_ADDRESS_BYTES);
  if (endianness() === 'LE') bytes.writeUInt16LE(family === 4 ? AF_INET : AF_INET6, 0);
  else bytes.writeUInt16BE(family === 4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  if (family === 4) host.split('.').forEach((byte, at) => (bytes[4 + at] = Number(byte)));
  else {
    const words = new Uint32Array(4);
    parseIpv6(host, words);
    words.forEach((word, at) => bytes.writeUInt32BE(word, 8 + 4 * at));
  }
  return bytes;
}
