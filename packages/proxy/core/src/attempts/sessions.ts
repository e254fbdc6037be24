import { cookieValue } from '@tulle/match';
import { sipHash, type SipKey } from '@tulle/balance';
import type { CompiledForward, ForwardTarget } from '../compile/compiled.ts';
import type { CompiledPersistence } from '../compile/compile-persistence.ts';
import type { UpstreamCluster, UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';

/**
 * Session persistence (GEP-1619). A token is text of hex digits: which endpoint (16, a keyed hash of its cluster and
 * address), since when and when last (12 each, milliseconds since 1970), and a keyed hash of all that with the name that it
 * goes by (16), so that nobody prolongs or invents one.
 */
const TOKEN = /^[0-9a-f]{56}$/;

/** What a caller's token says. */
interface Session {
  readonly tag: string;
  readonly bornMs: number;
}

/**
 * The share of a split to which the caller's session leads, although its weight may be 0; below 0: none. The endpoint is noted
 * for the first attempt.
 */
export function shareOfSession(stream: Stream, action: CompiledForward): number {
  const { persistence, targets } = action;
  if (persistence === null) return -1;
  const session = sessionOf(stream, persistence);
  if (session === undefined) return -1;
  for (let i = 0; i < targets.length; i++) {
    const cluster = (targets[i] as ForwardTarget).ref.current;
    const endpoint = cluster === undefined ? undefined : endpointOf(cluster, persistence.key, session.tag);
    if (endpoint === undefined || !isFit(endpoint)) continue;
    stream.sessionEndpoint = endpoint;
    stream.sessionBornMs = session.bornMs;
    return i;
  }
  return -1;
}

/** Whether a session may go on at an endpoint. */
export function isFit({ removed, ejected, check, endpoint }: UpstreamEndpoint): boolean {
  const { health = 'healthy' } = endpoint;
  return !removed && !ejected && check !== 'failed' && (health === 'healthy' || health === 'degraded');
}

/** The caller is told by what it comes back to the endpoint that answers it. */
export function tellSession(stream: Stream, persistence: CompiledPersistence): void {
  const { endpoint, cluster } = stream;
  if (endpoint === undefined || cluster === undefined) return;
  const goesOn = endpoint === stream.sessionEndpoint;
  if (goesOn && !persistence.refreshes) return;
  const nowMs = stream.engine.clock.epochMs();
  const bornMs = goesOn ? stream.sessionBornMs : nowMs;
  const { key, name, kind } = persistence;
  const said = tagOf(key, cluster.name, endpoint) + time(bornMs) + time(nowMs);
  const token = said + sealOf(key, name, said);
  if (kind === 'header') {
    stream.responseFields.put(name, token);
    return;
  }
  const leftS = Math.max(1, Math.ceil((bornMs + persistence.absoluteTimeoutMs - nowMs) / 1000));
  stream.responseFields.add(
    'set-cookie',
    `${name}=${token}${persistence.permanent ? `; Max-Age=${leftS}` : ''}${persistence.cookieTail}${stream.scheme === 'https' ? '; Secure' : ''}`,
  );
}

/** @returns `undefined` where there is none, it is over, or it is nobody's of this mesh */
function sessionOf(stream: Stream, persistence: CompiledPersistence): Session | undefined {
  const { kind, name, key } = persistence;
  const token =
    kind === 'cookie' ? cookieValue(stream.headers, name) : (stream.headers.get(name) ?? undefined);
  if (token === undefined || !TOKEN.test(token)) return undefined;
  const said = token.slice(0, 40);
  if (sealOf(key, name, said) !== token.slice(40)) return undefined;
  const bornMs = Number.parseInt(token.slice(16, 28), 16);
  const usedMs = Number.parseInt(token.slice(28, 40), 16);
  const nowMs = stream.engine.clock.epochMs();
  if (nowMs - bornMs >= persistence.absoluteTimeoutMs || nowMs - usedMs >= persistence.idleTimeoutMs)
    return undefined;
  return { tag: token.slice(0, 16), bornMs };
}

function sealOf(key: SipKey, name: string, said: string): string {
  return sipHash(key, `session ${name} ${said}`);
}

function time(ms: number): string {
  return ms.toString(16).padStart(12, '0');
}

/** How tokens name an endpoint. An address that another workload has by now is another endpoint. */
function tagOf(key: SipKey, cluster: string, { address, endpoint }: UpstreamEndpoint): string {
  return sipHash(key, `endpoint ${cluster} ${address} ${endpoint.labels?.['workload'] ?? ''}`);
}

interface Tags {
  readonly key: SipKey;
  readonly endpoints: ReadonlyMap<string, UpstreamEndpoint>;
}

/** Of each set of endpoints, made when the first session asks for it: a set that changes is another list. */
const tagsOfSets = new WeakMap<object, Tags>();

function endpointOf(
  { name, balancer }: UpstreamCluster,
  key: SipKey,
  tag: string,
): UpstreamEndpoint | undefined {
  let tags = tagsOfSets.get(balancer.endpoints);
  if (tags === undefined || tags.key.some((word, i) => word !== key[i])) {
    tags = { key, endpoints: new Map(balancer.endpoints.map((one) => [tagOf(key, name, one), one])) };
    tagsOfSets.set(balancer.endpoints, tags);
  }
  return tags.endpoints.get(tag);
}
