import type { Difference } from './compare.ts';
import type { Exchange } from './configuration.ts';
import { explainsAlpn } from './explained/alpn.ts';
import { explainsBackendEdits } from './explained/backend-edits.ts';
import { explainsCall, isCall } from './explained/calls.ts';
import { explainsCors } from './explained/cors.ts';
import { explainsAbort } from './explained/faults.ts';
import { explainsAuthz, isListed, isRefusalOf } from './explained/ext-authz.ts';
import { explainsHopByHop } from './explained/hop-by-hop.ts';
import { explainsLocation, isForwarded } from './explained/locations.ts';
import { explainsHttp1, explainsHttp2 } from './explained/malformed.ts';
import { explainsUnanswered } from './explained/unanswered.ts';
import type { Pair } from './explained/pair.ts';
import { explainsAmbiguous, explainsAsterisk, explainsSpelling } from './explained/paths.ts';
import { explainsRepeats } from './explained/repeats.ts';
import { explainsToken } from './explained/tokens.ts';
import { explainsTarget } from './explained/targets.ts';
import { canonical, OWN_TEXT } from './explained/whole.ts';
import { answerTo, asked, told } from './expected.ts';

/** A difference that is meant. */
export interface Explanation {
  readonly id: string;
  /** Section of the RFC, or page of the documentation, that says so. */
  readonly citation: string;
  readonly why: string;
  explains(difference: Difference, pair: Pair): boolean;
}

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

/** What Tulle says of what it does not take. */
const REFUSED: readonly RegExp[] = [
  /is no path; it begins with \/ and has no query/,
  /substitution: has a \? or #; the query stays as it is/,
  /with_request_body\.allow_partial_message: must be false/,
  /the variable \w+ is not a whole segment/,
  /the pattern of \w+ is made of segments that are literal/,
];

/** Whether two targets are one in the spelling that both proxies read: escapes, and slashes that stand together. */
const isSameTarget = (one: string, other: string): boolean =>
  canonical(one).replaceAll(/\/+/g, '/') === canonical(other).replaceAll(/\/+/g, '/');

/** Whether requests are authorized by a service, which is at `d`. */
function isAuthorized({ httpFilters }: Pair['configuration']): boolean {
  return JSON.stringify(httpFilters ?? '').includes('filters.http.ext_authz');
}

/** Whether a service takes part in requests, so that it may be what failed. */
function isProcessed({ httpFilters }: Pair['configuration']): boolean {
  return JSON.stringify(httpFilters ?? '').includes('filters.http.ext_proc');
}

/** Whether a request is answered by authorization's refusal, of which the caller is not told what its content is. */
function isRefusedUntyped({ configuration, exchange, observations }: Pair): boolean {
  const answer = answerTo(exchange, 'd', 0);
  const isTold =
    isListed(configuration, 'allowed_client_headers', 'content-type') ||
    !JSON.stringify(configuration.httpFilters ?? '').includes('"allowed_client_headers"');
  return (
    isAuthorized(configuration) &&
    observations !== undefined &&
    isRefusalOf(observations, answer) &&
    !(isTold && answer.headers?.some(([name]) => name === 'content-type') === true)
  );
}

/** Whether a field is a trailer that somebody said: the client where an origin saw it, an origin where the client did. */
function isTrailer(aspect: string, value: string, exchange: Exchange | undefined): boolean {
  const [, side, name] = /^(reply|seen\[\d+\])\.trailer\.(.+)$/.exec(aspect) ?? [];
  if (name === undefined) return false;
  const said =
    side === 'reply'
      ? Object.values(exchange?.answers ?? {}).flatMap((all) => all.flatMap(({ trailers = [] }) => trailers))
      : (exchange?.trailers ?? []);
  return (
    said.some(([one, other]) => one.toLowerCase() === name && other === value) ||
    exchange?.bytes?.toLowerCase().includes(`\n${name}: ${value.toLowerCase()}\r`) === true ||
    isLiteral(exchange, name, value)
  );
}

/** Whether frames have a field, which a client that speaks them by itself writes as literals (RFC 7541 §6.2.2). */
function isLiteral(exchange: Exchange | undefined, name: string, value: string): boolean {
  const literal = [name, value].map((text) => String.fromCharCode(text.length) + text).join('');
  return exchange?.protocol === 'frames' && exchange.bytes?.includes(literal) === true;
}

/** Members of a list that is spread over lines. */
function members(text: string): string {
  return text
    .split(/[,\n]/)
    .map((one) => one.trim())
    .join();
}

/** What is meant to differ. At most 25: whoever adds one takes care that another goes. */
export const EXPLANATIONS: readonly Explanation[] = [
  {
    id: 'own-replies',
    citation:
      'RFC 9110 §15.5, §15.6: an error is explained in the content; §8.3.2: charset; §15.3.2: without Location, what was created is at the target URI; RFC 6585 §4: Retry-After; docs/reference/errors.md; gRPC, Statuscodes: DEADLINE_EXCEEDED',
    why: 'An answer of the proxy itself has the code of its reason and the request id for its text, with its charset; Envoy has a text of its own, or none, and names the target URI in the Location of a direct response of 201 or 301.',
    explains: ({ aspect, envoy, tulle }, pair) =>
      (aspect === 'reply.header.content-type' &&
        envoy === 'text/plain' &&
        tulle === '(none)' &&
        isRefusedUntyped(pair)) ||
      (aspect === 'reply.header.location' &&
        tulle === '(none)' &&
        [201, 301].includes(pair.observations?.envoy.reply.status ?? 0) &&
        isSameTarget(envoy.replace(/^https?:\/\/[^/]+/, ''), pair.exchange?.path ?? '/') &&
        JSON.stringify(pair.configuration.routes ?? '').includes('"direct_response"')) ||
      explainsCall({ aspect, envoy, tulle }, pair) ||
      (isOwn(pair) &&
        ((aspect === 'reply.body' && OWN_TEXT.test(tulle)) ||
          (aspect === 'reply.header.x-request-id' &&
            envoy === '(none)' &&
            (tulle === '(uuid)' || tulle === asked(pair.exchange, 'x-request-id'))) ||
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
    explains: ({ aspect, tulle }, pair) =>
      tulle === '(none)' &&
      ((/^seen\[\d+\]\.header\.grpc-timeout$/.test(aspect) &&
        isCall(pair) &&
        asked(pair.exchange, 'grpc-timeout') === '') ||
        /^(reply\.header\.x-envoy-upstream-service-time|seen\[\d+\]\.header\.x-envoy-(expected-rq-timeout-ms|auth-partial-body|original-path|original-host)|reply\.header\.x-envoy-upstream-healthchecked-cluster)$/.test(
          aspect,
        )),
  },
  {
    id: 'connection-after-refusal',
    citation: 'RFC 9112 §9.3, §9.6: after its response a server may keep a connection that it can read on',
    why: 'Where a request is answered before it is read, or refused for its target, or for a service that fails, Tulle reads what remains of it and keeps the connection; Envoy closes it.',
    explains: ({ aspect, envoy, tulle }, { configuration, exchange, observations }) =>
      ((exchange?.body !== undefined && told(observations?.envoy, 'x-origin') === undefined) ||
        exchange?.protocol === 'raw' ||
        observations?.envoy.reply.status === 400 ||
        (isProcessed(configuration) && told(observations?.envoy, 'x-origin') === undefined) ||
        observations?.tulle.reply.status === 400) &&
      observations?.envoy.reply.outcome === 'answered' &&
      ((aspect === 'reply.fate' && envoy === 'closed' && tulle === 'open') ||
        (aspect === 'reply.statuses' &&
          // What asks whether the connection is there may itself be refused by a filter.
          (tulle === `${envoy} 299` ||
            (configuration.httpFilters !== undefined && tulle.replace(/ \d{3}$/, '') === envoy))) ||
        (aspect === 'reply.header.connection' && envoy === 'close' && tulle === '(none)')),
  },
  {
    id: 'lengths-as-known',
    citation:
      'RFC 9112 §6.3: a request without either length has no body; §6.1: an answer to HEAD may have Transfer-Encoding; RFC 9110 §8.6: Content-Length: 0 says that there is none, who knows the length should say it, and 204 has none',
    why: 'Envoy adds Content-Length: 0 to a request that said nothing of a body, and Transfer-Encoding to an answer to HEAD that has no length; Tulle forwards what was said, says the length of a body that a filter has collected, and says it of its own answers without content over HTTP/2 too.',
    explains: ({ aspect, envoy, tulle }, { configuration, exchange, observations }) =>
      ((exchange?.protocol === 'http2' || exchange?.chunked === true) &&
        /"with_request_body"/.test(JSON.stringify([configuration.httpFilters, configuration.routes])) &&
        ((/^seen\[\d+\]\.header\.content-length$/.test(aspect) &&
          envoy === '(none)' &&
          tulle === String(exchange.body?.length)) ||
          (/^seen\[\d+\]\.header\.transfer-encoding$/.test(aspect) &&
            envoy === 'chunked' &&
            tulle === '(none)'))) ||
      (aspect === 'reply.header.content-length' &&
        exchange?.protocol === 'http2' &&
        envoy === '(none)' &&
        tulle === '0' &&
        observations?.tulle.reply.body === '' &&
        // One that cannot have content has no length of it either.
        observations.tulle.reply.status !== 204 &&
        // An answer of authorization has its service's name.
        [undefined, isAuthorized(configuration) ? 'd' : undefined].includes(
          told(observations.tulle, 'x-origin'),
        )) ||
      (tulle === '(none)' &&
        ((/^seen\[\d+\]\.header\.content-length$/.test(aspect) &&
          envoy === '0' &&
          exchange?.body === undefined) ||
          (aspect === 'reply.header.transfer-encoding' &&
            envoy === 'chunked' &&
            exchange?.method === 'HEAD'))),
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
    explains: explainsSpelling,
  },
  {
    id: 'asterisk-form',
    citation: 'RFC 9110 §7.1, §9.3.7: a proxy forwards OPTIONS *',
    why: 'The prefix of every path fits OPTIONS *, which goes on; in Envoy no route fits it.',
    explains: explainsAsterisk,
  },
  {
    id: 'ambiguous-paths',
    citation:
      'docs/guides/envoy-config.md; RFC 3986 §2.1, §3.3; reliability: every spelling of a path is judged or refused',
    why: 'A path that an origin could read otherwise than the proxy is refused with 400: escaped slashes beside dots, dots above the root, percent signs that escape nothing.',
    explains: explainsAmbiguous,
  },
  {
    id: 'cors-answers',
    citation:
      'Fetch standard, CORS protocol: ok status, wildcards, default max-age 5; RFC 9110 §12.5.5, §15.3.5; packages/filters/cors/README.md',
    why: 'A preflight is answered without content, what depends on Origin says so in Vary, wildcards and the default age are written out, null or a host in upper case is no origin, and an origin that is not listed is told nothing. Policies hold where the route answers itself, too.',
    explains: explainsCors,
  },
  {
    id: 'words-of-tokens',
    citation:
      'RFC 6750 §2: one token in one way; §3.1: a token that is no good is 401; RFC 7518 §3.4: a signature by ES256 has 64 octets; RFC 9110 §11.1: schemes have no case, §11.5: realm; RFC 7519 §2, §4.1.3: audiences are compared as they are written; packages/filters/jwt/README.md, docs/guides/envoy-config.md',
    why: 'A token for somebody else is as bad as any other, 401 and not 403; the realm is the host, Envoy’s the whole target; a scheme is Bearer in any case; a claim that is a list becomes a line for each value; two tokens are none, and neither is one with more behind its signature, which Envoy takes; audiences of a requirement are asked for beside those of its provider.',
    explains: explainsToken,
  },
  {
    id: 'names-in-handshakes',
    citation:
      'RFC 7301 §3.2: no_application_protocol where none is common; RFC 9113 §3.2: h2 is chosen by ALPN; Envoy DownstreamTlsContext.require_sni; SPIFFE X509-SVID §2: exactly one URI; docs/guides/envoy-config.md',
    why: 'A listener names by ALPN what it speaks where its TLS names nothing, and refuses a caller who names only others; Envoy names nothing then, and takes it. Where a server name is required, nobody comes in without, whom Envoy lets by; and who is to have a SPIFFE id, caller or origin, has no other URI beside it.',
    explains: explainsAlpn,
  },
  {
    id: 'authorization-as-said',
    citation:
      'packages/filters/ext-authz/README.md: identity stays the proxy’s; RFC 9110 §5.3, §9.3.2; Envoy BufferSettings.max_request_bytes: 413, and authorization is not asked; ExtAuthz.clear_route_cache: any field that is added; docs/decisions/044-filters-without-a-route.md',
    why: 'What a caller sends under a name by which authorization tells the service who it is does not go on, whether authorization says it or not; what authorization says in several lines goes on in all of them, and the type of a refusal’s content is told without content too, as to HEAD; and a body that is longer than it may be shown is refused, also where it comes in one frame of HTTP/2, of which Envoy shows the beginning; and a field that authorization adds (allowed_upstream_headers_to_append) has a route looked for again as one that it sets. It is asked about what no route takes, too.',
    explains: explainsAuthz,
  },
  {
    id: 'aborts-by-status',
    citation:
      'docs/guides/envoy-config.md; packages/filters/fault/README.md; gRPC over HTTP/2, Requests: POST',
    why: 'An abort by a gRPC status is for gRPC calls, which are POST over HTTP/2; others get the HTTP status that is equal to it.',
    explains: explainsAbort,
  },
  {
    id: 'valid-targets',
    citation:
      'RFC 3986 §3.3, RFC 9112 §3.2: characters of a path; RFC 9110 §7.2: of a host; §4.2.3: a host has no case, normally lower case; RFC 3986 §6.2.3: no colon without a port',
    why: 'What is forwarded is a valid target in one spelling: the host in lower case and without the colon of a port that is not there, and whatever a rewrite makes: path in its one spelling, host as it came where what comes out is none.',
    explains: explainsTarget,
  },
  {
    id: 'lines-of-lists',
    citation:
      'RFC 9110 §5.3, §5.6.1: lines of one name and members of one list say the same; whitespace around commas means nothing',
    why: 'Lines stay apart, as a field may not be a list at all; members that Tulle adds to a list stand behind a comma and a space.',
    explains: ({ aspect, envoy, tulle }) =>
      /\.header\.(?!set-cookie$)/.test(aspect) &&
      members(envoy) === members(tulle) &&
      tulle.split('\n').length >= envoy.split('\n').length,
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
        ((/^seen\[\d+\]\.header\.x-envoy-internal$/.test(aspect) && envoy === 'true' && tulle === '(none)') ||
          (/^seen\[\d+\]\.header\.x-forwarded-for$/.test(aspect) &&
            !envoy.includes(',') &&
            (tulle === '(none)' || tulle.endsWith('127.0.0.1'))))),
  },
  {
    id: 'repeats-by-method',
    citation:
      'RFC 9110 §9.2.2: a proxy must not repeat by itself what is not idempotent; RFC 9112 §9.3.1: what is, where a connection ended',
    why: 'POST and PATCH are repeated only where nothing of them was sent, whatever a retry policy says, and what was not sent is one thing, whether a connection was refused or a stream; what is idempotent is sent once more where a connection that was used before ends without an answer.',
    explains: explainsRepeats,
  },
  {
    id: 'scheme-and-port',
    citation:
      'RFC 3986 §6.2.2, §6.2.3: one spelling of a path, and the port of a scheme may be left out; RFC 9110 §4.2.2: where HTTPS is; Envoy, HTTP header manipulation › x-forwarded-proto',
    why: 'A Location has its path in one spelling, and one port, or none where it is the one of its scheme; a redirect that require_tls makes has none, as a port at which HTTP is spoken is none of HTTPS. Over HTTP/2 too the scheme is the one that x-forwarded-proto says.',
    explains: (difference, pair) => {
      const { aspect, envoy, tulle } = difference;
      if (aspect === 'reply.header.location') return explainsLocation(difference, pair);
      return (
        /\.header\./.test(aspect) &&
        isForwarded(pair) &&
        members(envoy) === members(tulle).replace('https', 'http') &&
        JSON.stringify(pair.configuration.routes ?? '').includes('%REQ(:scheme)%')
      );
    },
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
    explains: explainsHopByHop,
  },
  {
    id: 'goes-on',
    citation:
      'RFC 9110 §6.5, §10.1.1; docs/guides/envoy-config.md; Envoy Http1ProtocolOptions.enable_trailers, proxy_100_continue',
    why: 'Trailers of HTTP/1.1, and what a request expects, go on without being asked for.',
    explains: ({ aspect, envoy, tulle }, { exchange }) =>
      envoy === '(none)' &&
      (isTrailer(aspect, tulle, exchange) ||
        (/^seen\[\d+\]\.header\.expect$/.test(aspect) &&
          tulle === '100-continue' &&
          (asked(exchange, 'expect') !== '' ||
            /\nexpect:/i.test(exchange?.bytes ?? '') ||
            isLiteral(exchange, 'expect', '100-continue')))),
  },
  {
    id: 'strict-http1',
    citation:
      'RFC 9112 §2.2, §3, §3.2, §5, §6.1, §6.3, §7.1; RFC 9110 §9.1 (501), §15.5.15 (414); docs/reference/errors.md: TULLE_DOWNSTREAM_PROTOCOL',
    why: 'What is no valid message is refused with one answer, and the connection ends; Envoy mends some of it and passes it on, or calls it by another status, and gives it no answer where a processor takes part in answers. A judge of its own (explained/malformed.ts) says what is not valid.',
    explains: (difference, pair) => explainsHttp1(difference, pair) || explainsUnanswered(difference, pair),
  },
  {
    id: 'strict-http2',
    citation:
      'RFC 9113 §6.3: a priority is of a stream; §8.1.1, §5.4.2: a malformed request is an error of its stream; §5.1.1, §8.2.1, §8.3.1; RFC 6585 §5: 431',
    why: 'A malformed request ends its stream before an origin sees any of it, and one with an underscore in a name gets the 400 that it gets over HTTP/1.1; Envoy ends the connection, or the stream, or passes on what the judge calls malformed.',
    explains: explainsHttp2,
  },
  {
    id: 'backend-edits-last',
    citation: 'Envoy RouteConfiguration.most_specific_header_mutations_wins: from least to most specific',
    why: 'A backend of a split is more specific than its route and has the last word; in Envoy it is always first.',
    explains: explainsBackendEdits,
  },
];
