import { resolve4, resolve6 } from 'node:dns/promises';
import type { ResolvedName } from '../ports.ts';

/**
 * Asks DNS itself, which says how long an answer holds, where `getaddrinfo` does not.
 * @returns `undefined` where it knows nothing: the name may stand in `/etc/hosts`
 */
export async function resolveWithTtl(host: string): Promise<ResolvedName | undefined> {
  const answers = await Promise.allSettled([resolve6(host, { ttl: true }), resolve4(host, { ttl: true })]);
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  if (found.length === 0) return undefined;
  return {
    addresses: found.map(({ address }) => address),
    ttlMs: found.reduce((least, { ttl }) => Math.min(least, ttl), Infinity) * 1_000,
  };
}
