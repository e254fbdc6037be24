import { gunzipSync } from 'node:zlib';
import type { Exchange, Field } from './configuration.ts';
import type { Observation, Observations } from './observe.ts';
import type { Seen } from './origins.ts';
import type { Reply } from './reply.ts';

/** One thing in which two observations of an exchange differ. */
export interface Difference {
  /** `reply.status`, `reply.header.NAME`, `seen[0].path`, … */
  readonly aspect: string;
  readonly envoy: string;
  readonly tulle: string;
}

/** What an observation comes to, aspect by aspect, with what differs from run to run put as a word. */
export function aspectsOf(
  { reply, seen: all, tookMs }: Observation,
  exchange: Exchange,
  ports: Ports,
): Map<string, string> {
  const aspects = new Map<string, string>();
  const { givenUp } = exchange;
  // One that was cut off before its path has none.
  const seen = all.filter(({ path }) => givenUp === undefined || (path !== '' && !givenUp.includes(path)));
  const plain = plainer(ports);
  aspects.set('reply.outcome', reply.outcome);
  if (reply.status !== undefined) aspects.set('reply.status', String(reply.status));
  if (reply.fate !== undefined) aspects.set('reply.fate', reply.fate);
  if (reply.body !== undefined) aspects.set('reply.body', plain(contentOf(reply)));
  if (reply.statuses !== undefined) aspects.set('reply.statuses', reply.statuses.join(' '));
  if (reply.tls !== undefined) aspects.set('reply.tls', reply.tls);
  if (reply.interim !== undefined) aspects.set('reply.interim', reply.interim.join(' '));
  fields(aspects, 'reply.header', reply.headers ?? [], plain);
  fields(aspects, 'reply.trailer', reply.trailers ?? [], plain);
  if (exchange.took !== undefined)
    aspects.set(
      'took',
      tookMs < exchange.took.from
        ? `sooner than after ${exchange.took.from} ms`
        : tookMs <= exchange.took.to
          ? 'as expected'
          : `${Math.round(tookMs)} ms`,
    );
  aspects.set('seen', String(seen.length));
  // Streams of one connection reach their origin over several, in any order.
  const arrived =
    exchange.protocol === 'frames'
      ? seen.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : keyOf(one) > keyOf(other) ? 1 : 0))
      : seen;
  for (const [index, one] of ordered(arrived).entries()) {
    const at = `seen[${index}]`;
    aspects.set(`${at}.origin`, one.origin);
    aspects.set(`${at}.version`, one.version);
    aspects.set(`${at}.method`, one.method);
    aspects.set(`${at}.path`, plain(one.path));
    aspects.set(`${at}.host`, plain(one.host));
    aspects.set(`${at}.body`, one.body);
    aspects.set(`${at}.fault`, one.fault ?? '');
    if (one.tls !== undefined) aspects.set(`${at}.tls`, one.tls);
    fields(aspects, `${at}.header`, one.headers, plain);
    fields(aspects, `${at}.trailer`, one.trailers, plain);
  }
  return aspects;
}

/** What a body says, of which each proxy makes other octets where it compresses it. */
function contentOf({ body = '', headers = [] }: Reply): string {
  if (!headers.some(([name, value]) => name === 'content-encoding' && value === 'gzip')) return body;
  try {
    return gunzipSync(Buffer.from(body, 'latin1')).toString('latin1');
  } catch {
    return body;
  }
}

/** Port of the listener, and of origins by name. */
export interface Ports {
  readonly listener: number;
  readonly origins: ReadonlyMap<string, number>;
}

/** Requests to several origins arrive in any order; those to one do not. `h2` stands in the place of `a`. */
export function ordered(seen: readonly Seen[]): Seen[] {
  const place = ({ origin }: Seen): string => (origin === 'h2' ? 'a' : origin);
  return seen.toSorted((one, other) => (place(one) < place(other) ? -1 : place(one) > place(other) ? 1 : 0));
}

/** What tells requests apart that arrive in any order: all of them but the id that each proxy gives. */
function keyOf({ path, headers }: Seen): string {
  const own = headers.filter(([name]) => name !== 'x-request-id').map((field) => field.join(': '));
  return [path, ...own.toSorted()].join('\n');
}

/** Field lines of one name stay apart and in order; lines of several names are in no order (RFC 9110 §5.3). */
function fields(
  aspects: Map<string, string>,
  at: string,
  list: readonly Field[],
  plain: (text: string) => string,
): void {
  const byName = new Map<string, string[]>();
  for (const [name, value] of list) byName.set(name, [...(byName.get(name) ?? []), value]);
  for (const [name, values] of byName)
    aspects.set(`${at}.${name}`, values.map((value) => said(name, plain(value))).join('\n'));
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

/** What is different in every run, as a word; only where it has the form that it must have. */
function said(name: string, value: string): string {
  if (name === 'date' && DATE.test(value)) return '(date)';
  if (name === 'x-request-id' && UUID.test(value)) return '(uuid)';
  if (name === 'x-envoy-upstream-service-time' && /^\d+$/.test(value)) return '(milliseconds)';
  if (name === 'grpc-timeout' && GRPC_TIMEOUT.test(value)) return `(within ${hundredsOf(value)} ms)`;
  return value;
}

const GRPC_TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNITS_MS: Readonly<Record<string, number>> = { H: 3.6e6, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** What a call may still take, in whole tenths of a second: some of it has passed when it goes on, and each unit says the same. */
function hundredsOf(value: string): number {
  const [, count = '', unit = ''] = GRPC_TIMEOUT.exec(value) ?? [];
  return 100 * Math.ceil((Number(count) * (UNITS_MS[unit] ?? 0)) / 100);
}

function plainer({ listener, origins }: Ports): (text: string) => string {
  const names = new Map([
    [String(listener), '(listener)'],
    ...[...origins].map(([name, port]) => [String(port), `(${name})`] as const),
  ]);
  const any = new RegExp(`\\b(${[...names.keys()].join('|')})\\b`, 'g');
  return (text) => text.replaceAll(any, (port) => names.get(port) ?? port);
}

/** In what two sides differ. @param ports of each */
export function differencesOf(
  observations: Observations,
  exchange: Exchange,
  ports: Readonly<Record<'envoy' | 'tulle', Ports>>,
): Difference[] {
  if (exchange.gathered === true) return spreadOf(observations);
  if (exchange.tally !== undefined) return sharesOf(observations, exchange.tally, exchange.copied === true);
  const envoy = aspectsOf(observations.envoy, exchange, ports.envoy);
  const tulle = aspectsOf(observations.tulle, exchange, ports.tulle);
  const found: Difference[] = [];
  for (const aspect of new Set([...envoy.keys(), ...tulle.keys()])) {
    const [one, other] = [envoy.get(aspect) ?? '(none)', tulle.get(aspect) ?? '(none)'];
    if (one !== other) found.push({ aspect, envoy: one, tulle: other });
  }
  return found;
}

/** How far apart two shares of chance may be, in standard deviations: further apart once in two million times. */
const SIGMAS = 5;

/** Over how many origins requests were spread: which they are by a hash is each proxy's own. */
function spreadOf({ envoy, tulle }: Observations): Difference[] {
  const [one, other] = [envoy, tulle].map(({ seen }) =>
    String(new Set(seen.map(({ origin }) => origin)).size),
  ) as [string, string];
  const found: Difference[] = one === other ? [] : [{ aspect: 'origins', envoy: one, tulle: other }];
  const [all, others] = [String(envoy.seen.length), String(tulle.seen.length)];
  return all === others ? found : [...found, { aspect: 'seen', envoy: all, tulle: others }];
}

/** Where many requests went, compared as shares of chance. */
function sharesOf({ envoy, tulle }: Observations, requests: number, isCopied: boolean): Difference[] {
  const found: Difference[] = [];
  const add = (aspect: string, one: unknown, other: unknown): void =>
    void found.push({ aspect, envoy: String(one), tulle: String(other) });
  for (const origin of new Set([...envoy.seen, ...tulle.seen].map((one) => one.origin))) {
    const [one, other] = [envoy, tulle].map(
      ({ seen }) => seen.filter((each) => each.origin === origin).length,
    ) as [number, number];
    const share = (one + other) / (2 * requests);
    const apart = Math.abs(one - other) / requests;
    if (apart > SIGMAS * Math.sqrt((2 * share * (1 - share)) / requests) + 1 / requests)
      add(`share.${origin}`, `${one} of ${requests}`, `${other} of ${requests}`);
  }
  if (!isCopied && envoy.seen.length !== tulle.seen.length) add('seen', envoy.seen.length, tulle.seen.length);
  return found;
}
