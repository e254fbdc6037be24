import type { Difference } from '../compare.ts';
import { asked, reachedOnlyAt } from '../expected.ts';
import type { Exchange, Named } from '../configuration.ts';
import type { Observations } from '../observe.ts';
import type { Pair } from './pair.ts';

/** What Envoy's realm has of a target. */
const LONGEST_PATH = 256;

/** Explanation `words-of-tokens`. */
export function explainsToken(
  difference: Difference,
  { configuration, exchange, observations }: Pair,
): boolean {
  const { aspect, envoy, tulle } = difference;
  const filter = JSON.stringify(configuration.httpFilters ?? '');
  if (!filter.includes('jwt_authn') || exchange === undefined || observations === undefined) return false;
  const { host = 'one.test', path = '/' } = exchange;
  if (aspect === 'reply.header.www-authenticate') {
    // Two words of one refusal, or of two where the token is read by one side alone (below).
    const realms = [
      `Bearer realm="http://${host}${path.slice(0, LONGEST_PATH)}"`,
      `Bearer realm="${host}"`,
    ] as const;
    const [theirs, ours] = [envoy.replace(realms[0], ''), tulle.replace(realms[1], '')];
    const words = ['', ', error="invalid_token"'];
    if (theirs === ours && words.includes(ours)) return true;
    // Of several that are asked for one is there, and one is not.
    if (
      filter.includes('"requires_all"') &&
      observations.envoy.reply.status === observations.tulle.reply.status
    )
      return words.includes(theirs) && words.includes(ours);
  }
  if (aspect === 'reply.status')
    if (envoy === '403' && tulle === '401')
      return (
        observations.envoy.reply.body === 'Audiences in Jwt are not allowed' ||
        filter.includes('"strip_failure_response":true')
      );
  const claim = /^seen\[\d+\]\.header\.(x-[a-z]+)$/.exec(aspect)?.[1];
  if (claim !== undefined && filter.includes(`"header_name":"${claim}"`) && isList(envoy, tulle)) return true;
  if (explainsAudience(difference, filter, exchange, observations)) return true;
  if (
    isForOthers(filter, exchange, observations) ||
    isNoCredential(exchange, observations) ||
    isBesideBad(configuration, exchange, observations)
  )
    return aspect === 'reply.header.www-authenticate' || reachedOnlyAt('envoy', difference);
  const isNone = isOverlong(exchange) || tokensOf(exchange) > 1;
  const haveBoth = observations.envoy.reply.status === 200 && observations.tulle.reply.status === 200;
  if (isNone && haveBoth && filter.includes('"allow_missing_or_failed"') && isOfToken(aspect)) return true;
  // Where any token may fail Tulle looks for all of them, Envoy for those that are named beside.
  if (filter.includes('"allow_missing_or_failed"') && claimsOf(exchange).iss === 'https://two.test/')
    if (observations.envoy.seen.length === 1 && observations.tulle.seen.length === 1 && isOfToken(aspect))
      return true;
  return explainsScheme(difference, { configuration, exchange, observations, differences: [] });
}

/** Claims of the first token of a request. */
function claimsOf(exchange: Exchange): { readonly iss?: unknown; readonly aud?: unknown } {
  const payload = /eyJ[\w-]+\.([\w-]+)\./.exec(JSON.stringify(exchange))?.[1] ?? '';
  return JSON.parse(Buffer.from(payload, 'base64url').toString() || '{}') as { readonly aud?: unknown };
}

/** What a token is for is compared as it is written (RFC 7519 §2, §4.1.3); Envoy leaves out schemes, and a slash at the end. */
function explainsAudience(
  difference: Difference,
  filter: string,
  exchange: Exchange,
  { envoy, tulle }: Observations,
): boolean {
  const { aud } = claimsOf(exchange);
  if (aud !== 'https://api.test' || !filter.includes('"https://api.test/"')) return false;
  if (tulle.seen.length === 0)
    return (
      tulle.reply.status === 401 &&
      envoy.reply.status === 200 &&
      (difference.aspect === 'reply.header.www-authenticate' || reachedOnlyAt('envoy', difference))
    );
  // Where a token that is no good counts as none, nothing is made of it.
  return filter.includes('"allow_missing_or_failed"') && isOfToken(difference.aspect);
}

const isOfToken = (aspect: string): boolean =>
  /^seen\[0\]\.(path|header\.(authorization|cookie|x-(token|sub|age|nested|staff|groups|payload-one|payload-two)))$/.test(
    aspect,
  );

/**
 * The requirement names audiences, and the token is for one of these and none of its provider's: Tulle asks for both, Envoy for
 * what the requirement says alone.
 */
function isForOthers(filter: string, exchange: Exchange, { envoy, tulle }: Observations): boolean {
  if (!filter.includes('"provider_and_audiences"') || envoy.reply.status !== 200) return false;
  if (tulle.reply.status !== 401 || tulle.seen.length > 0) return false;
  const { aud } = claimsOf(exchange);
  const audiences = [aud].flat();
  // Of the first provider, whose audiences requirements name.
  const given = /"one":\{.*?"audiences":(\[[^\]]*\]).*?"two":\{/.exec(filter)?.[1];
  return (
    given !== undefined &&
    audiences.includes('admins') &&
    !(JSON.parse(given) as readonly unknown[]).some((one) => audiences.includes(one))
  );
}

/**
 * Two fields of credentials are none (RFC 9110 §5.3, §11.6.2), and a signature by ES256 has 64 octets (RFC 7518 §3.4); Envoy looks for
 * its token in all fields together, and leaves out what is too much of a signature.
 */
function isNoCredential(exchange: Exchange, { envoy, tulle }: Observations): boolean {
  if (envoy.reply.status !== 200 || tulle.reply.status !== 401 || tulle.seen.length > 0) return false;
  const credentials = exchange.headers?.filter(([name]) => name === 'authorization') ?? [];
  return credentials.length > 1 || isOverlong(exchange);
}

/**
 * Of two tokens one is for somebody else than its provider says: it has to be good wherever it is there (packages/filters/jwt/README.md).
 * Envoy takes the request for the other one, and passes both on.
 */
function isBesideBad({ httpFilters }: Named, exchange: Exchange, { envoy, tulle }: Observations): boolean {
  if (envoy.reply.status !== 200 || tulle.reply.status !== 401 || tulle.seen.length > 0) return false;
  if (tokensOf(exchange) < 2) return false;
  const filter = (httpFilters?.[0]?.['typed_config'] ?? {}) as { readonly providers?: object };
  const providers = Object.values(filter.providers ?? {}) as readonly Provider[];
  return payloadsOf(exchange).some(({ iss, aud }) => {
    const audiences = providers.find(({ issuer }) => issuer === iss)?.audiences ?? [];
    return audiences.length > 0 && ![aud].flat().some((one) => audiences.includes(String(one)));
  });
}

interface Provider {
  readonly issuer: string;
  readonly audiences?: readonly string[];
}

/** Claims of each token of a request. */
function payloadsOf(exchange: Exchange): { readonly iss?: unknown; readonly aud?: unknown }[] {
  return [...JSON.stringify(exchange).matchAll(/eyJ[\w-]+\.(eyJ[\w-]+)\./g)].map(
    ([, payload = '']) =>
      JSON.parse(Buffer.from(payload, 'base64url').toString()) as { readonly iss?: unknown },
  );
}

/** How many tokens a request has, wherever; more than one way is none (RFC 6750 §2). */
function tokensOf(exchange: Exchange): number {
  return JSON.stringify(exchange).match(/eyJ[\w-]+\.eyJ[\w-]+\./g)?.length ?? 0;
}

/** Whether the first token of a request has more octets behind its signature. */
function isOverlong(exchange: Exchange): boolean {
  const [, header = '', signature = ''] =
    /(eyJ[\w-]+)\.[\w-]+\.([\w-]+)/.exec(JSON.stringify(exchange)) ?? [];
  return (
    Buffer.from(header, 'base64url').toString().includes('"alg":"ES256"') &&
    Buffer.from(signature, 'base64url').length > 64
  );
}

/** Whether one is a list of texts as base64url of JSON, and the other one its lines. */
function isList(encoded: string, lines: string): boolean {
  try {
    const list: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString());
    return Array.isArray(list) && list.join('\n') === lines;
  } catch {
    return false;
  }
}

/** A scheme in another case: Envoy finds no token, and refuses the request or leaves the field as it is; Tulle judges it. */
function explainsScheme(difference: Difference, { exchange, observations }: Pair): boolean {
  const given = asked(exchange, 'authorization');
  if (!given.startsWith('bearer ') || observations === undefined) return false;
  const { envoy, tulle } = observations;
  const isMissed =
    ['Jwt is missing', ''].includes(envoy.reply.body ?? '') ||
    envoy.seen[0]?.headers.some(([name, value]) => name === 'authorization' && value === given) === true;
  if (!isMissed) return false;
  if (tulle.seen.length > envoy.seen.length)
    return difference.aspect === 'reply.header.www-authenticate' || reachedOnlyAt('tulle', difference);
  if (tulle.seen.length < envoy.seen.length)
    return (
      tulle.reply.status === 401 &&
      (difference.aspect === 'reply.header.www-authenticate' || reachedOnlyAt('envoy', difference))
    );
  // Both refuse it, for not being there and for being no good; or both let it go on, once as a token.
  return (
    difference.aspect === 'reply.header.www-authenticate' ||
    (difference.aspect === 'reply.status' && envoy.reply.status === 401 && tulle.reply.status === 401) ||
    (tulle.reply.status === 200 && /^seen\[0\]\.header\.(authorization|x-.+)$/.test(difference.aspect))
  );
}
