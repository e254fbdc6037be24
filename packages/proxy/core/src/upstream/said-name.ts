import type { Cluster } from '@tulle/model';
import type { Stream } from '../stream/stream.ts';
import { hostPortOf, isAddress } from './host-port.ts';

/**
 * Server name that a request says: by a header, else by its host. An address is none (RFC 6066 §3), but where the peer has to
 * prove the name, it has to prove the address too.
 */
export function serverNameOf(
  stream: Stream,
  { header, verified }: NonNullable<Cluster['serverNameFrom']>,
): string {
  const said = header === undefined ? undefined : stream.headers.get(header);
  const host = hostPortOf(said ?? stream.authority, 443)?.host ?? '';
  return isAddress(host) && verified !== true ? '' : host;
}
