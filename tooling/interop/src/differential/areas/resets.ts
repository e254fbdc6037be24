import type { Chance } from '../chance.ts';
import type { Area, Configuration, Exchange } from '../configuration.ts';
import { block, END_HEADERS, END_STREAM, frame, TYPE, uint32 } from '../frames.ts';
import { SETTLED_PATH } from '../origins.ts';
import { everyHost } from './vocabulary.ts';

/** Streams that their client gives up, beside others that go on. */
export const resets: Area = {
  name: 'resets',
  short: 15,
  make(chance): Configuration {
    const answers = chance.pick(['a', 'direct', 'gone'] as const);
    const action =
      answers === 'direct'
        ? { direct_response: { status: 201, body: { inline_string: 'here' } } }
        : {
            route: {
              cluster: answers,
              ...(chance.maybe(0.3) && { retry_policy: { retry_on: 'reset,connect-failure' } }),
            },
          };
    return {
      routes: everyHost([
        { match: { path: SETTLED_PATH }, route: { cluster: 'a' } },
        { match: { prefix: '/' }, ...action },
      ]),
      exchanges: Array.from({ length: 6 }, () => conversation(chance)),
    };
  },
};

/** NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, and one that nobody knows (RFC 9113 §7). */
const CODES: readonly number[] = [0, 2, 7, 8, 8, 0xbad];

function conversation(chance: Chance): Exchange {
  const count = chance.int(1, 4);
  const givenUp: string[] = [];
  const parts = Array.from({ length: count }, (_, i) => {
    const stream = 2 * i + 1;
    if (chance.maybe(0.5)) return whole(chance, stream);
    givenUp.push(`/${stream}`);
    return resetOne(chance, stream);
  });
  // One more that says that the connection goes on.
  parts.push(whole(chance, 2 * count + 1));
  return { protocol: 'frames', givenUp, bytes: parts.flat().join('') };
}

function headOf(stream: number, method: string, isEnd: boolean): string {
  const fields = [
    [':method', method],
    [':scheme', 'http'],
    [':path', `/${stream}`],
    [':authority', 'one.test'],
  ] as const;
  return frame(TYPE.headers, END_HEADERS | (isEnd ? END_STREAM : 0), stream, block(fields));
}

function whole(chance: Chance, stream: number): string[] {
  if (chance.maybe(0.5)) return [headOf(stream, 'GET', true)];
  return [
    headOf(stream, 'POST', false),
    frame(TYPE.data, END_STREAM, stream, 'x'.repeat(chance.int(1, 500))),
  ];
}

/** Behind its head, within its content, or when all of it is there: all in one piece. */
function resetOne(chance: Chance, stream: number): string[] {
  const end = frame(TYPE.reset, 0, stream, uint32(chance.pick(CODES)));
  return chance.pick<() => string[]>([
    () => [headOf(stream, 'GET', true), end],
    () => [headOf(stream, 'POST', false), end],
    () => [headOf(stream, 'POST', false), frame(TYPE.data, 0, stream, 'x'.repeat(chance.int(1, 500))), end],
    () => [headOf(stream, 'POST', false), frame(TYPE.data, END_STREAM, stream, 'all'), end],
    // Frames that the other side could not have known to be late.
    () => [headOf(stream, 'POST', false), end, ...(chance.maybe(0.3) ? [end] : [])],
  ])();
}
