import { isIpAddress } from '@tulle/match';
import { readTlvs, type Tlv } from './proxied-fields.ts';

/** The header is not whole yet. */
export const PROXY_MORE = 'more';
/** The connection does not begin with one. */
export const PROXY_NONE = 'none';
/** It begins as one and is none. */
export const PROXY_INVALID = 'invalid';

/** Who called whom, as a header says. */
export interface ProxiedAddresses {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  /** Fields that endpoints may be told besides. Default none. */
  readonly tlvs?: readonly Tlv[];
}

/** A header that was read. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** It and its end; what follows is the connection's own. */
  readonly bytes: number;
  /** `undefined`: the proxy speaks for itself (`LOCAL`), or does not say (`UNKNOWN`). */
  readonly addresses: ProxiedAddresses | undefined;
  /** What follows the addresses, in the bytes that were read. */
  readonly tlvs: readonly Tlv[];
}

/** `PROXY UNKNOWN` and two IPv6 addresses with ports (§2.1). */
const MAX_V1_BYTES = 107;

/** Two paths of Unix sockets (§2.2). */
const UNIX_BYTES = 216;

const V1 = Buffer.from('PROXY ', 'latin1');
const V2 = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);

/**
 * Reads the header of the PROXY protocol (HAProxy, "The PROXY protocol", versions 1 and 2) at the beginning of a
 * connection.
 */
export function readProxyHeader(
  bytes: Buffer,
): ProxyHeader | typeof PROXY_MORE | typeof PROXY_NONE | typeof PROXY_INVALID {
  if (begins(bytes, V2)) return bytes.length < V2.length ? PROXY_MORE : readV2(bytes);
  if (begins(bytes, V1)) return bytes.length < V1.length ? PROXY_MORE : readV1(bytes);
  return PROXY_NONE;
}

/** Whether the bytes are a beginning of `start`, or begin with it. */
function begins(bytes: Buffer, start: Buffer): boolean {
  const size = Math.min(bytes.length, start.length);
  return bytes.subarray(0, size).equals(start.subarray(0, size));
}

function readV1(bytes: Buffer): ProxyHeader | typeof PROXY_MORE | typeof PROXY_INVALID {
  const end = bytes.subarray(0, MAX_V1_BYTES).indexOf('\r\n', 0, 'latin1');
  if (end < 0) return bytes.length >= MAX_V1_BYTES ? PROXY_INVALID : PROXY_MORE;
  const line = bytes.subarray(0, end).toString('latin1');
  const header = (addresses: ProxiedAddresses | undefined): ProxyHeader => ({
    version: 1,
    bytes: end + 2,
    addresses,
    tlvs: [],
  });
  if (/^PROXY UNKNOWN(?: [\x20-\x7e]*)?$/.test(line)) return header(undefined);
  const [, family, source = '', destination = '', from, to] =
    /^PROXY TCP([46]) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/.exec(line) ?? [];
  const ports = [Number(from), Number(to)] as const;
  if (family === undefined || !ports.every((port) => port <= 65_535)) return PROXY_INVALID;
  const fits = (address: string): boolean =>
    isIpAddress(address) && address.includes(':') === (family === '6');
  if (!fits(source) || !fits(destination)) return PROXY_INVALID;
  return header({
    sourceAddress: source,
    sourcePort: ports[0],
    destinationAddress: destination,
    destinationPort: ports[1],
  });
}

function readV2(bytes: Buffer): ProxyHeader | typeof PROXY_MORE | typeof PROXY_INVALID {
  if (bytes.length < 16) return PROXY_MORE;
  const [versionAndCommand = 0, family = 0] = bytes.subarray(12, 14);
  const command = versionAndCommand & 0x0f;
  const size = 16 + bytes.readUInt16BE(14);
  if (versionAndCommand >> 4 !== 2 || command > 1) return PROXY_INVALID;
  if (bytes.length < size) return PROXY_MORE;
  const header = (
    addresses: ProxiedAddresses | undefined,
    from = size,
  ): ProxyHeader | typeof PROXY_INVALID => {
    const tlvs = readTlvs(bytes.subarray(Math.min(from, size), size));
    return tlvs === undefined ? PROXY_INVALID : { version: 2, bytes: size, addresses, tlvs };
  };
  // LOCAL: the proxy speaks for itself, and what else stands there counts for nothing.
  if (command === 0) return header(undefined);
  const width = family === 0x11 ? 4 : family === 0x21 ? 16 : 0;
  // Unix sockets, and families that nobody specified: who called is not known by an address.
  if (width === 0) {
    if (family !== 0x00 && family !== 0x31) return PROXY_INVALID;
    return header(undefined, family === 0x00 ? 16 : 16 + UNIX_BYTES);
  }
  const ports = 16 + 2 * width;
  if (size < ports + 4) return PROXY_INVALID;
  return header(
    {
      sourceAddress: addressAt(bytes, 16, width),
      destinationAddress: addressAt(bytes, 16 + width, width),
      sourcePort: bytes.readUInt16BE(ports),
      destinationPort: bytes.readUInt16BE(ports + 2),
    },
    ports + 4,
  );
}

function addressAt(bytes: Buffer, at: number, width: number): string {
  if (width === 4) return bytes.subarray(at, at + 4).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + index * 2).toString(16));
  return groups.join(':');
}
