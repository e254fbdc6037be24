import { differencesOf } from '../compare.ts';
import type { Configuration, Exchange } from '../configuration.ts';
import type { Observation } from '../observe.ts';
import type { Seen } from '../origins.ts';
import { judged } from '../run.ts';

/** Observations for the specs of what is explained. */

/** A request as an origin sees it. */
export const seen = (more: Partial<Seen> = {}): Seen => ({
  origin: 'a',
  version: '1.1',
  method: 'GET',
  path: '/',
  host: 'one.test',
  headers: [],
  body: '',
  trailers: [],
  ...more,
});
/** An answer, and what origins saw. */
export const observed = (
  status: number,
  requests: readonly Seen[] = [],
  headers: Record<string, string> = {},
  body = '',
): Observation => ({
  tookMs: 1,
  seen: requests,
  reply: {
    outcome: 'answered',
    status,
    headers: Object.entries({ server: 'envoy', date: 'Thu, 26 Nov 2026 10:00:17 GMT', ...headers }),
    body,
    fate: 'open',
  },
});
const ports = { listener: 40_001, origins: new Map<string, number>() };

/** Aspects in which two observations differ without an explanation, and what explains the others. */
export function judge(
  envoy: Observation,
  tulle: Observation,
  exchange: Exchange,
  configuration: Omit<Configuration, 'exchanges'> = {},
): { left: string[]; by: string[] } {
  const observations = { envoy, tulle };
  const differences = differencesOf(observations, exchange, { envoy: ports, tulle: ports });
  if (differences.length === 0) throw new Error('the two observations do not differ');
  const named = { id: 'spec/1/0', ...configuration, exchanges: [exchange] };
  const { left, used } = judged({ configuration: named, exchange, observations, differences });
  return { left: left.map(({ aspect }) => aspect), by: [...used] };
}

/** As a proxy passes it on, and as the origin answers. */
export const passed = (
  exchange: Exchange,
  more: Partial<Seen> = {},
  headers: Record<string, string> = {},
): Observation => {
  const { method = 'GET', path = '/', headers: given = [], body = '' } = exchange;
  const one = seen({
    method,
    path,
    body,
    headers: [
      ...given,
      ['x-request-id', '00000000-0000-4000-8000-000000000001'],
      ['x-forwarded-proto', 'http'],
    ],
    ...more,
  });
  return observed(
    200,
    [one],
    { 'x-origin': one.origin, ...headers },
    method === 'HEAD' ? '' : `${one.origin}\n`,
  );
};

/** The text of a refusal of Tulle's. */
export const OWN = 'TULLE_PATH_AMBIGUOUS (request 00000000-0000-4000-8000-000000000001)\n';
/** As Tulle's proxy refuses it. */
export const refused = (status: number, headers: Record<string, string> = {}): Observation =>
  observed(status, [], { 'content-type': 'text/plain; charset=utf-8', ...headers }, OWN);
