import type { Headers } from '@tulle/filter';
import type { MatchView } from '@tulle/match';
import type { CompiledRoute, HttpChain } from '../compile/compiled.ts';
import { describeCookie, describeMatch, describePath, describeValue } from './describe.ts';
import type { Reason } from './explanation.ts';

/** Routes listed that did not match; of more only the number is told. */
const MAX_ROUTES_LISTED = 20;

/** What the matcher looked at. Headers are those of an imagined request; of a real one they are not kept. */
export interface Matched {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly query: string | undefined;
  readonly headers: Headers | undefined;
}

const NO_HEADERS: Headers = Object.freeze({
  length: 0,
  name: () => '',
  rawName: () => '',
  value: () => '',
  get: () => undefined,
  getAll: () => [],
  has: () => false,
  forEach: () => {},
});

/** Which route was taken and why not another. */
export function explainRoute(chain: HttpChain, route: CompiledRoute | undefined, matched: Matched): Reason {
  const view: MatchView = { ...matched, headers: matched.headers ?? NO_HEADERS };
  const trials = chain.matcher.explain(view, route);
  if (trials === undefined)
    return {
      site: 'route',
      subject: '',
      outcome: 'none',
      reason: 'no-virtual-host',
      detail: `no virtual host of the listener has the authority ${matched.authority}`,
    };
  const at = trials.findIndex(({ payload }) => payload === route);
  const others = trials.flatMap(({ payload, failed, condition }, index): Reason[] => {
    if (payload === route) return [];
    const why = (reason: string, detail: string): Reason[] => [
      { site: 'route', subject: payload.name, outcome: 'not matched', reason, detail },
    ];
    const { match } = payload;
    if (failed === 'path') return why('path', `${matched.path} does not fulfil ${describePath(match.path)}`);
    if (failed === 'method') return why('method', `${matched.method} is not ${match.method ?? ''}`);
    if (at >= 0 && index > at)
      return why('later', `comes after ${route?.name ?? ''}, and the first that matches wins`);
    if (matched.headers === undefined)
      return why(
        'condition',
        `path and method fit, so a header, query or cookie condition did not hold: ${describeMatch(match)}`,
      );
    if (failed === 'grpc')
      return why('grpc', 'is for gRPC requests only, whose content-type is application/grpc');
    if (failed === 'peer')
      return why('peer', `is for callers ${match.provenPeer === true ? 'with' : 'without'} a certificate`);
    if (failed === 'metadata')
      return why(
        'metadata',
        `asks for metadata at ${[match.metadata?.[condition]?.namespace, ...(match.metadata?.[condition]?.path ?? [])].join(':')}, which filters did not find so`,
      );
    if (failed === 'filter state')
      return why(
        'filter state',
        `asks for filter state at ${match.filterState?.[condition]?.key ?? ''}, which filters did not put down so`,
      );
    if (failed === 'share')
      return why('share', `takes ${match.percent ?? 100} % of the requests, not this one`);
    const cookie = failed === 'cookie' ? match.cookies?.[condition] : undefined;
    if (cookie !== undefined) return why('cookie', `cookie ${describeCookie(cookie)} does not hold`);
    const conditions = failed === 'header' ? match.headers : match.query;
    const failedOne = conditions?.[condition];
    return why(
      failed ?? '',
      failedOne === undefined ? '' : `${failed ?? ''} ${describeValue(failedOne)} does not hold`,
    );
  });
  // Those that came near are told first where there are too many.
  const near = others.filter(({ reason }) => reason !== 'path');
  const listed = others.length <= MAX_ROUTES_LISTED ? others : near.slice(0, MAX_ROUTES_LISTED);
  const left = others.length - listed.length;
  const host = trials[0]?.payload.virtualHost ?? '';
  return {
    site: 'route',
    subject: route?.name ?? '',
    outcome: route === undefined ? 'none' : 'matched',
    reason: route === undefined ? 'no-route' : 'first-match',
    detail: `${route === undefined ? '' : `${describeMatch(route.match)}; `}virtual host ${host}${left > 0 ? `; ${left} more routes do not match` : ''}`,
    ...(listed.length > 0 ? { children: listed } : {}),
  };
}
