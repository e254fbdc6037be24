import { parseIpv6 } from '@tulle/match';
import type { ProxiedAddresses } from '../listener/proxy-protocol.ts';

const V2 = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** Version 2 with the command LOCAL, and no address: the proxy speaks for itself. */
const V2_LOCAL = Buffer.concat([V2, Buffer.from([0x20, 0x00, 0x00, 0x00])]);
const V1_UNKNOWN = Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
/** Before an IPv4 address that stands for an IPv6 one (RFC 4291 §2.5.5.2). */
const MAPPED = '::ffff:';

/**
 * The header of the PROXY protocol (HAProxy, "The PROXY protocol", versions 1 and 2) by which a connection to an endpoint begins.
 * @param whose who called whom; `undefined`: the proxy itself calls, e.g. to ask whether the endpoint is well
 */
export function writeProxyHeader(version: 1 | 2, whose: ProxiedAddresses | undefined): Buffer {
  const source = bare(whose?.sourceAddress);
  const destination = bare(whose?.destinationAddress);
  // Of a caller over a Unix socket there is nothing to say.
  if (whose === undefined || source === '' || destination === '')
    return version === 1 ? V1_UNKNOWN : V2_LOCAL;
  const six = source.includes(':') || destination.includes(':');
  const [from, to] = six ? [asIpv6(source), asIpv6(destination)] : [source, destination];
  const { sourcePort, destinationPort } = whose;
  if (version === 1)
    return Buffer.from(
      `PROXY TCP${six ? 6 : 4} ${from} ${to} ${sourcePort} ${destinationPort}\r\n`,
      'latin1',
    );
  const width = six ? 16 : 4;
  const header = Buffer.alloc(V2.length + 4 + 2 * width + 4);
  V2.copy(header);
  header[12] = 0x21;
  header[13] = six ? 0x21 : 0x11;
  header.writeUInt16BE(2 * width + 4, 14);
  writeAddress(header, from, 16);
  writeAddress(header, to, 16 + width);
  header.writeUInt16BE(sourcePort, 16 + 2 * width);
  header.writeUInt16BE(destinationPort, 18 + 2 * width);
  return header;
}

/** A socket that listens for IPv6 and IPv4 says `::ffff:` before addresses of the latter. */
function bare(address = ''): string {
  return address.startsWith(MAPPED) && address.includes('.') ? address.slice(MAPPED.length) : address;
}

function asIpv6(address: string): string {
  return address.includes(':') ? address : `${MAPPED}${address}`;
}

function writeAddress(header: Buffer, address: string, at: number): void {
  if (!address.includes(':')) {
    for (const [index, octet] of address.split('.').entries()) header[at + index] = Number(octet);
    return;
  }
  const words = new Uint32Array(4);
  const [unscoped = ''] = address.split('%');
  parseIpv6(unscoped, words);
  for (const [index, word] of words.entries()) header.writeUInt32BE(word, at + 4 * index);
}
