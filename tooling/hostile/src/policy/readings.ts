/**
 * How origins read a request target: every reading that some server, framework or file system has been seen to make. Written
 * for the judge alone; the proxy's own normalisation is not used.
 */

/** All paths that an origin may take `target` for, lower case. */
export function readingsOf(target: string): Set<string> {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  const readings = new Set<string>();
  for (const decoded of decodings(path))
    for (const slashes of [decoded, decoded.replaceAll('\\', '/')])
      for (const cut of [slashes, ...cuts(slashes)])
        for (const parameters of [cut, cut.replace(/;[^/]*/g, '')])
          for (const read of [parameters, normal(parameters), normal(parameters.replace(/\/+/g, '/'))])
            for (const trimmed of [read, read.replace(/[\s.]+$/, '')]) readings.add(trimmed.toLowerCase());
  return readings;
}

/** Whether one reading is `path` or below it. */
export function mayRead(target: string, path: string): boolean {
  return [...readingsOf(target)].some((reading) => reading === path || reading.startsWith(`${path}/`));
}

/** As it stands, and with escapes decoded once, twice and three times, also two-octet forms of ASCII (overlong UTF-8, %u). */
function decodings(path: string): string[] {
  const all = [path];
  for (let round = 0; round < 3; round++) {
    const before = all.at(-1) as string;
    const after = before
      .replace(/%u00([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/[\xc0\xc1]([\x80-\xbf])/g, (pair) =>
        String.fromCharCode(((pair.charCodeAt(0) & 0x1f) << 6) | (pair.charCodeAt(1) & 0x3f)),
      )
      .replace(/\xe0\x80([\x80-\xbf])/g, (triple) => String.fromCharCode(triple.charCodeAt(2) & 0x3f));
    if (after === before) break;
    all.push(after);
  }
  return all;
}

/** Where a reader in C, a decoder of fragments or of queries stops. */
function cuts(path: string): string[] {
  return ['\0', '#', '?', '\r', '\n']
    .filter((stop) => path.includes(stop))
    .map((stop) => path.slice(0, path.indexOf(stop)));
}

/** Dot segments removed (RFC 3986 §5.2.4). */
function normal(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/').slice(1)) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}`;
}

/** The host that an origin may take a Host line or an authority for: lower case, without port, userinfo and last dot. */
export function hostReadings(authority: string): Set<string> {
  const lower = authority.toLowerCase().trim();
  const hosts = new Set<string>();
  for (const decoded of new Set([lower, decodings(lower).at(-1) as string]))
    for (const part of [decoded, ...decoded.split(/[,\s]+/)])
      for (const user of [part, part.slice(part.lastIndexOf('@') + 1), part.split('@')[0] as string])
        for (const port of [user, user.replace(/:[^\]]*$/, ''), user.split(/[:/?#\\;\0]/)[0] as string])
          hosts.add(port.replace(/\.+$/, ''));
  return hosts;
}
