import { formatIpv6 } from '@tulle/match';
import type { TcpAddress } from '@tulle/model';

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
