import { formatIpv6, parseIpv6 } from './ip.ts';

/**
 * Lower-case characters of a registered name (RFC 3986 §3.2.2): letters, digits, `-`, `_`, `~` and sub-delims, without the comma, as
 * two hosts that are joined by one are no host. `_` is never taken for `-`.
 */
const NAME = new Uint8Array(128);
for (const char of "abcdefghijklmnopqrstuvwxyz0123456789-_~!$&'()*+;=") NAME[char.charCodeAt(0)] = 1;

/** A name or IPv6 in brackets, a trailing dot, a port. */
const AUTHORITY =
  /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_~!$&'()*+;=-]+(?:\.[A-Za-z0-9_~!$&'()*+;=-]+)*)(\.?)(?::(\d*))?$/;

/** RFC 1035 §2.3.4. */
const MAX_NAME_LENGTH = 255;

/**
 * The one spelling of a host (`Host`, `:authority`, a URL's authority): lower case, without trailing dot, IPv6 as
 * RFC 5952 writes it, port kept when one was given. `''` when it has to be refused: empty, userinfo, percent-escapes or
 * characters that no registered name has, commas, empty labels, zone, port not 1–65535. Clean input comes back as it is, without
 * allocation.
 */
export function normalizeHost(value: string): string {
  let label = 0;
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code < 128 && NAME[code] === 1) label += 1;
    else if (code === 0x2e && label > 0) label = 0;
    else return rewrite(value);
  }
  return label > 0 && value.length <= MAX_NAME_LENGTH ? value : rewrite(value);
}

function rewrite(value: string): string {
  const match = AUTHORITY.exec(value);
  if (match === null || value.length > MAX_NAME_LENGTH + 7) return '';
  const [, name = '', dot, digits = ''] = match;
  let host = name.toLowerCase();
  if (host.startsWith('[')) {
    const words = new Uint32Array(4);
    if (dot !== '' || !parseIpv6(host.slice(1, -1), words)) return '';
    host = `[${formatIpv6(words)}]`;
  } else if (host.length > MAX_NAME_LENGTH) {
    return '';
  }
  if (digits === '') return host;
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? `${host}:${port}` : '';
}

/** Where the port's colon is, -1 when there is none. */
function colonOf(authority: string): number {
  return authority.indexOf(':', authority.charCodeAt(0) === 0x5b ? authority.indexOf(']') : 0);
}

/** Host of a normalised authority without its port; IPv6 in brackets. */
export function hostOf(authority: string): string {
  const colon = colonOf(authority);
  return colon === -1 ? authority : authority.slice(0, colon);
}

/** Port of a normalised authority, 0 when it has none. */
export function portOf(authority: string): number {
  const colon = colonOf(authority);
  return colon === -1 ? 0 : Number(authority.slice(colon + 1));
}
