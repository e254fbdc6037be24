import type { Chance } from '../chance.ts';
import type { Answer, Area, Configuration, Exchange, Json } from '../configuration.ts';
import { everyHost } from './vocabulary.ts';

/** What is tried again, how often, and what the caller then gets. */
export const retries: Area = {
  name: 'retries',
  short: 40,
  make(chance): Configuration {
    const policy = policyOf(chance);
    const inRoute = chance.maybe(0.8);
    const most = mostOfAll(policy);
    const timeout: Json = most !== undefined && chance.maybe(0.4) ? { timeout: most } : {};
    const cluster = chance.pick(['a', 'a', 'a', 'gone', 'h2']);
    return {
      routes: everyHost(
        [
          {
            match: { prefix: '/' },
            route: { cluster, ...timeout, ...(inRoute && { retry_policy: policy }) },
          },
        ],
        {
          ...(!inRoute && { retry_policy: policy }),
          ...(chance.maybe(0.4) && { include_request_attempt_count: true }),
          ...(chance.maybe(0.4) && { include_attempt_count_in_response: true }),
        },
      ),
      exchanges: Array.from({ length: 5 }, () => request(chance, policy)),
    };
  },
};

const CONDITIONS: readonly string[] = [
  '5xx',
  'gateway-error',
  'reset',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'reset-before-request',
];

function policyOf(chance: Chance): Json {
  return {
    retry_on: chance.sample(CONDITIONS, chance.int(1, 3)).join(','),
    ...(chance.maybe(0.8) && { num_retries: chance.int(0, 3) }),
    ...(chance.maybe(0.4) && { retriable_status_codes: chance.sample([404, 418, 500, 503], 2) }),
    ...(chance.maybe(0.3) && { retriable_headers: [{ name: 'x-again', string_match: { exact: 'yes' } }] }),
    ...(chance.maybe(0.15) && { retriable_request_headers: [{ name: 'x-may', present_match: true }] }),
    ...(chance.maybe(0.25) && { per_try_timeout: chance.pick(['0.1s', '0.2s']) }),
    ...(chance.maybe(0.1) && { per_try_idle_timeout: '0.15s' }),
    retry_back_off: { base_interval: '0.001s', max_interval: '0.002s' },
  };
}

/** How long all attempts may take together, so that none begins or ends about that time. */
function mostOfAll(policy: Json): string | undefined {
  const [whole, idle] = [policy['per_try_timeout'], policy['per_try_idle_timeout']];
  // Three and four short attempts stand too close to each other.
  if (whole === '0.1s') return undefined;
  if (idle !== undefined) return '0.25s';
  return whole === undefined ? undefined : '0.35s';
}

/** Whether attempts have an end of their own. */
function isBound(policy: Json): boolean {
  return policy['per_try_timeout'] !== undefined || policy['per_try_idle_timeout'] !== undefined;
}

function answerOf(chance: Chance, slow: boolean): Answer {
  return chance.pick<() => Answer>([
    () => ({ status: chance.pick([500, 502, 503, 504, 404, 409, 418, 429]) }),
    () => ({ status: chance.pick([500, 502, 503, 504]) }),
    () => ({ status: 200, headers: [['x-again', chance.pick(['yes', 'no'])]] }),
    () => ({ fault: chance.pick(['reset', 'end'] as const) }),
    () =>
      slow
        ? chance.pick<Answer>([
            { fault: 'silence' },
            { delayMs: 400 },
            { delayMs: 5, status: 503 },
            { stallMs: 400 },
          ])
        : { status: 503, body: 'x'.repeat(100) },
    () => ({}),
  ])();
}

function request(chance: Chance, policy: Json): Exchange {
  const slow = isBound(policy);
  const answers = Array.from({ length: chance.int(1, 4) }, () => answerOf(chance, slow));
  const method = chance.pick(['GET', 'GET', 'PUT', 'POST', 'HEAD', 'DELETE']);
  return {
    method,
    ...(chance.maybe(0.2) && { headers: [['x-may', '1']] as const }),
    ...(['PUT', 'POST'].includes(method) && { body: chance.pick(['', 'body', 'x'.repeat(5000)]) }),
    answers: { a: answers, h2: answers },
  };
}
