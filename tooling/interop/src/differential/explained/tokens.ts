import type { Difference } from '../compare.ts';
import { asked, reachedOnlyAt } from '../expected.ts';
import type { Exchange } from '../configuration.ts';
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
  if (isForOthers(filter, exchange, observations))
    return aspect === 'reply.header.www-authenticate' || reachedOnlyAt('envoy', difference);
  return explainsScheme(difference, { configuration, exchange, observations, differences: [] });
}

/**
 * The requirement names audiences, and the token is for one of these and none of its provider's: Tulle asks for both, Envoy for
 * what the requirement says alone.
 */
function isForOthers(filter: string, exchange: Exchange, { envoy, tulle }: Observations): boolean {
  if (!filter.includes('"provider_and_audiences"') || envoy.reply.status !== 200) return false;
  if (tulle.reply.status !== 401 || tulle.seen.length > 0) return false;
  const payload = /eyJ[\w-]+\.([\w-]+)\./.exec(JSON.stringify(exchange))?.[1] ?? '';
  const { aud } = JSON.parse(Buffer.from(payload, 'base64url').toString() || '{}') as {
    readonly aud?: unknown;
  };
  const audiences = [aud].flat();
  // Of the first provider, whose audiences requirements name.
  const given = /"one":\{.*?"audiences":(\[[^\]]*\]).*?"two":\{/.exec(filter)?.[1];
  return (
    given !== undefined &&
    audiences.includes('admins') &&
    !(JSON.parse(given) as readonly unknown[]).some((one) => audiences.includes(one))
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
    envoy.reply.body === 'Jwt is missing' ||
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
