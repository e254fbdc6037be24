import { by, type Feature } from './gateway-api-feature.ts';

const HTTP = 'apps/gateway/tests/http-route.spec.ts';
const STEPS = 'apps/gateway/tests/http-route-steps.spec.ts';
const FOREIGN = 'packages/control/plane/tests/foreign-kinds.spec.ts';
const UNSUPPORTED = 'packages/control/plane/tests/unsupported-values.spec.ts';
const NAMES = 'takes the hosts that it names, the most specific first, and leaves others 404';
const RETRY =
  'tries again on statuses, after a time limit of the backend and after a broken connection, with a backoff';
const MIRRORS =
  'sends copies to several backends, of all requests or a share, and answers with none of theirs';
const PORT =
  'attaches to one port of a Gateway, or to one listener, and its rules are for requests of that port';

/** What the table of features says of HTTPRoutes. */
export const HTTP_ROUTE_FEATURES: readonly Feature[] = [
  {
    area: 'HTTPRoute',
    name: 'HTTPRoute',
    level: 'Core',
    proofs: by(
      HTTP,
      NAMES,
      'matches paths whole or by their elements, and headers; a request that no rule matches gets 404',
      'prefers an exact path, then the longest prefix, the method, more headers, more parameters, then the first rule',
      'splits by weight; the share of a backend that is not there gets 500, and all of it where none is',
      'edits fields of requests: set, add, remove',
      'redirects to another host: %s',
    ).concat(
      by(
        'apps/gateway/tests/dropped-rules.spec.ts',
        'is dropped: other rules have its requests, and where there is none nobody does',
      ),
      by(UNSUPPORTED, 'are dropped, which status says, and a route of no other is not accepted: filters %s'),
    ),
  },
  ...(
    [
      ['HTTPRouteQueryParamMatching', 'matches query parameters and methods'],
      ['HTTPRouteMethodMatching', 'matches query parameters and methods'],
      ['HTTPRouteResponseHeaderModification', 'edits fields of responses'],
      ['HTTPRoutePortRedirect', 'redirects: %s'],
      ['HTTPRouteSchemeRedirect', 'redirects: %s'],
      ['HTTPRoutePathRedirect', 'redirects: %s'],
      ['HTTPRoute303RedirectStatusCode', 'redirects with %s'],
      ['HTTPRoute307RedirectStatusCode', 'redirects with %s'],
      ['HTTPRoute308RedirectStatusCode', 'redirects with %s'],
      ['HTTPRouteHostRewrite', 'rewrites host and path, whole or by prefix'],
      ['HTTPRoutePathRewrite', 'rewrites host and path, whole or by prefix'],
      ['HTTPRouteRequestMirror', MIRRORS],
      ['HTTPRouteRequestMultipleMirrors', MIRRORS],
      ['HTTPRouteRequestPercentageMirror', MIRRORS],
      ['HTTPRouteRequestTimeout', 'limits the time of a request, and that of an attempt'],
      ['HTTPRouteBackendTimeout', 'limits the time of a request, and that of an attempt'],
      ['HTTPRouteParentRefPort', PORT],
      ['HTTPRouteBackendRequestHeaderModification', 'edits fields of the requests of one backend only'],
      ['HTTPRouteNamedRouteRule', 'names rules: records say which it was, and policies are for one'],
    ] as const
  ).map(([name, test]): Feature => ({
    area: 'HTTPRoute',
    name,
    level: 'Extended',
    proofs: [
      ...by(HTTP, test),
      ...(name.endsWith('Mirror') || name.endsWith('Mirrors')
        ? by(STEPS, 'copy its share alone, to several more')
        : []),
    ],
  })),
  {
    area: 'HTTPRoute',
    name: 'HTTPRouteBackendProtocolH2C',
    level: 'Extended',
    note: 'Also `http2` and `grpc`, and names of ports that begin so; case `protocols.yaml` of the golden files has every way to say it.',
    proofs: by(
      'apps/cli/tests/h2c.spec.ts',
      'is called by HTTP/2 with prior knowledge, from a Gateway and within the mesh, for callers of HTTP/1.1',
    ),
  },
  {
    area: 'HTTPRoute',
    name: 'HTTPRouteBackendProtocolWebSocket',
    level: 'Extended',
    proofs: by(
      'packages/testing/testkit/tests/websocket.spec.ts',
      'of a caller of HTTP/1.1 goes over HTTP/2 between two proxies, with the handshake that both ends ask for',
    ),
  },
  {
    area: 'HTTPRoute',
    name: 'ExtensionRef filter',
    level: 'Implementation-specific',
    unsupported:
      'No kind is known there: attach filters with a FilterPolicy. What is to pass one, of a rule or of one backend, is answered with 500, and `ResolvedRefs` is `False` with `InvalidKind`; the same of a GRPCRoute.',
    proofs: [
      ...by(
        STEPS,
        'is never skipped: what its rule matches gets 500, a redirect too, and other rules go on',
        'refuse its share with 500 where they name a filter that is not there',
      ),
      ...by(FOREIGN, 'is said of the route, and is no Service of that name: %s'),
    ],
  },
  {
    area: 'HTTPRoute',
    name: 'filters of a backend: URLRewrite',
    level: 'Extended',
    proofs: by(STEPS, 'rewrite its share, and leave the others alone'),
  },
  {
    area: 'HTTPRoute',
    name: 'filters of a backend: RequestRedirect',
    level: 'Extended',
    proofs: by(
      STEPS,
      'redirect its share; of three backends each has its own, and one that is not there 500',
    ),
  },
  {
    area: 'HTTPRoute',
    name: 'HTTPRouteCORS',
    level: 'Extended',
    proofs: by(
      STEPS,
      'answers preflights of listed origins, and says to browsers which pages may read an answer',
      'is for its rule only, also within the mesh',
      'say to browsers what holds for its share, before what the rule says',
    ),
  },
  {
    area: 'HTTPRoute',
    name: 'HTTPRouteDestinationPortMatching',
    level: 'Experimental',
    proofs: by(HTTP, PORT),
  },
  {
    area: 'HTTPRoute',
    name: 'HTTPRouteRetry',
    level: 'Experimental',
    note: 'Of more than ten further attempts ten are made, which the condition `tulle.dev/RetriesHonoured` says.',
    proofs: [
      ...by(HTTP, RETRY),
      ...by(
        UNSUPPORTED,
        'beyond those that are made are said to be so',
        'may be for every status that there is',
      ),
    ],
  },
  { area: 'HTTPRoute', name: 'HTTPRouteRetryBackendTimeout', level: 'Experimental', proofs: by(HTTP, RETRY) },
  {
    area: 'HTTPRoute',
    name: 'HTTPRouteRetryConnectionError',
    level: 'Experimental',
    proofs: by(HTTP, RETRY),
  },
  {
    area: 'HTTPRoute',
    name: 'sessionPersistence (GEP-1619)',
    level: 'Experimental',
    note: 'Of rules of HTTPRoutes and GRPCRoutes, and of `XBackendTrafficPolicy`; there it is for all backends of a rule equally. The token is a keyed hash, so that nobody sees from it which endpoint it means. A rule whose backends redirect or rewrite is split before sessions are looked at. Envoy and gRPC clients have nothing that says the same: where such a proxy serves the route, its condition `tulle.dev/SessionsKept` is `False` with `NotByForeignProxies`.',
    proofs: [
      ...by(
        'apps/cli/tests/gateway-sessions.spec.ts',
        'stay at one of several processes, whatever the weights say, until it is gone',
      ),
      ...by(
        'apps/gateway/tests/session-persistence.spec.ts',
        'stays at the endpoint that answered first, by a cookie for the paths of the rule that shows no address',
        'goes before weights, also where its backend has none any more',
        'begins anew elsewhere once its endpoint is gone, or does not answer',
        'is over when it has rested too long, or lasted long enough',
        'has a cookie that is kept, where it is to be permanent',
        'goes by a header where that is asked for',
        'is for every route that leads there, and for calls within the mesh, unless a rule says otherwise',
        'a session of a GRPCRoute is one of HTTP',
      ),
      ...by(
        'packages/control/plane/tests/session-status.spec.ts',
        'a route with sessions says which of its proxies keep none',
      ),
    ],
  },
  {
    area: 'HTTPRoute',
    name: 'ExternalAuth filter (GEP-1494)',
    level: 'Experimental',
    note: 'At rules, in gateways and within the mesh; and at one backend of a rule, for its share, beside what the rule asks. A body above `forwardBody.maxSize` is refused with 413.',
    proofs: [
      ...by(STEPS, 'ask about its share, beside what the rule asks'),
      ...by(
        'apps/gateway/tests/external-auth.spec.ts',
        'asks a Service about the requests of its rule alone; what it does not allow never comes to the backend',
        'tells by default the token and the length, and takes over every header but those of the answer itself',
        'tells the headers and the body that are listed, refuses a larger body, and takes over what is listed',
        'allows by 200 alone, and by no answer at all nothing',
        'answers 500 where there is nobody to ask, or nobody may be asked, and says so of the route',
        'is for callers within the mesh too, and is asked before a redirect',
      ),
      ...by(
        'apps/cli/tests/external-auth.spec.ts',
        'asks a service of the mesh over mutual TLS, with the headers and the body that are listed',
      ),
    ],
  },
];
