import { normalizePath } from '@tulle/match';
import type { Exchange, Field } from '../configuration.ts';
import { told } from '../expected.ts';
import type { Observation } from '../observe.ts';

/** Judges of everything that was seen of an exchange: where one side goes another way, that way has to be right in all of it. */

/** The body of an answer that Tulle makes itself, with an id of its own or the one that callers here say. */
export const OWN_TEXT: RegExp = /^TULLE_[A-Z_]+ \(request ([0-9a-f-]{36}|mine)\)\n$/;

/** A target in the one spelling that Tulle gives to its path; escaped slashes stay where they are, as in the managers here. */
export function canonical(target: string): string {
  const at = target.indexOf('?');
  const [path, query] = at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at)];
  return normalizePath(path, 'keep') + query;
}

/** What a proxy adds to a request that it passes on. */
const ADDED: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-request-id',
]);
/** What answers have that a proxy makes, or passes on as the origins make them. */
const ANSWERED: ReadonlySet<string> = new Set([
  'content-length',
  'date',
  'server',
  'transfer-encoding',
  'x-origin',
  'x-route',
]);
const REFUSED: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'date',
  'server',
  'x-request-id',
]);

const valuesOf = (fields: readonly Field[], name: string): string =>
  fields
    .filter(([one]) => one.toLowerCase() === name)
    .map(([, value]) => value)
    .join('\n');

/** Whether an answer has what every answer has, and no fields but these. */
function hasFields(observation: Observation, added: ReadonlySet<string>): boolean {
  return (
    told(observation, 'server') === 'envoy' &&
    told(observation, 'date') !== undefined &&
    areFields(observation.reply.headers ?? [], [], added)
  );
}

/** Whether some fields are these, and no others but those that may be added. */
function areFields(got: readonly Field[], given: readonly Field[], added: ReadonlySet<string>): boolean {
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  return (
    [...names].every((name) => valuesOf(got, name) === valuesOf(given, name)) &&
    got.every(([name]) => names.has(name) || added.has(name))
  );
}

/** Where a request is to go. */
export interface Way {
  readonly origin: string;
  /** Default: the one that was asked for, in one spelling. */
  readonly path?: string;
  /** Whether the route gives it another host. Default false. */
  readonly isRehosted?: boolean;
}

/** Whether a request went on as it came, once, and its answer came back as the origin makes it. */
export function isPassedOn(observation: Observation, exchange: Exchange, way: Way): boolean {
  const { reply, seen } = observation;
  const { method = 'GET', path = '/', host = 'one.test', headers = [], body = '' } = exchange;
  const [one, ...more] = seen;
  return (
    one !== undefined &&
    more.length === 0 &&
    one.origin === way.origin &&
    one.method === method &&
    one.path === (way.path ?? canonical(path)) &&
    (way.isRehosted === true || one.host === host.toLowerCase()) &&
    one.body === body &&
    one.fault === undefined &&
    areFields(
      one.headers.filter(([name]) => way.isRehosted !== true || name !== 'x-forwarded-host'),
      headers.filter(([name]) => way.isRehosted !== true || name !== 'x-forwarded-host'),
      ADDED,
    ) &&
    reply.outcome === 'answered' &&
    reply.status === 200 &&
    reply.body === (method === 'HEAD' ? '' : `${way.origin}\n`) &&
    valuesOf(reply.headers ?? [], 'x-origin') === way.origin &&
    hasFields(observation, ANSWERED)
  );
}

/** Whether a request was answered by a route, before any origin. */
export function isAnswered(
  observation: Observation,
  { method }: Exchange,
  status: number,
  body: string,
): boolean {
  const { reply, seen } = observation;
  return (
    seen.length === 0 &&
    reply.status === status &&
    reply.body === (method === 'HEAD' ? '' : body) &&
    hasFields(observation, new Set([...REFUSED, 'x-route']))
  );
}

/** Whether the proxy refused a request by itself, and nothing more. */
export function isRefused(observation: Observation, exchange: Exchange, status: number): boolean {
  const { reply, seen } = observation;
  const connection = told(observation, 'connection');
  return (
    seen.length === 0 &&
    reply.status === status &&
    (exchange.method === 'HEAD' ? reply.body === '' : OWN_TEXT.test(reply.body ?? '')) &&
    (connection === undefined || connection === 'close') &&
    hasFields(observation, new Set([...REFUSED, 'connection', 'x-route']))
  );
}
