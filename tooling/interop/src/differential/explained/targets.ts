import type { Difference } from '../compare.ts';
import type { Exchange, Json } from '../configuration.ts';
import { asked, routeTaken } from '../expected.ts';
import type { Pair } from './pair.ts';
import { canonical, isPassedOn } from './whole.ts';

/** Explanation `valid-targets`: what comes of a request's target, and of its host. */
export function explainsTarget({ aspect, envoy, tulle }: Difference, pair: Pair): boolean {
  const { exchange = {}, observations } = pair;
  if (/^seen\[\d+\]\.host$/.test(aspect) && envoy.toLowerCase().replace(/:$/, '') === tulle) return true;
  if (/^seen\[\d+\]\.path$/.test(aspect)) {
    if (canonical(envoy) === tulle) return true;
    const { path = '/' } = exchange;
    const bare = path.replace(/^[^?]*/, '/');
    if (leftOf(pair, path) === '' && tulle === bare && (`/${envoy}` === bare || envoy === canonical(path)))
      return true;
  }
  if (isNamedByPath(pair) && observations?.envoy.seen[0]?.host.startsWith('/') === true)
    return (
      (/^seen\[\d+\]\.host$/.test(aspect) && tulle === hostAsked(pair)) ||
      (/^seen\[\d+\]\.header\.x-forwarded-host$/.test(aspect) &&
        tulle === (asked(exchange, 'x-forwarded-host') || '(none)'))
    );
  return isSentValid(exchange, pair);
}

/**
 * What a rewrite that takes away what it matches leaves of a target's path; `undefined`: there is no such rewrite, or nothing that it
 * matches.
 */
function leftOf({ configuration }: Pair, target: string): string | undefined {
  const [path = ''] = canonical(target).split('?', 1);
  const routes = JSON.stringify(configuration.routes ?? '');
  return [...routes.matchAll(/"regex":("(?:[^"\\]|\\.)*")\},"substitution":""/g)]
    .map(([, regex = '""']) => path.replaceAll(new RegExp(JSON.parse(regex) as string, 'g'), ''))
    .find((left) => left !== path);
}

/** Whether a route makes a host of the path. */
function isNamedByPath({ configuration }: Pair): boolean {
  return JSON.stringify(configuration.routes ?? '').includes('"host_rewrite_path_regex"');
}

/** Whether no pattern that makes a host of a path finds one in it. */
function isNameless({ configuration }: Pair, target: string): boolean {
  const [path = ''] = target.split('?', 1);
  const routes = JSON.stringify(configuration.routes ?? '');
  const patterns = [
    ...routes.matchAll(/"host_rewrite_path_regex":\{"pattern":\{"regex":("(?:[^"\\]|\\.)*")/g),
  ].map(([, regex = '""']) => new RegExp(JSON.parse(regex) as string));
  return patterns.length > 0 && patterns.every((pattern) => !pattern.test(path));
}

/** An origin does not take what Envoy makes of a target; Tulle sends it with its slash, or with the host that was asked for. */
function isSentValid(exchange: Exchange, pair: Pair): boolean {
  const { envoy, tulle } = pair.observations ?? {};
  const origin = tulle?.seen[0]?.origin;
  if (envoy === undefined || tulle === undefined || origin === undefined) return false;
  const path = canonical(exchange.path ?? '/');
  const [one, ...more] = envoy.seen;
  const left = leftOf(pair, path);
  if (left !== undefined && envoy.reply.status === 503 && one?.fault !== undefined && more.length === 0)
    return (
      /^[^/]/.test(left) &&
      isPassedOn(tulle, exchange, {
        origin,
        path: path.replace(/^[^?]*/, () => `/${left}`),
        isRehosted: true,
      })
    );
  // No name comes of a path in which there is none: all of it is left, with its slash.
  return (
    isNamedByPath(pair) &&
    isNameless(pair, path) &&
    envoy.reply.status === 502 &&
    one === undefined &&
    isPassedOn(tulle, exchange, { origin, path: rewritten(pair, path) })
  );
}

/** What the route of a target makes of the prefix that it fits, which its host does not depend on. */
function rewritten({ configuration }: Pair, target: string): string {
  const [path = ''] = target.split('?', 1);
  const { match, route } = routeTaken(configuration, path) as { readonly [name: string]: Json | undefined };
  const [prefix, by] = [match?.['prefix'], route?.['prefix_rewrite']];
  return typeof prefix === 'string' && typeof by === 'string'
    ? canonical(by + target.slice(prefix.length))
    : target;
}

/** The host that a request asks for, as its manager leaves it. */
function hostAsked({ configuration, exchange }: Pair): string {
  const host = (exchange?.host ?? 'one.test').toLowerCase();
  return configuration.manager?.['strip_any_host_port'] === true ? host.replace(/:\d+$/, '') : host;
}
