import type { Chance } from '../chance.ts';
import type { Answer, Area, Configuration, Exchange, Json } from '../configuration.ts';
import { everyHost } from './vocabulary.ts';

/** How long is waited, for whom and from when on, and what then is said. */
export const timeouts: Area = {
  name: 'timeouts',
  short: 20,
  make(chance): Configuration {
    const route: Json = { cluster: chance.pick(['a', 'a', 'h2']), ...boundsOf(chance) };
    return {
      manager: {
        ...(chance.maybe(0.2) && { stream_idle_timeout: chance.pick(['0.3s', '0s']) }),
        ...(chance.maybe(0.2) && { request_timeout: '0.3s' }),
        ...(chance.maybe(0.15) && {
          common_http_protocol_options: { max_stream_duration: chance.pick(['0.3s', '0s']) },
        }),
      },
      routes: everyHost([{ match: { prefix: '/' }, route }]),
      exchanges: Array.from({ length: 4 }, () => request(chance)),
    };
  },
};

/** Milliseconds after which the short bounds have passed, and the long ones have not. */
const LATE_MS = 650;

function boundsOf(chance: Chance): Json {
  return chance.pick<() => Json>([
    () => ({ timeout: '0.3s' }),
    () => ({ timeout: '0s' }),
    () => ({}),
    () => ({ timeout: chance.pick(['0s', '0.3s', '2s']), idle_timeout: chance.pick(['0.3s', '0s', '2s']) }),
    () => ({
      timeout: chance.pick(['0s', '0.3s', '2s']),
      max_stream_duration: {
        ...(chance.maybe(0.8) && { max_stream_duration: chance.pick(['0.3s', '0s', '2s']) }),
      },
    }),
    () => ({
      timeout: chance.pick(['0.3s', '2s', '0s']),
      retry_policy: {
        retry_on: chance.pick(['5xx', 'gateway-error', 'reset', 'connect-failure']),
        num_retries: chance.int(1, 2),
        // No attempt begins about when another bound passes.
        ...(chance.maybe(0.8) && { per_try_timeout: chance.pick(['0.1s', '0.2s']) }),
        ...(chance.maybe(0.3) && { per_try_idle_timeout: chance.pick(['0.18s', '2s']) }),
        retry_back_off: { base_interval: '0.001s' },
      },
    }),
  ])();
}

function request(chance: Chance): Exchange {
  const late = chance.maybe(0.5);
  const held = chance.maybe(0.5);
  const answer: Answer = late
    ? chance.pick<Answer>([{ delayMs: LATE_MS }, { delayMs: LATE_MS }, { stallMs: LATE_MS }])
    : chance.pick<Answer>([{}, { delayMs: 20 }, { status: 503, delayMs: 20 }, { stallMs: 20 }]);
  const body = { method: 'POST', body: 'x'.repeat(chance.int(2, 3000)) };
  return {
    ...chance.pick<Partial<Exchange>>([
      {},
      {},
      { method: chance.pick(['HEAD', 'PUT', 'DELETE']) },
      body,
      // Between the halves of a request one bound runs, and another not yet.
      { ...body, pauseMs: held && !late ? LATE_MS : 40, chunked: chance.maybe(0.5) },
    ]),
    ...(chance.maybe(0.1) && { headers: [['x-envoy-upstream-rq-timeout-ms', '100']] as const }),
    answers: { a: [answer], h2: [answer] },
    took: { from: 0, to: 1_900 },
  };
}
