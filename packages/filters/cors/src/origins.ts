/** Decides whether an origin is listed. */
export type OriginTest = (origin: string) => boolean;

/**
 * A serialised origin (Fetch "Origin header", RFC 6454 §6.2): scheme, host and port, nothing else. `null`, which sandboxed pages
 * and files share, is none: to allow it would be to allow everybody who wants.
 */
const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** Compiles the list. Hosts and schemes have no case; a scheme's own port is the same as none. */
export function compileOrigins(patterns: readonly string[]): OriginTest {
  const exact = new Set<string>();
  /** By scheme and port, the ends of hosts that are allowed; `''` for every host. */
  const ends: { readonly start: string; readonly end: string; readonly port: string }[] = [];
  let any = false;
  for (const pattern of patterns) {
    const lower = pattern.toLowerCase();
    if (lower === '*') {
      any = true;
      continue;
    }
    const scheme = lower.slice(0, lower.indexOf(':'));
    const rest = lower.slice(scheme.length + 3);
    const colon = rest.endsWith(']') ? -1 : rest.lastIndexOf(':');
    const host = colon === -1 ? rest : rest.slice(0, colon);
    const port = portOf(scheme, colon === -1 ? undefined : rest.slice(colon + 1));
    if (host.startsWith('*')) ends.push({ start: scheme, end: host.slice(1), port });
    else exact.add(`${scheme}://${host}${port}`);
  }
  return (origin) => {
    const [, scheme, host, givenPort] = ORIGIN.exec(origin) ?? [];
    if (scheme === undefined || host === undefined) return false;
    if (any) return true;
    const port = portOf(scheme, givenPort);
    if (exact.has(`${scheme}://${host}${port}`)) return true;
    for (const entry of ends)
      if (
        entry.start === scheme &&
        entry.port === port &&
        host.length > entry.end.length &&
        host.endsWith(entry.end)
      )
        return true;
    return false;
  };
}

/** `:8080`, `''` for the scheme's own. */
function portOf(scheme: string, port: string | undefined): string {
  if (port === undefined) return '';
  const number = String(Number(port));
  return DEFAULT_PORTS[scheme] === number ? '' : `:${number}`;
}
