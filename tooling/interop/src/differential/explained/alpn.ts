import type { Difference } from '../compare.ts';
import type { Json } from '../configuration.ts';
import { reachedOnlyAt } from '../expected.ts';
import type { Pair } from './pair.ts';

/** What a listener of HTTP names where its TLS names nothing. */
const SPOKEN: readonly string[] = ['h2', 'http/1.1'];

/** How a chain asks for SPIFFE ids, by the words that Tulle itself says it in. */
const SVIDS = /\{"san_type":"URI","matcher":\{"prefix":"spiffe:\/\//;

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
    configuration.filterChains?.some((chain) => SVIDS.test(JSON.stringify(chain))) === true &&
    observations !== undefined &&
    observations.tulle.seen.length === 0 &&
    ['no connection', 'ended'].includes(observations.tulle.reply.outcome)
  )
    return isHandshake(aspect) || reachedOnlyAt('envoy', difference);
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
