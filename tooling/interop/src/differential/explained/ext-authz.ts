import type { Difference } from '../compare.ts';
import type { Json } from '../configuration.ts';
import { asked, reachedOnlyAt } from '../expected.ts';
import type { Pair } from './pair.ts';
import { isRefused } from './whole.ts';

/** Explanation `authorization-as-said`. */
export function explainsAuthz(difference: Difference, pair: Pair): boolean {
  const { configuration, exchange, observations } = pair;
  const filter = JSON.stringify(configuration.httpFilters ?? '');
  if (!filter.includes('filters.http.ext_authz') || observations === undefined || exchange === undefined)
    return false;
  const { aspect, envoy, tulle } = difference;
  const name = /^seen\[\d+\]\.header\.(x-(?:one|user|two))$/.exec(aspect)?.[1];
  if (name !== undefined && tulle === '(none)' && /"allowed_upstream_headers[a-z_]*"/.test(filter))
    if (envoy === asked(exchange, name)) return true;
  // A body that comes in one frame Envoy cuts, whatever may be shown of it.
  const [shown] = (configuration.httpFilters ?? []).map(
    ({ typed_config: config }) => (config as Json)['with_request_body'] as Json | undefined,
  );
  return (
    exchange.protocol === 'http2' &&
    shown?.['allow_partial_message'] === false &&
    (exchange.body ?? '').length > Number(shown['max_request_bytes']) &&
    isRefused(observations.tulle, exchange, 413) &&
    (reachedOnlyAt('envoy', difference) || aspect.startsWith('reply.'))
  );
}
