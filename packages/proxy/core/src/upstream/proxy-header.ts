import { parseIpv6 } from '@tulle/match';
import type { ProxyHeaderOptions, ProxyProtocolVersion } from '@tulle/model';
import type { Tlv } from '../listener/proxied-fields.ts';
import type { ProxiedAddresses } from '../listener/proxy-protocol.ts';

const V2 = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** Version 2 with the command LOCAL, and no address: the proxy speaks for itself. */
const V2_LOCAL = Buffer.concat([V2, Buffer.from([0x20, 0x00, 0x00, 0x00])]);
const V1_UNKNOWN = Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
const NO_TYPES: ReadonlySet<number> = new Set();
const NO_FIELDS = Buffer.alloc(0);
/** What a length of 16 bits can say (§2.2). */
const MAX_BYTES = 65_535;
/** Before an IPv4 address that stands for an IPv6 one (RFC 4291 §2.5.5.2). */
const MAPPED = '::ffff:';

/** What connections to endpoints begin with. */
export interface SaidHeader {
  readonly version: ProxyProtocolVersion;
  /** Of a caller without an address it says that there is one, in place of that the proxy itself calls. */
  readonly unaddressed: boolean;
  /** Types of the caller's fields that go along. */
  readonly passes: 'all' | ReadonlySet<number>;
  readonly adds: readonly Tlv[];
}

/** A header that has addresses alone. */
export function plainHeader(version: ProxyProtocolVersion): SaidHeader {
  return { version, unaddressed: false, passes: NO_TYPES, adds: [] };
}

/** The value of a field, as configurations have it. */
export function bytesOf(valueBase64: string): Tlv['value'] {
  return Buffer.from(valueBase64, 'base64');
}

/** @param version `undefined`: there is no header */
export function compileHeader(
  version: ProxyProtocolVersion | undefined,
  { unaddressed = false, passes = [], adds = [] }: ProxyHeaderOptions = {},
): SaidHeader | undefined {
  if (version === undefined) return undefined;
  return {
    version,
    unaddressed,
    passes: passes === 'all' ? passes : new Set(passes),
    adds: adds.map(({ type, valueBase64 }) => ({ type, value: bytesOf(valueBase64) })),
  };
}

/**
 * The header of the PROXY protocol (HAProxy, "The PROXY protocol", versions 1 and 2) by which a connection to an endpoint begins.
 * @param whose who called whom; `undefined`: the proxy itself calls, e.g. to ask whether the endpoint is well
 */
export function writeProxyHeader(said: SaidHeader, whose: ProxiedAddresses | undefined): Buffer {
  const { version } = said;
  const source = bare(whose?.sourceAddress);
  const destination = bare(whose?.destinationAddress);
  // Of a caller over a Unix socket there is nothing to say.
  if (whose === undefined || source === '' || destination === '') {
    if (version === 1) return V1_UNKNOWN;
    if (whose === undefined || !said.unaddressed) return V2_LOCAL;
    const fields = fieldsOf(said, whose, 0);
    const start = Buffer.from([0x21, 0x00, fields.length >> 8, fields.length & 0xff]);
    return Buffer.concat([V2, start, fields]);
  }
  const six = source.includes(':') || destination.includes(':');
  const [from, to] = six ? [asIpv6(source), asIpv6(destination)] : [source, destination];
  const { sourcePort, destinationPort } = whose;
  if (version === 1)
    return Buffer.from(
      `PROXY TCP${six ? 6 : 4} ${from} ${to} ${sourcePort} ${destinationPort}\r\n`,
      'latin1',
    );
  const width = six ? 16 : 4;
  const fields = fieldsOf(said, whose, 2 * width + 4);
  const end = V2.length + 4 + 2 * width + 4;
  const header = Buffer.alloc(end + fields.length);
  fields.copy(header, end);
  V2.copy(header);
  header[12] = 0x21;
  header[13] = six ? 0x21 : 0x11;
  header.writeUInt16BE(2 * width + 4 + fields.length, 14);
  writeAddress(header, from, 16);
  writeAddress(header, to, 16 + width);
  header.writeUInt16BE(sourcePort, 16 + 2 * width);
  header.writeUInt16BE(destinationPort, 18 + 2 * width);
  return header;
}

/** What follows the addresses: what is added first, then of the caller's what nothing added has the type of (Envoy). */
function fieldsOf({ passes, adds }: SaidHeader, { tlvs = [] }: ProxiedAddresses, before: number): Buffer {
  const added = new Set(adds.map(({ type }) => type));
  const passed = tlvs.filter(({ type }) => (passes === 'all' || passes.has(type)) && !added.has(type));
  if (adds.length === 0 && passed.length === 0) return NO_FIELDS;
  const parts: Buffer[] = [];
  let size = before;
  for (const { type, value } of [...adds, ...passed]) {
    // What the header's length cannot say is left out, as Envoy does.
    if (size + 3 + value.length > MAX_BYTES) continue;
    size += 3 + value.length;
    parts.push(Buffer.from([type, value.length >> 8, value.length & 0xff]), value);
  }
  return Buffer.concat(parts);
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
