import type { Difference } from '../compare.ts';
import type { Configuration, Json } from '../configuration.ts';
import { reachedOnlyAt } from '../expected.ts';
import type { Pair } from './pair.ts';
import { isRefused } from './whole.ts';

/** What a listener of HTTP names where its TLS names nothing. */
const SPOKEN: readonly string[] = ['h2', 'http/1.1'];

/** What a message says by the first field of a name in it. */
function within(message: unknown, name: string): unknown {
  if (typeof message !== 'object' || message === null) return undefined;
  if (name in message) return (message as Json)[name];
  return Object.values(message)
    .map((part) => within(part, name))
    .find((found) => found !== undefined);
}

/** Whether a TLS context, of a chain or a cluster, asks for SPIFFE ids and nothing else, some of them by what they begin with. */
function wantsSvids(context: Json | undefined): boolean {
  const names = (within(context, 'match_typed_subject_alt_names') ?? []) as readonly {
    readonly san_type: string;
    readonly matcher: Json;
  }[];
  const begins = (value: unknown, end: string): boolean =>
    typeof value === 'string' && value.startsWith('spiffe://') && value.endsWith(end);
  return (
    names.some(({ matcher }) => begins(matcher['prefix'], '/')) &&
    names.every(
      ({ san_type, matcher }) =>
        san_type === 'URI' && (begins(matcher['prefix'], '/') || begins(matcher['exact'], '')),
    )
  );
}

const isHandshake = (aspect: string): boolean =>
  ['reply.outcome', 'reply.tls', 'reply.fate', 'reply.interim'].includes(aspect);

/** Explanation `names-in-handshakes`. */
export function explainsAlpn(
  difference: Difference,
  { configuration, exchange, observations }: Pair,
): boolean {
  const { aspect, envoy, tulle } = difference;
  // Who says no name where one is required.
  if (
    exchange?.tls !== undefined &&
    exchange.tls.serverName === undefined &&
    configuration.filterChains?.some(isForNamed) === true &&
    observations !== undefined &&
    observations.tulle.seen.length === 0 &&
    ['no connection', 'ended'].includes(observations.tulle.reply.outcome)
  )
    return isHandshake(aspect) || reachedOnlyAt('envoy', difference);
  // A certificate with another URI beside its SPIFFE id is no SVID.
  if (
    exchange?.tls?.certificate === 'both' &&
    configuration.filterChains?.some(wantsSvids) === true &&
    observations !== undefined &&
    observations.tulle.seen.length === 0 &&
    ['no connection', 'ended'].includes(observations.tulle.reply.outcome)
  )
    return isHandshake(aspect) || reachedOnlyAt('envoy', difference);
  const toOrigin = clusterOf(configuration, exchange?.path);
  if (
    JSON.stringify(toOrigin ?? '').includes('"@tls-mutual"') &&
    wantsSvids(toOrigin) &&
    exchange !== undefined &&
    observations !== undefined &&
    isRefused(observations.tulle, exchange, 503)
  )
    return reachedOnlyAt('envoy', difference);
  const named = exchange?.tls?.alpn ?? [];
  if (named.length === 0 || observations === undefined) return false;
  const lists = (configuration.filterChains ?? []).map(namesOf);
  if (observations.tulle.reply.outcome === 'no connection') {
    // Of some chain, which may be the one that is taken, it has no protocol.
    if (!lists.some((list) => !named.some((one) => list.includes(one)))) return false;
    return isHandshake(aspect) || reachedOnlyAt('envoy', difference);
  }
  const before = envoy.endsWith(' no protocol') ? envoy.slice(0, -'no protocol'.length) : undefined;
  return (
    aspect === 'reply.tls' &&
    before !== undefined &&
    named.some((one) => SPOKEN.includes(one) && tulle === before + one)
  );
}

/** The cluster to which the route of a path leads, where it is one of the configuration's own. */
function clusterOf({ routes, clusters }: Configuration, path: string | undefined): Json | undefined {
  const text = JSON.stringify(routes ?? {});
  const of = text.split(`{"match":{"path":${JSON.stringify(path)}}`)[1];
  const name = /^,"route":\{"cluster":"([^"]+)"/.exec(of ?? '')?.[1];
  return clusters?.find((one) => one['name'] === name);
}

/** Whether a chain that is for whoever says no name requires one. */
function isForNamed(chain: Json): boolean {
  const text = JSON.stringify(chain);
  return text.includes('"require_sni":true') && !text.includes('"server_names"');
}

/** Protocols that a chain's TLS names, or those that are named then. */
function namesOf(chain: unknown): readonly string[] {
  const text = JSON.stringify(chain);
  const given = /"alpn_protocols":(\[[^\]]*\])/.exec(text)?.[1];
  return given === undefined ? SPOKEN : (JSON.parse(given) as readonly string[]);
}
