import { isIP } from 'node:net';
import { FlagError } from '@tulle/sidecar/flags';
import type { TcpAddress } from '@tulle/model';

/** Where a gateway listens, as `--listen` says. */
export interface ListenFlags {
  readonly address: string;
  readonly listen: ReadonlyMap<number, TcpAddress>;
}

/**
 * Reads `--listen`, in any number: `HOST` for all ports of the Gateway, `PORT=PORT` or `PORT=HOST:PORT` for one.
 * @throws FlagError
 */
export function parseListen(texts: readonly string[]): ListenFlags {
  const hosts = texts.filter((text) => !text.includes('='));
  const [address = '127.0.0.1', ...more] = hosts.map(hostOf);
  if (more.length > 0)
    throw new FlagError(
      `--listen names several addresses: ${hosts.join(', ')}`,
      'one for all ports, e.g. 0.0.0.0; PORT=HOST:PORT for a port that is elsewhere',
    );
  const listen = new Map<number, TcpAddress>();
  for (const text of texts.filter((one) => one.includes('='))) {
    const match = /^(\d{1,5})=(?:(\[[^\]]+\]|[^:]+):)?(\d{1,5})$/.exec(text);
    const [from, to] = [Number(match?.[1] ?? 0), Number(match?.[3] ?? -1)];
    if (match === null || from < 1 || from > 65_535 || to > 65_535)
      throw new FlagError(
        `--listen ${JSON.stringify(text)} is not PORT=[HOST:]PORT`,
        'ports go up to 65535, e.g. --listen 443=8443 or --listen 443=0.0.0.0:8443; 443=0 lets the system choose',
      );
    if (listen.has(from)) throw new FlagError(`--listen names port ${from} twice`);
    listen.set(from, { host: match[2] === undefined ? address : hostOf(match[2]), port: to });
  }
  return { address, listen };
}

function hostOf(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0) return host;
  throw new FlagError(
    `--listen ${JSON.stringify(text)} is no IP address`,
    'e.g. --listen 0.0.0.0, --listen 443=8443 or --listen 443=0.0.0.0:8443',
  );
}
