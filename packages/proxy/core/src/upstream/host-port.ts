import type { TcpAddress } from '@tulle/model';

/** `host`, `host:port` or `[v6]:port`; brackets are taken off. @returns `undefined` where it is none of these */
export function hostPortOf(text: string, defaultPort: number): TcpAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const host = (match[1] ?? match[2] ?? '').toLowerCase();
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  return host === '' || port < 1 || port > 65_535 ? undefined : { host, port };
}

/** Whether it is an address and no name, as far as a connection cares. */
export function isAddress(host: string): boolean {
  return host.includes(':') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host);
}
