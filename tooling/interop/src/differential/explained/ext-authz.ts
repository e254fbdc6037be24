import { type Difference, ordered } from '../compare.ts';
import type { Answer, Exchange, Json, Named } from '../configuration.ts';
import { answerTo, reachedOnlyAt, routeAt, routeOf } from '../expected.ts';
import type { Observations } from '../observe.ts';
import type { Pair } from './pair.ts';
import { isPassedOn, isRefused } from './whole.ts';

/** Explanation `authorization-as-said`. */
export function explainsAuthz(difference: Difference, pair: Pair): boolean {
  const { configuration, exchange, observations } = pair;
  const filter = JSON.stringify(configuration.httpFilters ?? '');
  if (!filter.includes('filters.http.ext_authz') || observations === undefined || exchange === undefined)
    return false;
  const { aspect, envoy, tulle } = difference;
  const answer = answerTo(exchange, 'd', 0);
  const [, at, name] = /^seen\[(\d+)\]\.header\.(x-.+)$/.exec(aspect) ?? [];
  if (name !== undefined && !isQuestion(observations, Number(at))) {
    const isSet = isListed(configuration, 'allowed_upstream_headers', name);
    const isAppended = isListed(configuration, 'allowed_upstream_headers_to_append', name);
    if (tulle === '(none)' && (isSet || isAppended) && envoy === allSaid(exchange, name)) return true;
    // Of several lines of one field that it sets Envoy keeps the last; once more where they are appended as well.
    const all = allSaid(answer, name);
    const last = all.split('\n').at(-1);
    const [theirs, ours] = isAppended ? [`${last}\n${all}`, `${all}\n${all}`] : [last, all];
    if (all !== last && isSet && envoy === theirs && tulle === ours) return true;
  }
  if (isAskedWithoutRoute(pair, exchange, answer))
    return (
      aspect.startsWith('seen') ||
      observations.envoy.reply.status !== observations.tulle.reply.status ||
      isToldOnSuccess(difference, configuration, answer)
    );
  // What a refusal says of its content is told without content too.
  if (aspect === 'reply.header.content-type' && envoy === '(none)' && observations.tulle.reply.body === '')
    return (
      (exchange.method === 'HEAD' || (answer.body ?? '') === '') &&
      isRefusalOf(observations, answer) &&
      tulle === allSaid(answer, 'content-type')
    );
  if (
    isLedOn(pair, exchange, answer) &&
    /^(reply\.(body|header\.(x-origin|content-length|transfer-encoding))$|seen\[)/.test(aspect)
  )
    return true;
  // A body that comes in one frame Envoy cuts, whatever may be shown of it.
  const shown = shownBody(pair);
  const { body = '' } = exchange;
  const most = Number(shown?.['max_request_bytes']);
  const question = observations.envoy.seen.find(({ origin }) => origin === 'd');
  return (
    exchange.protocol === 'http2' &&
    shown?.['allow_partial_message'] === false &&
    body.length > most &&
    (question === undefined ? isUnreachable(configuration) : question.body === body.slice(0, most)) &&
    isRefused(observations.tulle, exchange, 413) &&
    (reachedOnlyAt('envoy', difference) || aspect.startsWith('reply.'))
  );
}

/**
 * Whether authorization is asked of a request that no route takes, which Envoy answers with 404 without asking: whoever is refused is
 * not told what there is, whoever is let in gets the 404.
 */
function isAskedWithoutRoute(
  { configuration, observations }: Pair,
  exchange: Exchange,
  answer: Answer,
): boolean {
  const { envoy, tulle } = observations ?? {};
  if (envoy === undefined || tulle === undefined || envoy.reply.status === undefined) return false;
  if (routeOf(configuration, exchange) !== undefined || envoy.seen.length > 0) return false;
  if (isUnreachable(configuration))
    return (
      tulle.seen.length === 0 &&
      tulle.reply.status === 403 &&
      filterOf(configuration)['failure_mode_allow'] !== true
    );
  return (
    tulle.seen.length === 1 &&
    tulle.seen[0]?.origin === 'd' &&
    tulle.reply.status === ((answer.status ?? 200) === 200 ? envoy.reply.status : answer.status)
  );
}

/** Whether the caller is told what authorization says to whom it lets in. */
function isToldOnSuccess(
  { aspect, envoy, tulle }: Difference,
  configuration: Named,
  answer: Answer,
): boolean {
  const [, name] = /^reply\.header\.(x-.+)$/.exec(aspect) ?? [];
  return (
    name !== undefined &&
    envoy === '(none)' &&
    (answer.status ?? 200) === 200 &&
    isListed(configuration, 'allowed_client_headers_on_success', name) &&
    tulle === allSaid(answer, name)
  );
}

/** What authorization's filter says, wherever in the chain it stands. */
function filterOf({ httpFilters = [] }: Named): Json {
  const found = httpFilters.find(({ name }) => name === 'envoy.filters.http.ext_authz');
  return typedConfig(found?.['typed_config']);
}

/**
 * Whether a route is looked for again after authorization added a field, which Envoy's documentation says of any (`clear_route_cache`),
 * and which it does where one is set or taken away: Tulle goes to `b`, whose route asks for the field.
 */
function isLedOn({ configuration, observations }: Pair, exchange: Exchange, answer: Answer): boolean {
  const { headers: said = [], status = 200 } = answer;
  const added = said.filter(([name]) => isListed(configuration, 'allowed_upstream_headers_to_append', name));
  const { envoy, tulle } = observations ?? {};
  return (
    tulle !== undefined &&
    status === 200 &&
    typedConfig(configuration.httpFilters?.[0]?.['typed_config'])['clear_route_cache'] === true &&
    added.some(([name, value]) => name === 'x-user' && value === 'alice') &&
    !said.some(([name]) => isListed(configuration, 'allowed_upstream_headers', name)) &&
    envoy?.seen.some(({ origin }) => origin === 'a' || origin === 'h2') === true &&
    isPassedOn(
      {
        ...tulle,
        // What authorization says to the caller, too, is compared for itself.
        reply: {
          ...tulle.reply,
          headers: tulle.reply.headers?.filter(([name]) => !said.some(([one]) => one === name)) ?? [],
        },
        seen: tulle.seen.filter(({ origin }) => origin !== 'd'),
      },
      { ...exchange, headers: [...(exchange.headers ?? []), ...added] },
      { origin: 'b' },
    )
  );
}

/** Whether authorization is at a cluster that has nobody. */
function isUnreachable({ httpFilters }: Named): boolean {
  return JSON.stringify(httpFilters ?? '').includes('"cluster":"gone"');
}

/** What may be shown of a request's body: by the route of `/free`, or by the filter. */
function shownBody({ configuration, exchange }: Pair): Json | undefined {
  const own = typedConfig(
    (routeAt(configuration, '0/0')['typed_per_filter_config'] as Json | undefined)?.[
      'envoy.filters.http.ext_authz'
    ],
  )['check_settings'] as Json | undefined;
  const ofRoute = exchange?.path?.startsWith('/free') === true ? own?.['with_request_body'] : undefined;
  return (ofRoute ?? typedConfig(configuration.httpFilters?.[0]?.['typed_config'])['with_request_body']) as
    | Json
    | undefined;
}

const typedConfig = (value: unknown): Json => (value ?? {}) as Json;

/** Whether what origins saw at a place is what authorization was asked, at either side. */
function isQuestion({ envoy, tulle }: Observations, at: number): boolean {
  return [envoy, tulle].some(({ seen }) => ordered(seen)[at]?.origin === 'd');
}

/** Whether the answer of both sides is the refusal that authorization answers with, and no origin saw more. */
export function isRefusalOf({ envoy, tulle }: Observations, { status = 200 }: Answer): boolean {
  return [envoy, tulle].every(
    ({ reply, seen }) => reply.status === status && seen.every(({ origin }) => origin === 'd'),
  );
}

/** Whether a field of what authorization answers is in a list: of those that the called service gets, or the caller. */
export function isListed(
  { httpFilters }: Named,
  by:
    | 'allowed_upstream_headers'
    | 'allowed_upstream_headers_to_append'
    | 'allowed_client_headers'
    | 'allowed_client_headers_on_success',
  name: string,
): boolean {
  return (httpFilters ?? []).some(({ typed_config: config }) => {
    const service = (config as Json)['http_service'] as Json | undefined;
    const lists = (service?.['authorization_response'] ?? {}) as Readonly<
      Record<string, { readonly patterns?: readonly Json[] }>
    >;
    return (lists[by]?.patterns ?? []).some(({ exact, prefix, ignore_case: ignored }) =>
      typeof exact === 'string'
        ? (ignored === true ? exact.toLowerCase() : exact) === name
        : name.startsWith(String(prefix)),
    );
  });
}

/** All that a message says by a field. */
function allSaid({ headers = [] }: Exchange | Answer, name: string): string {
  return headers
    .filter(([one]) => one === name)
    .map(([, value]) => value)
    .join('\n');
}
