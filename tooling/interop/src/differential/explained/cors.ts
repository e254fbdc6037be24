import type { Difference } from '../compare.ts';
import type { Exchange, Json } from '../configuration.ts';
import { asked, hostPolicy, ownPolicy, routeOf, told } from '../expected.ts';
import type { Pair } from './pair.ts';
import { isPassedOn } from './whole.ts';

/** What an origin may say itself of who may read its answer. */
const OWN_ORIGIN = 'https://origin.test';
const CORS = 'envoy.filters.http.cors';
const PREFLIGHT_VARY = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

/** Whether a text is no origin as browsers write it (Fetch, serialised origins), or that of nobody in particular. */
const isNone = (origin: string): boolean => /^null$|[A-Z]/.test(origin);

/** Explanation `cors-answers`. */
export function explainsCors(difference: Difference, pair: Pair): boolean {
  const { configuration, exchange, observations } = pair;
  if (exchange === undefined || observations === undefined) return false;
  if (!JSON.stringify(configuration.httpFilters ?? '').includes(CORS)) return false;
  const { aspect, envoy, tulle } = difference;
  const origin = asked(exchange, 'origin');
  if (isNone(origin) && explainsNone(difference, pair)) return true;
  const isPreflight =
    exchange.method === 'OPTIONS' && origin !== '' && asked(exchange, 'access-control-request-method') !== '';
  const field = /^reply\.header\.(access-control-.+|vary)$/.exec(aspect)?.[1];
  // What Tulle answers to a preflight is without content.
  if (field === undefined)
    return (
      isPreflight &&
      observations.tulle.seen.length + observations.envoy.seen.length === 0 &&
      ((aspect === 'reply.status' && envoy === '200' && tulle === '204') ||
        (aspect === 'reply.header.content-length' && envoy === '0' && tulle === '(none)'))
    );
  // Policies hold where a route answers itself, too, which Envoy leaves alone.
  const answered = policyOfAnswer(pair);
  if (answered !== undefined && envoy === '(none)' && field !== 'vary') {
    if (!isListedIn(answered, origin)) return false;
    if (field === 'access-control-allow-origin') return tulle === origin;
    if (field === 'access-control-allow-methods') return isPreflight && tulle === answered['allow_methods'];
  }
  if (field === 'vary') return envoy === '(none)' && tulle === (isPreflight ? PREFLIGHT_VARY : 'Origin');
  // An origin that is not listed is told nothing else either.
  const isListed = [observations.envoy, observations.tulle].some(
    (one) => told(one, 'access-control-allow-origin') !== undefined,
  );
  if (!isListed) return isPreflight && tulle === '(none)';
  return explainsField(field, envoy, tulle, exchange, isPreflight);
}

/** The policy in force where the request's route is a redirect or a direct response; `undefined`: there is none, or it is neither. */
function policyOfAnswer({ configuration, exchange }: Pair): Json | undefined {
  const route = routeOf(configuration, exchange ?? {});
  if (route === undefined || (route['redirect'] ?? route['direct_response']) === undefined) return undefined;
  const own = (route['typed_per_filter_config'] as Json | undefined)?.[CORS] as Json | undefined;
  const ofTable = (configuration.routes?.['typed_per_filter_config'] as Json | undefined)?.[CORS];
  return own ?? hostPolicy(configuration, CORS) ?? (ofTable as Json | undefined);
}

function isListedIn(policy: Json, origin: string): boolean {
  const listed = (policy['allow_origin_string_match'] ?? []) as readonly Json[];
  return listed.some(({ exact }) => exact === origin);
}

function explainsField(
  field: string,
  envoy: string,
  tulle: string,
  exchange: Exchange,
  isPreflight: boolean,
): boolean {
  const wanted = (name: string): string => asked(exchange, `access-control-request-${name}`);
  switch (field) {
    case 'access-control-allow-origin':
      // What the service says itself is removed where a policy is in force.
      return (
        (tulle === '*' && envoy === asked(exchange, 'origin')) ||
        (!isPreflight && envoy === OWN_ORIGIN && tulle === '(none)')
      );
    case 'access-control-allow-methods':
      return tulle === '*' && envoy === wanted('method');
    case 'access-control-allow-headers':
      // Of no fields Envoy gives back an empty list.
      return envoy === wanted('headers') && (tulle === '*' || (envoy === '' && tulle === '(none)'));
    case 'access-control-max-age':
      return envoy === '(none)' && tulle === '5';
    case 'access-control-expose-headers':
      return isPreflight && tulle === '(none)';
    default:
      return false;
  }
}

/** Who has no origin is not listed: told nothing, and his preflight is the service's where the policy leaves those to it. */
function explainsNone({ aspect, envoy, tulle }: Difference, pair: Pair): boolean {
  const { configuration, exchange, observations } = pair as Required<Pair>;
  if (aspect.startsWith('reply.header.access-control-') && envoy !== '(none)')
    if (tulle === '(none)' || tulle === OWN_ORIGIN) return true;
  const policy = ownPolicy(configuration, exchange, CORS) ?? hostPolicy(configuration, CORS);
  if (exchange.method !== 'OPTIONS' || observations.envoy.seen.length > 0) return false;
  if (policy?.['forward_not_matching_preflights'] === false) return false;
  // The origin says of its own who may read it, which stays.
  const { reply } = observations.tulle;
  const plain = {
    ...observations.tulle,
    reply: {
      ...reply,
      headers: (reply.headers ?? []).filter(
        ([name, value]) => !(name === 'access-control-allow-origin' && value === OWN_ORIGIN),
      ),
    },
  };
  const origins = exchange.path === '/own' ? ['a', 'h2'] : ['b'];
  return origins.some((origin) => isPassedOn(plain, exchange, { origin }));
}
