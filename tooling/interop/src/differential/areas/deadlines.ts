import type { Chance } from '../chance.ts';
import type { Answer, Area, Configuration, Exchange, Field, Json } from '../configuration.ts';
import { everyHost } from './vocabulary.ts';

/** Calls of gRPC: how long they may take by what they say themselves and what routes make of it, and how they are refused. */
export const deadlines: Area = {
  name: 'deadlines',
  short: 15,
  make(chance): Configuration {
    return {
      routes: everyHost([
        { match: { prefix: '/gone' }, route: { cluster: 'gone' } },
        { match: { prefix: '/said' }, direct_response: { status: chance.pick([200, 403, 404, 429, 503]) } },
        { match: { prefix: '/', grpc: {} }, route: { cluster: 'h2', ...boundsOf(chance) } },
      ]),
      exchanges: Array.from({ length: 6 }, () => call(chance)),
    };
  },
};

/** Milliseconds after which the short bounds have passed, and the long ones have not. */
const LATE_MS = 650;

/** Of what a call says itself a route always says what it makes of it: where it does not, Tulle lets it hold and Envoy does not. */
function boundsOf(chance: Chance): Json {
  const most = chance.pick(['0s', '0.3s', '2s']);
  return chance.pick<() => Json>([
    () => ({
      max_stream_duration: {
        grpc_timeout_header_max: most,
        // Shorter ones hold beside what a call says (docs/guides/envoy-config.md).
        ...(chance.maybe(0.3) && { max_stream_duration: '2s' }),
        ...(chance.maybe(0.3) && { grpc_timeout_header_offset: '0.1s' }),
      },
      ...(chance.maybe(0.3) && { timeout: '0s' }),
    }),
    () => ({
      max_grpc_timeout: most,
      // Beside a bound it is taken off otherwise (docs/guides/envoy-config.md).
      ...(most === '0s' && chance.maybe(0.5) && { grpc_timeout_offset: '0.1s' }),
      // One that is another is refused by name; without one a call that says nothing is not bound (docs/guides/envoy-config.md).
      timeout: most,
    }),
  ])();
}

function call(chance: Chance): Exchange {
  const late = chance.maybe(0.5);
  const status = (text: string): readonly Field[] => [
    ['grpc-status', text],
    ...(text === '0' ? [] : [['grpc-message', 'said by the origin'] as const]),
  ];
  const answer: Answer = late
    ? chance.pick<Answer>([{ delayMs: LATE_MS }, { stallMs: LATE_MS }])
    : chance.pick<Answer>([{}, { delayMs: 20 }, { stallMs: 20 }]);
  const said = chance.pick(['0', '0', '5', '14']);
  const asked = chance.pick([undefined, '300m', '300000u', '2S', '1H', '3000000u']);
  return {
    protocol: 'http2',
    method: 'POST',
    path: chance.pick(['/a.B/C', '/a.B/C', '/a.B/C', '/gone/C', '/said/C']),
    headers: [
      ['content-type', chance.pick(['application/grpc', 'application/grpc+proto'])],
      ['te', 'trailers'],
      ...(asked === undefined ? [] : [['grpc-timeout', asked] as const]),
    ],
    body: '\u0000\u0000\u0000\u0000\u0001x',
    answers: {
      h2: [
        {
          ...answer,
          headers: [['content-type', 'application/grpc']],
          body: '\u0000\u0000\u0000\u0000\u0001y',
          trailers: status(said),
        },
      ],
    },
    took: { from: 0, to: 1_900 },
  };
}
