import type { Chance } from '../chance.ts';
import type { Answer, Area, Configuration, Exchange, Json } from '../configuration.ts';
import { everyHost } from './vocabulary.ts';

/** How long is waited, and what then is said. */
export const timeouts: Area = {
  name: 'timeouts',
  short: 20,
  make(chance): Configuration {
    const route: Json = {
      cluster: chance.pick(['a', 'a', 'h2']),
      ...chance.pick<Json>([
        { timeout: '0.3s' },
        { timeout: '0s' },
        { timeout: '0s', idle_timeout: '0.3s' },
        { timeout: '0s', max_stream_duration: { max_stream_duration: '0.3s' } },
        {
          timeout: '0.3s',
          retry_policy: {
            retry_on: '5xx',
            num_retries: 1,
            per_try_timeout: '0.1s',
            retry_back_off: { base_interval: '0.001s' },
          },
        },
        {
          timeout: '2s',
          retry_policy: {
            retry_on: 'gateway-error',
            num_retries: 1,
            per_try_timeout: '0.2s',
            retry_back_off: { base_interval: '0.001s' },
          },
        },
        {},
      ]),
    };
    return {
      ...(chance.maybe(0.2) && { manager: { stream_idle_timeout: '0.3s' } }),
      ...(chance.maybe(0.2) && { manager: { request_timeout: '0.3s' } }),
      routes: everyHost([{ match: { prefix: '/' }, route }]),
      exchanges: Array.from({ length: 4 }, () => request(chance)),
    };
  },
};

function request(chance: Chance): Exchange {
  const late = chance.maybe(0.5);
  const answer: Answer = late
    ? { delayMs: 700 }
    : chance.pick<Answer>([{}, { delayMs: 20 }, { status: 503, delayMs: 20 }]);
  return {
    ...(chance.maybe(0.3) && { method: 'POST', body: 'body' }),
    ...(chance.maybe(0.1) && { headers: [['x-envoy-upstream-rq-timeout-ms', '100']] as const }),
    answers: { a: [answer], h2: [answer] },
    took: { from: 0, to: late ? 1_500 : 600 },
  };
}
