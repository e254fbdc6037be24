import { normalizePath } from '@tulle/match';
import { type Difference, ordered } from './compare.ts';
import type { Exchange, Named } from './configuration.ts';
import {
  abortOf,
  answerTo,
  asked,
  fitsInOneSpelling,
  hostPolicy,
  isEnd,
  ownPolicy,
  reachedOnlyAt,
  told,
} from './expected.ts';
import type { Observations } from './observe.ts';

/** An exchange of which something differs. */
export interface Pair {
  readonly configuration: Named;
  /** Absent where a configuration is taken by one side alone. */
  readonly exchange?: Exchange;
  readonly observations?: Observations;
  readonly differences: readonly Difference[];
}

/** A difference that is meant. */
export interface Explanation {
  readonly id: string;
  /** Section of the RFC, or page of the documentation, that says so. */
  readonly citation: string;
  readonly why: string;
  explains(difference: Difference, pair: Pair): boolean;
}

/** The body of an answer that Tulle makes itself. */
const OWN_TEXT = /^TULLE_[A-Z_]+ \(request [0-9a-f-]{36}\)\n$/;

/** Whether Tulle's proxy made the answer itself. */
function isOwn({ exchange, observations }: Pair): boolean {
  const reply = observations?.tulle.reply;
  if (reply === undefined) return false;
  const header = (name: string): string | undefined => reply.headers?.find(([one]) => one === name)?.[1];
  if (header('x-origin') !== undefined) return false;
  return (
    OWN_TEXT.test(reply.body ?? '') ||
    exchange?.method === 'HEAD' ||
    header('content-type') === 'text/plain; charset=utf-8'
  );
}

/** What an origin may say itself of who may read its answer (area `cors`). */
const OWN_ORIGIN = 'https://origin.test';
const CORS = 'envoy.filters.http.cors';

/** What Tulle says of what it does not take. */
const REFUSED: readonly RegExp[] = [
  /is no path; it begins with \/ and has no query/,
  /substitution: has a \? or #; the query stays as it is/,
  /with_request_body\.allow_partial_message: must be false/,
  /the variable \w+ is not a whole segment/,
  /the pattern of \w+ is made of segments that are literal/,
];

/** A path in the one spelling that Tulle gives to it. */
function canonical(target: string): string {
  const at = target.indexOf('?');
  const [path, query] = at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at)];
  return normalizePath(path) + query;
}

/** Members of a list that is spread over lines. */
function members(text: string): string {
  return text
    .split(/[,\n]/)
    .map((one) => one.trim())
    .join();
}

/** Whether a path can be read in two ways. */
function isAmbiguous(path: string): boolean {
  return (
    normalizePath(path) === '' ||
    (/%2f|%5c|\\/i.test(path) && /\.|%2e/i.test(path)) ||
    /%(?![0-9a-f]{2})/i.test(path)
  );
}

/** What is meant to differ. At most 25: whoever adds one takes care that another goes. */
export const EXPLANATIONS: readonly Explanation[] = [
  {
    id: 'own-replies',
    citation:
      'RFC 9110 §15.5, §15.6: an error is explained in the content; §8.3.2: charset; RFC 6585 §4: Retry-After; docs/reference/errors.md',
    why: 'An answer of the proxy itself has the code of its reason and the request id for its text, with its charset; Envoy has a text of its own, or none.',
    explains: ({ aspect, envoy, tulle }, pair) =>
      (aspect === 'reply.header.content-type' &&
        envoy === 'text/plain' &&
        tulle === '(none)' &&
        JSON.stringify(pair.configuration.httpFilters ?? '').includes('ext_authz')) ||
      (isOwn(pair) &&
        ((aspect === 'reply.body' && OWN_TEXT.test(tulle)) ||
          (aspect === 'reply.header.x-request-id' && envoy === '(none)' && tulle === '(uuid)') ||
          (aspect === 'reply.header.retry-after' &&
            envoy === '(none)' &&
            pair.observations?.tulle.reply.status === 429) ||
          (aspect === 'reply.header.content-type' &&
            ['(none)', 'text/plain'].includes(envoy) &&
            tulle === 'text/plain; charset=utf-8') ||
          (['reply.header.content-length', 'reply.header.transfer-encoding'].includes(aspect) &&
            (OWN_TEXT.test(pair.observations?.tulle.reply.body ?? '') || pair.exchange?.method === 'HEAD')))),
  },
  {
    id: 'fields-of-envoy',
    citation: 'docs/guides/envoy-config.md; Envoy, HTTP filters › Router › HTTP headers set',
    why: 'How long Envoy waits, how long it took and what it rewrote is told in fields of its own, which no standard has.',
    explains: ({ aspect, tulle }) =>
      tulle === '(none)' &&
      /^(reply\.header\.x-envoy-upstream-service-time|seen\[\d+\]\.header\.x-envoy-(expected-rq-timeout-ms|auth-partial-body|original-path|original-host))$/.test(
        aspect,
      ),
  },
  {
    id: 'connection-after-refusal',
    citation: 'RFC 9112 §9.3, §9.6: after its response a server may keep a connection that it can read on',
    why: 'Where a request is answered before it is read, or refused for its target, Tulle reads what remains of it and keeps the connection; Envoy closes it.',
    explains: ({ aspect, envoy, tulle }, { exchange, observations }) =>
      (exchange?.body !== undefined ||
        exchange?.protocol === 'raw' ||
        observations?.envoy.reply.status === 400) &&
      observations?.envoy.reply.outcome === 'answered' &&
      ((aspect === 'reply.fate' && envoy === 'closed' && tulle === 'open') ||
        (aspect === 'reply.header.connection' && envoy === 'close' && tulle === '(none)')),
  },
  {
    id: 'location-of-201',
    citation: 'RFC 9110 §15.3.2: without Location, what was created is at the target URI',
    why: 'Envoy names the target URI in Location beside a direct response of 201, which says nothing new.',
    explains: ({ aspect, tulle }, { observations }) =>
      aspect === 'reply.header.location' && tulle === '(none)' && observations?.envoy.reply.status === 201,
  },
  {
    id: 'length-of-nothing',
    citation:
      'RFC 9112 §6.3: a request without either length has no body; §6.1: an answer to HEAD may have Transfer-Encoding',
    why: 'Envoy adds Content-Length: 0 to a request that said nothing of a body, and Transfer-Encoding to an answer to HEAD that has no length; Tulle forwards what was said.',
    explains: ({ aspect, envoy, tulle }, { exchange }) =>
      tulle === '(none)' &&
      ((/^seen\[\d+\]\.header\.content-length$/.test(aspect) &&
        envoy === '0' &&
        exchange?.body === undefined) ||
        (aspect === 'reply.header.transfer-encoding' && envoy === 'chunked' && exchange?.method === 'HEAD')),
  },
  {
    id: 'host-in-lower-case',
    citation: 'RFC 9110 §4.2.3: host is case-insensitive, normally provided in lower case',
    why: 'One spelling of a host is judged and forwarded.',
    explains: ({ aspect, envoy, tulle }) =>
      /^seen\[\d+\]\.host$/.test(aspect) && envoy.toLowerCase() === tulle,
  },
  {
    id: 'refused-by-name',
    citation: 'docs/guides/envoy-config.md: what is not done is refused by name',
    why: 'Envoy takes it; Tulle says before it serves that it does not: targets that are rewritten with a query, bodies of which authorization is shown a part, and variables of templates within a segment.',
    explains: ({ aspect, envoy, tulle }) =>
      aspect === 'taken' &&
      envoy === 'taken' &&
      tulle.split(/; (?=\/)/).every((fault) => REFUSED.some((pattern) => pattern.test(fault))),
  },
  {
    id: 'one-spelling-of-patterns',
    citation:
      'RFC 3986 §6.2.2.1, §6.2.2.2: hex digits are upper case, and octets that need no percent-encoding are decoded',
    why: 'A path is read in one spelling, of a configuration as of a request, so that %7E fits ~ and %c3 fits %C3; Envoy compares patterns as they are written.',
    explains: (difference, { configuration, exchange, observations }) => {
      if (observations === undefined) return false;
      const [envoy, tulle] = [told(observations.envoy, 'x-route'), told(observations.tulle, 'x-route')];
      if (tulle === undefined || tulle === envoy) return false;
      return (
        fitsInOneSpelling(configuration, tulle, exchange?.path ?? '/') &&
        (envoy !== undefined || reachedOnlyAt('tulle', difference))
      );
    },
  },
  {
    id: 'asterisk-form',
    citation: 'RFC 9110 §7.1, §9.3.7: a proxy forwards OPTIONS *',
    why: 'The prefix of every path fits OPTIONS *, which goes on; in Envoy no route fits it.',
    explains: (difference, { exchange, observations }) =>
      exchange?.path === '*' &&
      observations?.envoy.reply.status === 404 &&
      observations.tulle.seen.length === 1 &&
      observations.tulle.seen[0]?.method === 'OPTIONS' &&
      observations.tulle.seen[0].path === '*' &&
      reachedOnlyAt('tulle', difference),
  },
  {
    id: 'ambiguous-paths',
    citation:
      'docs/guides/envoy-config.md; RFC 3986 §2.1, §3.3; reliability: every spelling of a path is judged or refused',
    why: 'A path that an origin could read otherwise than the proxy is refused with 400: escaped slashes beside dots, dots above the root, percent signs that escape nothing.',
    explains: (difference, { exchange, observations }) =>
      observations?.tulle.reply.status === 400 &&
      observations.tulle.seen.length === 0 &&
      isAmbiguous((exchange?.path ?? '').replace(/[?].*$/, '')) &&
      (reachedOnlyAt('envoy', difference) ||
        (difference.aspect === 'reply.fate' && difference.tulle === 'closed') ||
        (difference.aspect === 'reply.header.connection' && difference.tulle === 'close')),
  },
  {
    id: 'cors-answers',
    citation:
      'Fetch standard, CORS protocol: ok status, wildcards, default max-age 5; RFC 9110 §12.5.5, §15.3.5; packages/filters/cors/README.md',
    why: 'A preflight is answered without content, what depends on Origin says so in Vary, wildcards and the default age are written out, null or a host in upper case is no origin, and an origin that is not listed is told nothing.',
    explains: ({ aspect, envoy, tulle }, { configuration, exchange, observations }) => {
      if (!JSON.stringify(configuration.httpFilters ?? '').includes(CORS)) return false;
      const origin = asked(exchange, 'origin');
      const field = /^reply\.header\.access-control-(.+)$/.exec(aspect)?.[1];
      const own = ownPolicy(configuration, exchange, CORS);
      // No origin as browsers write it (Fetch, serialised origins): it is not listed.
      if (/^null$|[A-Z]/.test(origin)) {
        if (field !== undefined && envoy !== '(none)' && (tulle === '(none)' || tulle === OWN_ORIGIN))
          return true;
        if (
          exchange?.method === 'OPTIONS' &&
          observations?.envoy.seen.length === 0 &&
          observations.tulle.seen.length === 1 &&
          (own ?? hostPolicy(configuration, CORS))?.['forward_not_matching_preflights'] !== false
        )
          return reachedOnlyAt('tulle', { aspect, envoy, tulle });
      }
      // An origin that is not listed is told nothing else either.
      const listed = [observations?.envoy, observations?.tulle].some(
        (one) => one !== undefined && told(one, 'access-control-allow-origin') !== undefined,
      );
      if (field !== undefined && !listed) return exchange?.method === 'OPTIONS' && tulle === '(none)';
      if (aspect === 'reply.header.access-control-expose-headers' && exchange?.method === 'OPTIONS')
        return tulle === '(none)';
      const list = /^reply\.header\.access-control-allow-(methods|headers)$/.exec(aspect)?.[1];
      if (list === 'headers' && envoy === '' && tulle === '(none)')
        return asked(exchange, 'access-control-request-headers') === '';
      if (list !== undefined)
        return (
          tulle === '*' &&
          envoy === asked(exchange, `access-control-request-${list === 'methods' ? 'method' : 'headers'}`)
        );
      if (aspect === 'reply.header.access-control-allow-origin') return tulle === '*' && envoy === origin;
      if (aspect === 'reply.header.access-control-max-age') return envoy === '(none)' && tulle === '5';
      if (aspect === 'reply.header.vary') return envoy === '(none)' && /^origin\b/i.test(tulle);
      if (exchange?.method !== 'OPTIONS') return false;
      return aspect === 'reply.status'
        ? envoy === '200' && tulle === '204'
        : aspect === 'reply.header.content-length' && envoy === '0' && tulle === '(none)';
    },
  },
  {
    id: 'authz-names',
    citation: 'packages/filters/ext-authz/README.md: identity stays the proxy’s',
    why: 'What a caller sends under a name by which authorization tells the service who it is does not go on, whether authorization says it or not.',
    explains: ({ aspect, tulle }, { configuration }) =>
      tulle === '(none)' &&
      /^seen\[\d+\]\.header\.x-(one|user|two)$/.test(aspect) &&
      /"allowed_upstream_headers[a-z_]*"/.test(JSON.stringify(configuration.httpFilters ?? '')),
  },
  {
    id: 'faults',
    citation:
      'docs/guides/envoy-config.md; packages/filters/fault/README.md; gRPC over HTTP/2, Requests: POST',
    why: 'An abort by a gRPC status is for gRPC calls, which are POST over HTTP/2; others get the HTTP status that is equal to it.',
    explains: (difference, { configuration, exchange, observations }) => {
      if (exchange === undefined || observations === undefined) return false;
      const text = JSON.stringify(configuration.httpFilters ?? '');
      if (!text.includes('filters.http.fault')) return false;
      const { reply, seen } = observations.tulle;
      const abort = abortOf(configuration, exchange);
      const envoyWent = observations.envoy.seen.length > 0;
      const { aspect, envoy, tulle } = difference;
      const isOfGrpc = ['reply.header.grpc-status', 'reply.header.grpc-message'].includes(aspect);
      if (abort === undefined)
        return (
          reply.status === 200 &&
          seen.length === 1 &&
          !envoyWent &&
          (reachedOnlyAt('tulle', difference) || (isOfGrpc && tulle === '(none)'))
        );
      const { status, byGrpc } = abort;
      if (reply.status !== status || seen.length > 0) return false;
      if (envoyWent) return reachedOnlyAt('envoy', difference);
      // Both end it: Envoy as gRPC does, or with a text where the status is one of success.
      return aspect === 'reply.status'
        ? envoy === '200' && (byGrpc || told(observations.envoy, 'grpc-status') !== undefined)
        : aspect === 'reply.header.content-type'
          ? envoy === 'application/grpc' || (status === 200 && tulle === '(none)')
          : isOfGrpc
            ? tulle === '(none)'
            : status === 200 &&
              (aspect === 'reply.body'
                ? envoy === 'fault filter abort' && tulle === ''
                : aspect === 'reply.header.content-length' && tulle === '0');
    },
  },
  {
    id: 'valid-targets',
    citation: 'RFC 3986 §3.3, RFC 9112 §3.2: characters of a path; RFC 9110 §7.2: of a host',
    why: 'Whatever a rewrite makes is written as a valid target: path in its one spelling, host as it came where what comes out is none.',
    explains: ({ aspect, envoy, tulle }, { configuration, observations }) =>
      (/^seen\[\d+\]\.path$/.test(aspect) &&
        (canonical(envoy) === tulle ||
          (/^\/(\?|$)/.test(tulle) &&
            JSON.stringify(configuration.routes ?? '').includes('"substitution":""')))) ||
      (aspect === 'reply.header.location' &&
        envoy.replace(/(?<=^https?:\/\/[^/]+)\/[^?]*/, canonical) === tulle) ||
      (/^seen\[\d+\]\.(host|header\.x-forwarded-host)$/.test(aspect) &&
        observations?.envoy.seen[0]?.host.startsWith('/') === true),
  },
  {
    id: 'lines-of-lists',
    citation:
      'RFC 9110 §5.3, §5.6.1: lines of one name and members of one list say the same; whitespace around commas means nothing',
    why: 'Lines stay apart, as a field may not be a list at all; members that Tulle adds to a list stand behind a comma and a space.',
    explains: ({ aspect, envoy, tulle }) => /\.header\./.test(aspect) && members(envoy) === members(tulle),
  },
  {
    id: 'forwarded-for-of-envoy',
    citation:
      'Envoy, HTTP header manipulation › x-forwarded-for: the nearest client is added; RouteAction.RequestMirrorPolicy',
    why: 'For a client on loopback Envoy adds its own address, in place of that which the client has; and to copies of a request and to what authorization is asked, as internal ones. A copy of Tulle is the request.',
    explains: ({ aspect, envoy, tulle }, { configuration }) =>
      (aspect.endsWith('.header.x-forwarded-for') &&
        members(tulle).split(',').slice(0, -1).join() === members(envoy).split(',').slice(0, -1).join() &&
        tulle.endsWith('127.0.0.1')) ||
      (/request_mirror_policies|ext_authz/.test(
        JSON.stringify([configuration.routes, configuration.httpFilters]),
      ) &&
        ((aspect.endsWith('.header.x-envoy-internal') && envoy === 'true') ||
          (aspect.endsWith('.header.x-forwarded-for') && !envoy.includes(',')))),
  },
  {
    id: 'repeats-by-method',
    citation:
      'RFC 9110 §9.2.2: a proxy must not repeat by itself what is not idempotent; RFC 9112 §9.3.1: what is, where a connection ended',
    why: 'POST and PATCH are repeated only where nothing of them was sent, whatever a retry policy says; what is idempotent is sent once more where a connection that was used before ends without an answer.',
    explains: ({ aspect, envoy, tulle }, { exchange, configuration, observations }) => {
      if (observations === undefined) return false;
      const { reply } = observations.tulle;
      const seen = ordered(observations.tulle.seen);
      const [sent, other] = [seen.length, observations.envoy.seen.length];
      const kept = ['POST', 'PATCH'].includes(exchange?.method ?? '');
      const authz = JSON.stringify(configuration.httpFilters ?? '').includes('ext_authz');
      if (
        sent < other &&
        !(kept && sent === 1 && JSON.stringify(configuration.routes ?? '').includes('"retry_policy"'))
      )
        return false;
      const last = seen.at(-1);
      if (sent === other || last === undefined) return false;
      // What authorization is asked changes nothing, whatever the method.
      if (sent > other && kept && !authz) return false;
      // Every one that is more comes after an end, and is the same again.
      const first = seen.findIndex(({ origin }) => origin === last.origin);
      for (let n = other; n < sent; n++)
        if (!isEnd(answerTo(exchange, last.origin, n - 1 - first)) || seen[n]?.path !== seen[n - 1]?.path)
          return false;
      const at = Number(/^seen\[(\d+)\]/.exec(aspect)?.[1] ?? -1);
      if (aspect === 'seen') return true;
      if (at >= 0) return at >= Math.min(sent, other) && (sent > other ? envoy : tulle) === '(none)';
      // The answer is the one to the last that was sent.
      const answer = answerTo(exchange, last.origin, sent - 1 - first);
      if (aspect === 'reply.header.x-envoy-attempt-count') return tulle === String(sent);
      if (aspect === 'reply.status')
        return answer.fault === undefined
          ? reply.status === (answer.status ?? 200)
          : reply.status === (answer.fault === 'silence' ? 504 : 503);
      return answer.fault === undefined && /^reply\.(body$|header\.)/.test(aspect);
    },
  },
  {
    id: 'ports-in-redirects',
    citation: 'RFC 3986 §6.2.3: the port of a scheme may be left out; RFC 9110 §4.2.2: where HTTPS is',
    why: 'A Location has no port where it is the one of its scheme; a redirect that require_tls makes has none, as a port at which HTTP is spoken is none of HTTPS.',
    explains: ({ aspect, envoy, tulle }, { configuration }) =>
      aspect === 'reply.header.location' &&
      (envoy
        .replace(/^(https?:\/\/[^/:]+):\d+(?=:\d+)/, '$1')
        .replace(/^(http:\/\/[^/:]+):80\b|^(https:\/\/[^/:]+):443\b/, '$1$2') === tulle ||
        (JSON.stringify(configuration.routes ?? '').includes('"require_tls"') &&
          envoy.replace(/^(https:\/\/[^/:]+):\d+/, '$1') === tulle)),
  },
  {
    id: 'via-with-protocol',
    citation: 'RFC 9110 §7.6.3: received-protocol is not optional',
    why: 'Via says in which version a message came; Envoy writes the name alone.',
    explains: ({ aspect, envoy, tulle }) =>
      aspect.endsWith('.header.via') &&
      members(tulle).replaceAll(/(?<=^|,)(1\.[01]|2) /g, '') ===
        members(envoy).replaceAll(/(?<=^|,)(1\.[01]|2) /g, ''),
  },
  {
    id: 'hop-by-hop',
    citation: 'RFC 9110 §7.6.1: an intermediary removes what Connection names, and TE',
    why: 'What is said of one connection is not said of the next; Envoy forwards TE: trailers, and fields that Connection names.',
    explains: ({ aspect, envoy, tulle }, { configuration, exchange }) => {
      const name = /\.header\.([^.]+)$/.exec(aspect)?.[1];
      if (name === undefined) return false;
      if (name === 'te') return envoy === 'trailers' && tulle === '(none)';
      const messages = aspect.startsWith('seen')
        ? [exchange?.headers ?? []]
        : Object.values(exchange?.answers ?? {}).flatMap((all) => all.map(({ headers = [] }) => headers));
      const named = messages
        .filter((fields) =>
          fields.some(
            ([field, value]) => field.toLowerCase() === 'connection' && value.split(/, */).includes(name),
          ),
        )
        .flat();
      if (named.length === 0) return false;
      // What came is gone; what is edited after that may stand in its place.
      const came = named.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value);
      const isEdited = JSON.stringify(configuration.routes ?? '').includes(`"key":"${name}"`);
      return tulle === '(none)' || (isEdited && !tulle.split('\n').some((line) => came.includes(line)));
    },
  },
  {
    id: 'trailers-go-on',
    citation: 'RFC 9110 §6.5, docs/guides/envoy-config.md; Envoy Http1ProtocolOptions.enable_trailers',
    why: 'Trailers of HTTP/1.1 go on without being asked for.',
    explains: ({ aspect, envoy }) => /\.trailer\./.test(aspect) && envoy === '(none)',
  },
  {
    id: 'names-of-routes',
    citation: 'docs/guides/envoy-config.md',
    why: 'A route without a name is called by its place, in %ROUTE_NAME% too.',
    explains: ({ aspect, tulle }) => /\.header\./.test(aspect) && /(^|\n)all\/0(\n|$)/.test(tulle),
  },
  {
    id: 'backend-edits-last',
    citation: 'Envoy RouteConfiguration.most_specific_header_mutations_wins: from least to most specific',
    why: 'A backend of a split is more specific than its route and has the last word; in Envoy it is always first.',
    explains: ({ aspect }, { configuration }) => {
      const text = JSON.stringify(configuration.routes ?? {});
      return (
        /\.header\./.test(aspect) &&
        text.includes('"most_specific_header_mutations_wins":true') &&
        /"weighted_clusters".*_headers_to_(add|remove)/.test(text)
      );
    },
  },
];
