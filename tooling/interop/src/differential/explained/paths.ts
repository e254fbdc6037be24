import { normalizePath } from '@tulle/match';
import type { Difference } from '../compare.ts';
import type { Exchange, Json, Named } from '../configuration.ts';
import { fitsInOneSpelling, routeAt, told } from '../expected.ts';
import type { Observation } from '../observe.ts';
import type { Pair } from './pair.ts';
import { isAnswered, isPassedOn, isRefused } from './whole.ts';

/** Explanation `one-spelling-of-patterns`: Tulle takes a route of which the pattern fits, and all else is as that route has it. */
export function explainsSpelling(_: Difference, { configuration, exchange, observations }: Pair): boolean {
  if (observations === undefined || exchange === undefined) return false;
  const [envoy, tulle] = [told(observations.envoy, 'x-route'), told(observations.tulle, 'x-route')];
  if (tulle === undefined || tulle === envoy) return false;
  return (
    fitsInOneSpelling(configuration, tulle, exchange.path ?? '/') &&
    isAsRouted(observations.tulle, exchange, configuration, tulle)
  );
}

function isAsRouted(tulle: Observation, exchange: Exchange, configuration: Named, mark: string): boolean {
  const { route, direct_response: direct } = routeAt(configuration, mark) as {
    readonly route?: Json;
    readonly direct_response?: { readonly status: number; readonly body: { readonly inline_string: string } };
  };
  if (direct !== undefined) return isAnswered(tulle, exchange, direct.status, direct.body.inline_string);
  return isPassedOn(tulle, exchange, { origin: String(route?.['cluster']) });
}

/** Explanation `asterisk-form`. */
export function explainsAsterisk(_: Difference, { configuration, exchange, observations }: Pair): boolean {
  if (exchange?.path !== '*' || observations?.envoy.reply.status !== 404) return false;
  const mark = told(observations.tulle, 'x-route') ?? '';
  const action = (routeAt(configuration, `0/${mark}`)?.['route'] ?? {}) as Json;
  return isPassedOn(observations.tulle, exchange, {
    origin: String(action['cluster']),
    path: '*',
    isRehosted: Object.keys(action).some((key) => /host/.test(key)),
  });
}

/** Whether a path can be read in two ways. */
function isAmbiguous(path: string): boolean {
  return (
    normalizePath(path) === '' ||
    (/%2f|%5c|\\/i.test(path) && /\.|%2e/i.test(path)) ||
    /%(?![0-9a-f]{2})/i.test(path)
  );
}

/** Explanation `ambiguous-paths`. */
export function explainsAmbiguous(_: Difference, { exchange, observations }: Pair): boolean {
  return (
    exchange?.path !== undefined &&
    observations !== undefined &&
    isAmbiguous(exchange.path.replace(/[?].*$/, '')) &&
    isRefused(observations.tulle, exchange, 400)
  );
}
