import { type Difference, ordered } from '../compare.ts';
import type { Answer, Exchange, Named } from '../configuration.ts';
import { answerTo, isEnd } from '../expected.ts';
import type { Observations } from '../observe.ts';
import type { Seen } from '../origins.ts';
import type { Pair } from './pair.ts';
import { OWN_TEXT } from './whole.ts';

/** Explanation `repeats-by-method`: how often it was sent is as the method has it, each time the same, and the answer that to the last. */
export function explainsRepeats(
  difference: Difference,
  { exchange, configuration, observations }: Pair,
): boolean {
  if (observations === undefined || exchange === undefined) return false;
  const { aspect, envoy, tulle } = difference;
  if (explainsUnsent(difference, configuration, observations)) return true;
  const seen = ordered(observations.tulle.seen);
  const [sent, other] = [seen.length, observations.envoy.seen.length];
  const last = seen.at(-1);
  if (sent === other || last === undefined) return false;
  const kept = ['POST', 'PATCH'].includes(exchange.method ?? '');
  const hasPolicy = JSON.stringify(configuration.routes ?? '').includes('"retry_policy"');
  if (sent < other && !(kept && sent === 1 && hasPolicy)) return false;
  // What authorization is asked changes nothing, whatever the method.
  const authz = JSON.stringify(configuration.httpFilters ?? '').includes('ext_authz');
  if (sent > other && kept && !authz) return false;
  // The first that is more comes after an end, those behind it as the policy says; all are the same again.
  const first = seen.findIndex(({ origin }) => origin === last.origin);
  for (let n = other; n < sent; n++) {
    const isFirst = n === other || !hasPolicy;
    if (isFirst && !isEnd(answerTo(exchange, last.origin, n - 1 - first))) return false;
    if (!isSame(seen[n], seen[n - 1])) return false;
  }
  const at = Number(/^seen\[(\d+)\]/.exec(aspect)?.[1] ?? -1);
  if (aspect === 'seen') return true;
  if (at >= 0) return at >= Math.min(sent, other) && (sent > other ? envoy : tulle) === '(none)';
  if (aspect === 'reply.header.x-envoy-attempt-count') return tulle === String(sent);
  const answer = answerTo(exchange, last.origin, sent - 1 - first);
  // What comes after the attempt was given up is no answer.
  const heard: Answer = isLate(answer, configuration) ? { fault: 'silence' } : answer;
  return explainsAnswer(
    difference,
    exchange,
    last.origin,
    heard,
    observations,
    isStalled(answer, configuration),
  );
}

/** What was provably not sent is one thing to Tulle: a connection that is refused, and a request that is. */
function explainsUnsent(
  { aspect, envoy, tulle }: Difference,
  { routes }: Named,
  observations: Observations,
): boolean {
  if (aspect !== 'reply.header.x-envoy-attempt-count' || envoy !== '1') return false;
  const [, words = '', times = '1'] =
    /"retry_on":"([^"]*)"(?:,"num_retries":(\d+))?/.exec(JSON.stringify(routes ?? '')) ?? [];
  const on = words.split(',');
  return (
    on.includes('refused-stream') &&
    !on.includes('connect-failure') &&
    observations.envoy.seen.length + observations.tulle.seen.length === 0 &&
    observations.tulle.reply.status === 503 &&
    tulle === String(1 + Number(times))
  );
}

/** What an answer that is all there has beside its fields. */
const WHOLE: Readonly<Record<string, string>> = {
  'reply.outcome': 'answered',
  'reply.fate': 'open',
  'reply.interim': '',
  'reply.header.server': 'envoy',
  'reply.header.date': '(date)',
};

const isOwnText = ({ method }: Exchange, body = ''): boolean =>
  method === 'HEAD' ? body === '' : OWN_TEXT.test(body);

/** Whether two requests are the same, but for the number of the attempt. */
function isSame(one: Seen | undefined, other: Seen | undefined): boolean {
  const plain = (seen: Seen | undefined): string =>
    JSON.stringify({
      ...seen,
      headers: seen?.headers.filter(([name]) => name !== 'x-envoy-attempt-count'),
    });
  return plain(one) === plain(other);
}

/** Whether an attempt is over before its answer comes. */
function isLate({ delayMs = 0 }: Answer, configuration: Named): boolean {
  return delayMs > shortestOf(configuration);
}

/** Whether an attempt is over within its answer, of which the beginning came at once. */
function isStalled({ stallMs = 0 }: Answer, configuration: Named): boolean {
  return stallMs > shortestOf(configuration);
}

/** The shortest time that a route gives an attempt, in milliseconds. */
function shortestOf({ routes }: Named): number {
  const bounds = JSON.stringify(routes ?? '').matchAll(
    /"(?:timeout|per_try_timeout|per_try_idle_timeout)":"([\d.]+)s"/g,
  );
  const given = [...bounds].map(([, seconds]) => Number(seconds) * 1_000).filter((ms) => ms > 0);
  return Math.min(...given);
}

/** The answer is the one to the last that was sent. @param answer what its origin says to that */
function explainsAnswer(
  { aspect, tulle }: Difference,
  exchange: Exchange,
  origin: string,
  answer: Answer,
  { envoy, tulle: { reply } }: Observations,
  isStalled: boolean,
): boolean {
  const status = answer.fault === undefined ? (answer.status ?? 200) : answer.fault === 'silence' ? 504 : 503;
  // What is sent once more may be one that is broken off, too: what came of it counts for nothing over HTTP/1.
  if (envoy.reply.outcome === 'answered' && reply.outcome === 'cut' && isStalled)
    return aspect === 'reply.outcome' || (aspect.startsWith('reply.') && tulle === '(none)');
  if (aspect === 'reply.status') return reply.status === status;
  // Envoy's next attempt may be one that is broken off.
  if (envoy.reply.outcome === 'cut' && reply.outcome === 'answered' && reply.status === status) {
    const whole = WHOLE[aspect];
    if (whole !== undefined) return tulle === whole;
  }
  if (!/^reply\.(body$|header\.)/.test(aspect)) return false;
  // None came: what Envoy got from its next attempt is not there.
  if (answer.fault !== undefined)
    return tulle === '(none)' && reply.status === status && isOwnText(exchange, reply.body);
  const isBare = exchange.method === 'HEAD' || status === 204 || status === 304;
  const body = isBare ? '' : (answer.body ?? `${origin}\n`);
  const given = new Map([
    ['x-origin', origin],
    ...(answer.headers ?? []).map(([name, value]) => [name.toLowerCase(), value] as const),
  ]);
  const name = /^reply\.header\.(.+)$/.exec(aspect)?.[1];
  if (name === undefined) return reply.body === body;
  // Whoever answers says these.
  if (name === 'server' || name === 'date') return false;
  const value = reply.headers?.find(([one]) => one === name)?.[1];
  // What one side says itself of its own answer stands in the place of what the origin says.
  return ['content-length', 'content-type', 'transfer-encoding', 'x-request-id'].includes(name)
    ? reply.body === body
    : value === given.get(name);
}
