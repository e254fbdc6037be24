import type { Difference } from '../compare.ts';
import type { Exchange, Json, Named } from '../configuration.ts';
import { answerTo, reachedOnlyAt, routeAt } from '../expected.ts';
import type { Pair } from './pair.ts';
import { isRefused } from './whole.ts';

/** Explanation `authorization-as-said`. */
export function explainsAuthz(difference: Difference, pair: Pair): boolean {
  const { configuration, exchange, observations } = pair;
  const filter = JSON.stringify(configuration.httpFilters ?? '');
  if (!filter.includes('filters.http.ext_authz') || observations === undefined || exchange === undefined)
    return false;
  const { aspect, envoy, tulle } = difference;
  const name = /^seen\[\d+\]\.header\.(x-.+)$/.exec(aspect)?.[1];
  if (name !== undefined && tulle === '(none)' && isClaimed(configuration, name))
    if (envoy === allAsked(exchange, name)) return true;
  // Of several lines of one field Envoy keeps the last.
  if (name !== undefined && isClaimed(configuration, name)) {
    const said = (answerTo(exchange, 'd', 0).headers ?? []).flatMap(([one, value]) =>
      one === name ? [value] : [],
    );
    const [all, last] = [said.join('\n'), said.at(-1)];
    if (said.length > 1 && tulle === all && envoy === last) return true;
    // Once more where they are appended as well.
    if (said.length > 1 && tulle === `${all}\n${all}` && envoy === `${last}\n${all}`) return true;
  }
  // What a refusal says of its content is told without content too.
  if (aspect === 'reply.header.content-type' && envoy === '(none)' && observations.tulle.reply.body === '')
    return (
      answerTo(exchange, 'd', 0).headers?.some(
        ([one, value]) => one === 'content-type' && value === tulle,
      ) === true
    );
  // A body that comes in one frame Envoy cuts, whatever may be shown of it.
  const shown = shownBody(pair);
  return (
    exchange.protocol === 'http2' &&
    shown?.['allow_partial_message'] === false &&
    (exchange.body ?? '').length > Number(shown['max_request_bytes']) &&
    isRefused(observations.tulle, exchange, 413) &&
    (reachedOnlyAt('envoy', difference) || aspect.startsWith('reply.'))
  );
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

/** Whether authorization is to say a field: it is one that the called service gets of it. */
function isClaimed({ httpFilters }: Named, name: string): boolean {
  return (httpFilters ?? []).some(({ typed_config: config }) => {
    const service = (config as Json)['http_service'] as Json | undefined;
    const lists = (service?.['authorization_response'] ?? {}) as Readonly<
      Record<string, { readonly patterns?: readonly Json[] }>
    >;
    const patterns = ['allowed_upstream_headers', 'allowed_upstream_headers_to_append'].flatMap(
      (list) => lists[list]?.patterns ?? [],
    );
    return patterns.some(({ exact, prefix }) =>
      typeof exact === 'string' ? exact.toLowerCase() === name : name.startsWith(String(prefix)),
    );
  });
}

/** All that a request says by a field. */
function allAsked({ headers = [] }: Exchange, name: string): string {
  return headers
    .filter(([one]) => one === name)
    .map(([, value]) => value)
    .join('\n');
}
