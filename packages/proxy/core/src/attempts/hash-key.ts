import { addHash, hashText } from '@tulle/balance';
import { FILTER_STATE } from '@tulle/filter';
import { cookieValue, firstQueryValue } from '@tulle/match';
import type { CompiledHashPolicy } from '../compile/compiled-hash-policy.ts';
import type { Stream } from '../stream/stream.ts';

/**
 * The hash of what a request has in common with others, for balancing that goes by it; below 0 without any. A caller
 * without a cookie that is to be made up gets one with its response.
 * @param makesUp `false`: such a cookie is not made up, and says nothing
 */
export function hashKey(stream: Stream, policies: readonly CompiledHashPolicy[], makesUp = true): number {
  let hash = -1;
  for (let i = 0; i < policies.length; i++) {
    const policy = policies[i] as CompiledHashPolicy;
    const value = valueOf(stream, policy, makesUp);
    if (value === undefined) continue;
    hash = addHash(hash, hashText(value));
    if (policy.terminal) break;
  }
  return hash;
}

function valueOf(stream: Stream, policy: CompiledHashPolicy, makesUp: boolean): string | undefined {
  switch (policy.kind) {
    case 'header':
      return headerValue(stream, policy);
    case 'query':
      return stream.query === undefined ? undefined : firstQueryValue(stream.query, policy.name);
    case 'filter-state': {
      const state = stream.getSlot(FILTER_STATE);
      return state !== undefined && Object.hasOwn(state, policy.name) ? state[policy.name] : undefined;
    }
    case 'source-ip':
      return stream.clientAddress || stream.downstream.connection.remoteAddress || undefined;
    case 'cookie':
      return cookieValue(stream.headers, policy.name) ?? (makesUp ? madeUp(stream, policy) : undefined);
  }
}

/** Lines in the order of their values: who repeats a field means a set of them (Envoy sorts likewise). */
function headerValue({ headers }: Stream, { name, rewrite }: CompiledHashPolicy): string | undefined {
  if (!headers.has(name)) return undefined;
  const given = headers.getAll(name);
  const lines = rewrite === undefined ? given : given.map(rewrite);
  return lines.length === 1 ? lines[0] : lines.toSorted().join('\n');
}

function madeUp(stream: Stream, { name, cookieTail }: CompiledHashPolicy): string | undefined {
  if (cookieTail === undefined) return undefined;
  const { random } = stream.engine;
  const part = (): string => ((random() * 0x1_0000_0000) >>> 0).toString(16).padStart(8, '0');
  const value = part() + part();
  stream.hashCookie = `${name}="${value}"${cookieTail}`;
  return value;
}
