import type { DiagnosticCode } from '../src/index.ts';

/** A text and what must be said of it: code, line, the text at the place, and a part of message or hint. */
export interface Case {
  readonly name: string;
  readonly yaml: string;
  readonly expect: readonly (readonly [code: DiagnosticCode, line: number, at: string, says: string])[];
}

const service = (name: string, spec = 'ports: [{ port: 80 }]'): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ${spec} }\n---\n`;
const workload = (name: string, app: string, port = '8080'): string =>
  `apiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: ${name}, labels: { app: ${app} } }\nspec: { address: 127.0.0.1, ports: [{ port: ${port} }], inbound: { mode: none } }\n---\n`;
const route = (spec: string, name = 'r'): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: ${name} }\nspec:\n  parentRefs: [{ group: "", kind: Service, name: a }]\n${spec}\n`;
const policy = (kind: string, spec: string): string =>
  `apiVersion: tulle.dev/v1alpha1\nkind: ${kind}\nmetadata: { name: p }\nspec:\n${spec}\n`;
const JWT =
  '  config: { providers: [{ name: a, issuer: https://a.example, jwks: { url: https://a.example/keys } }] }';
const A = service('a');
const grpcRoute = (spec: string, name = 'g'): string => route(spec, name).replace('HTTPRoute', 'GRPCRoute');
const gateway = (listeners: string, name = 'edge'): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: ${name} }\nspec:\n  gatewayClassName: tulle\n  listeners:\n${listeners}\n---\n`;
const HTTP = '    - { name: http, port: 80, protocol: HTTP, hostname: "*.example.com" }';
const gatewayRoute = (parent: string, more = '', namespace = 'default'): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r, namespace: ${namespace} }\nspec:\n  parentRefs: [${parent}]\n${more}  rules: [{ backendRefs: [{ name: a, namespace: default, port: 80 }] }]\n`;

const connectionRoute = (kind: string, spec: string, parent = '{ name: edge }', name = 't'): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n  parentRefs: [${parent}]\n${spec}\n---\n`;

const budget = (spec: string, name = 'p'): string =>
  policy('XBackendTrafficPolicy', spec)
    .replace('tulle.dev/v1alpha1', 'gateway.networking.x-k8s.io/v1alpha1')
    .replace('name: p', `name: ${name}`);

export const CASES: readonly Case[] = [
  {
    name: 'gRPC to a port that does not speak HTTP/2',
    yaml: A + grpcRoute('  rules: [{ backendRefs: [{ name: a, port: 80 }] }]'),
    expect: [['TULLE0408', 11, '80 }', 'kubernetes.io/h2c']],
  },
  {
    name: 'a GRPCRoute with parts of HTTPRoutes, and with what is not there',
    yaml:
      A +
      grpcRoute(`  rules:
    - matches: [{ path: { value: / } }]
      filters: [{ type: URLRewrite }]
      timeouts: { request: 1s }
      sessionPersistence: { sessionName: a }
      backendRefs: [{ name: a, port: 80 }]`),
    expect: [
      ['TULLE0201', 12, 'path', 'here: method, headers'],
      ['TULLE0205', 13, 'URLRewrite', 'RequestHeaderModifier'],
      ['TULLE0201', 14, 'timeouts', 'timeouts'],
      ['TULLE0206', 15, 'sessionPersistence', 'not there yet'],
    ],
  },
  {
    name: 'a GRPCRoute with conditions that hold for nothing',
    yaml:
      service('a', 'ports: [{ port: 80, appProtocol: http2 }]') +
      grpcRoute(`  rules:
    - matches:
        - method: {}
        - method: { service: shop/Orders, method: Place.Order }
        - method: { type: RegularExpression, service: "a(?=b)" }
        - headers: [{ name: a, value: b }, { name: A, value: c }]
      filters: [{ type: RequestMirror }]
      backendRefs: [{ name: a, port: 80 }]`),
    expect: [
      ['TULLE0203', 13, '{}', '"service" or "method"'],
      ['TULLE0205', 14, 'shop/Orders', 'shop.v1.Orders'],
      ['TULLE0205', 14, 'Place.Order', 'the name alone'],
      ['TULLE0210', 15, '"a(?=b)"', 'RE2'],
      ['TULLE0207', 16, 'A, value', 'two conditions'],
      ['TULLE0203', 17, '{ type: RequestMirror', 'requestMirror'],
    ],
  },
  {
    name: 'a GRPCRoute and an HTTPRoute for one port',
    yaml:
      service('a', 'ports: [{ name: http2, port: 80 }, { name: two, port: 81 }]') +
      `${route('  rules: [{ backendRefs: [{ name: a, port: 80 }] }]')}---\n` +
      grpcRoute('  rules: [{ backendRefs: [{ name: a, port: 80 }] }]').replace(
        'name: a }',
        'name: a, port: 81 }',
      ),
    expect: [['TULLE0314', 10, '{ group: "", kind', 'GRPCRoute default/g applies to port 81']],
  },
  {
    name: 'a GRPCRoute and an HTTPRoute for one host of a listener, of which the older applies',
    yaml:
      service('a', 'ports: [{ port: 80, appProtocol: http2 }]') +
      gateway(HTTP) +
      `${gatewayRoute('{ name: edge }').replace('name: r,', 'creationTimestamp: 2026-01-02T00:00:00Z, name: r,')}---\n` +
      gatewayRoute('{ name: edge }', '  hostnames: [grpc.example.com]\n').replace(
        /HTTPRoute\nmetadata: \{ name: r/,
        'GRPCRoute\nmetadata: { creationTimestamp: 2026-01-01T00:00:00Z, name: g',
      ),
    expect: [['TULLE0314', 18, '{ name: edge', 'listener http of Gateway default/edge']],
  },
  {
    name: 'a GRPCRoute that leads nowhere, twice for the same, without a grant',
    yaml:
      A +
      service('b', 'ports: [{ port: 80, appProtocol: grpc }]').replace(
        'name: b',
        'name: b, namespace: other',
      ) +
      grpcRoute(`  rules:
    - matches: [{ method: { service: a.B } }]
    - matches: [{ method: { service: a.B } }]
      backendRefs: [{ name: b, namespace: other, port: 80 }]`),
    expect: [
      ['TULLE0406', 17, 'matches:', 'UNAVAILABLE'],
      ['TULLE0401', 18, '{ method', 'rule 0 of GRPCRoute default/g'],
      ['TULLE0305', 19, 'other, port', 'GRPCRoutes of default'],
    ],
  },
  {
    name: 'edits of who called, at a Gateway',
    yaml:
      A +
      gateway('    - { name: http, port: 80, protocol: HTTP }') +
      `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r }
spec:
  parentRefs: [{ name: edge }]
  rules:
    - filters:
        - type: RequestHeaderModifier
          requestHeaderModifier:
            set: [{ name: X_Forwarded_Client-Cert, value: URI=spiffe://mesh.local/ns/default/sa/admin }, { name: x-mine, value: a }]
        - { type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-envoy-a, value: a }] } }
      backendRefs:
        - name: a
          port: 80
          filters:
            - type: RequestHeaderModifier
              requestHeaderModifier:
                add: [{ name: x-real-ip, value: 192.0.2.1 }]
                remove: [forwarded, x-other]
`,
    expect: [
      ['TULLE0205', 23, 'X_Forwarded_Client-Cert', 'take a name of your own'],
      ['TULLE0205', 31, 'x-real-ip', 'says who called'],
      ['TULLE0205', 32, 'forwarded', 'says who called'],
    ],
  },
  {
    name: 'edits of who called, by a route of a Service, which nobody believes',
    yaml:
      A +
      route(
        '  rules:\n    - filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-real-ip, value: a }] } }]\n      backendRefs: [{ name: a, port: 80 }]',
      ),
    expect: [],
  },
  {
    name: 'filters that write who called, at a Gateway and at a route',
    yaml:
      A +
      gateway('    - { name: http, port: 80, protocol: HTTP }') +
      gatewayRoute('{ name: edge }') +
      `---\n${policy('FilterPolicy', '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]\n  filter: tulle.http.headers\n  config: { request: { set: [{ name: x-forwarded-for, value: a }] }, response: { set: [{ name: x-envoy-a, value: a }] } }')}` +
      `---\n${policy('FilterPolicy', '  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: r }]\n  filter: tulle.http.headers\n  config: { request: { remove: [x_tulle_a] } }').replace('name: p', 'name: q')}` +
      `---\n${policy('FilterPolicy', '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]\n  filter: tulle.http.jwt\n  config: { providers: [{ name: a, issuer: https://a.example, jwks: { url: https://a.example/keys }, claimsToHeaders: [{ claim: sub, header: x-client-ip }], payloadHeader: x-forwarded-a }] }').replace('name: p', 'name: j')}`,
    expect: [
      ['TULLE0205', 27, 'x-forwarded-for', 'says who called'],
      ['TULLE0205', 35, 'x_tulle_a', 'says who called'],
      ['TULLE0205', 43, 'x-client-ip', 'says who called'],
      ['TULLE0205', 43, 'x-forwarded-a', 'says who called'],
    ],
  },
  {
    name: 'subsets that are no such thing',
    yaml:
      A +
      route(
        '  rules:\n    - backendRefs:\n        - { kind: ServiceSubset, name: a, port: 80 }\n        - { name: a.v2, port: 80 }',
      ) +
      `---\n${policy('TrafficPolicy', '  targetRefs: [{ group: "", kind: Service, name: a }]\n  subsets: [{ name: v2, labels: { version: v2 } }, { name: v2, labels: {} }, { name: invalid, labels: { a: b } }]')}`,
    expect: [
      ['TULLE0205', 13, '{ kind: ServiceSubset', 'is of group "tulle.dev"'],
      ['TULLE0205', 13, 'a, port: 80', 'SERVICE.SUBSET'],
      ['TULLE0205', 14, 'a.v2, port', 'kind: ServiceSubset'],
      ['TULLE0207', 21, 'v2, labels: {}', 'v2'],
      ['TULLE0204', 21, '{} }', 'at least one label'],
      ['TULLE0205', 21, 'invalid', 'another name'],
      ['TULLE0302', 14, 'a.v2, port', 'does not exist'],
    ],
  },
  {
    name: 'a subset that no policy describes',
    yaml:
      A +
      route(
        '  rules:\n    - backendRefs: [{ group: tulle.dev, kind: ServiceSubset, name: a.v3, port: 80 }]',
      ) +
      `---\n${policy('TrafficPolicy', '  targetRefs: [{ group: "", kind: Service, name: a }]\n  subsets: [{ name: v2, labels: { version: v2 } }]')}`,
    expect: [['TULLE0302', 12, 'a.v3, port', 'did you mean "v2"?']],
  },
  {
    name: 'a health check of two kinds, with a range backwards and no time at all',
    yaml:
      A +
      policy(
        'TrafficPolicy',
        '  targetRefs: [{ group: "", kind: Service, name: a }]\n  healthCheck: { http: { path: /h, expectedStatuses: [299-200] }, tcp: {}, timeout: 0s }',
      ),
    expect: [
      ['TULLE0208', 11, '{ http: {', 'one of http, tcp and grpc'],
      ['TULLE0205', 11, '299-200', 'ends before it begins'],
      ['TULLE0204', 11, '0s }', 'longer than 0'],
    ],
  },
  {
    name: 'a slow start where endpoints are chosen by latency, and one of no time',
    yaml:
      A +
      policy(
        'TrafficPolicy',
        '  targetRefs: [{ group: "", kind: Service, name: a }]\n  balancing: { policy: PeakEWMA, slowStart: { window: 0s } }',
      ),
    expect: [
      ['TULLE0208', 11, '{ window', 'means nothing for PeakEWMA'],
      ['TULLE0204', 11, '0s }', 'longer than 0'],
    ],
  },
  {
    name: 'a hash of two things at once, of a cookie never made up, over a table of no prime',
    yaml:
      A +
      policy(
        'TrafficPolicy',
        '  targetRefs: [{ group: "", kind: Service, name: a }]\n  balancing: { policy: Maglev, tableSize: 100, hashOn: [{ header: a, sourceIp: true }, { cookie: { name: c, path: / } }] }',
      ),
    expect: [
      ['TULLE0204', 11, '100, hashOn', 'no prime'],
      ['TULLE0208', 11, '{ header', 'header and sourceIp stand together'],
      ['TULLE0208', 11, '/ } }] }', 'no cookie is made up'],
    ],
  },
  {
    name: 'a mirror of both a percentage and a fraction, which is more than all, to nowhere',
    yaml:
      A +
      route(
        '  rules:\n    - backendRefs: [{ name: a, port: 80 }]\n      filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: b, port: 80 }, percent: 1, fraction: { numerator: 101 } } }]',
      ),
    expect: [
      ['TULLE0208', 13, '{ numerator', 'not both'],
      ['TULLE0204', 13, '101', 'more than all'],
      ['TULLE0302', 13, 'b, port', 'default/b does not exist'],
    ],
  },
  {
    name: 'local replies of one route, in a phase, with an operator that there is not',
    yaml:
      A +
      route('  rules:\n    - backendRefs: [{ name: a, port: 80 }]') +
      `---\n${policy('FilterPolicy', '  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: r }]\n  filter: tulle.http.local-replies\n  phase: custom\n  config: { format: { text: "a %REPONSE_CODE%" }, mappers: [{ match: {} }] }')}`,
    expect: [
      ['TULLE0208', 18, 'HTTPRoute', 'not for one route'],
      ['TULLE0208', 20, 'custom', 'passes no filter'],
      ['TULLE0205', 21, '"a %REPONSE', 'did you mean %RESPONSE_CODE%?'],
      ['TULLE0208', 21, '{} }] }', 'needs a condition'],
    ],
  },
  {
    name: 'regions to fail over to without preferring any',
    yaml:
      A +
      policy(
        'TrafficPolicy',
        '  targetRefs: [{ group: "", kind: Service, name: a }]\n  locality: { prefer: None, failover: [{ from: eu, to: us }] }',
      ),
    expect: [['TULLE0208', 11, '[{ from: eu', 'prefer: Nearest']],
  },
  {
    name: 'a flow mapping without end',
    yaml: 'apiVersion: v1\nkind: Service\nmetadata: { name: a\nspec: {}\n',
    expect: [['TULLE0101', 4, 'spec: {}', 'flow map']],
  },
  {
    name: 'a tab as indentation hides no other document',
    yaml: `kind: Service\nmetadata:\n\tname: a\n---\n${service('b', 'ports: [{ port: 0 }]')}`,
    expect: [
      ['TULLE0101', 3, '\tname: a', 'tabs'],
      ['TULLE0204', 8, '0 }] }', 'between 1 and 65535'],
    ],
  },
  {
    name: 'a key that is there twice',
    yaml: `${A}apiVersion: v1\nkind: Service\nmetadata: { name: b, name: c }\nspec: { ports: [{ port: 80 }] }`,
    expect: [['TULLE0101', 8, 'name: c }', 'unique']],
  },
  {
    name: 'a text that is no mapping',
    yaml: 'just words',
    expect: [['TULLE0102', 1, 'just words', 'just words']],
  },
  { name: 'a mapping without kind', yaml: 'a: 1', expect: [['TULLE0102', 1, 'a: 1', 'no kind']] },
  {
    name: 'a misspelt kind',
    yaml: 'apiVersion: v1\nkind: Servce\nmetadata: {name: a}',
    expect: [['TULLE0103', 2, 'Servce', 'did you mean "Service"?']],
  },
  {
    name: 'a kind of another program',
    yaml: 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}',
    expect: [['TULLE0103', 2, 'Deployment', 'kinds: Service, Workload']],
  },
  {
    name: 'an old apiVersion',
    yaml: 'apiVersion: gateway.networking.k8s.io/v1beta1\nkind: HTTPRoute\nmetadata: {name: a}',
    expect: [['TULLE0104', 1, 'gateway.networ', 'gateway.networking.k8s.io/v1']],
  },
  {
    name: 'nesting without end',
    yaml: `a: ${'['.repeat(100)}${']'.repeat(100)}`,
    expect: [['TULLE0105', 1, 'a: [[[[[[[[[[[', 'deeper']],
  },
  {
    name: 'a misspelt field',
    yaml: service('a', 'prots: [], ports: [{ port: 80 }]'),
    expect: [['TULLE0201', 4, 'prots: [], por', 'did you mean "ports"?']],
  },
  {
    name: 'text for a number',
    yaml: service('a', 'ports: [{ port: "80" }]'),
    expect: [['TULLE0202', 4, '"80" }] }', 'whole number']],
  },
  {
    name: 'a field with nothing after it',
    yaml: 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec:\n  selector:\n  ports: [{ port: 80 }]',
    expect: [['TULLE0202', 5, 'selector:', 'no value']],
  },
  {
    name: 'a field that is missing',
    yaml: service('a', 'selector: { app: a }'),
    expect: [['TULLE0203', 4, '{ selector: { ', '"ports"']],
  },
  {
    name: 'several ports without names',
    yaml: service('a', 'ports: [{ port: 80, name: x }, { port: 81 }]'),
    expect: [['TULLE0203', 4, '{ port: 81 }] ', 'name']],
  },
  {
    name: 'weights out of range',
    yaml:
      A +
      route(
        '  rules: [{ backendRefs: [{ name: a, port: 80, weight: 1000001 }, { name: a, port: 80, weight: -1 }] }]',
      ),
    expect: [
      ['TULLE0204', 11, '1000001 }, { n', 'between 0 and 1000000'],
      ['TULLE0204', 11, '-1 }] }]', '-1'],
      ['TULLE0404', 11, 'a, port: 80, w', 'add up'],
    ],
  },
  {
    name: 'a value that is not allowed',
    yaml:
      A +
      route(
        '  rules: [{ matches: [{ path: { type: Prefix, value: / } }], backendRefs: [{ name: a, port: 80 }] }]',
      ),
    expect: [['TULLE0205', 11, 'Prefix, value:', 'PathPrefix']],
  },
  {
    name: 'a path that no request can have',
    yaml:
      A + route('  rules: [{ matches: [{ path: { value: "a/b" } }], backendRefs: [{ name: a, port: 80 }] }]'),
    expect: [['TULLE0205', 11, '"a/b" } }], ba', 'absolute path']],
  },
  {
    name: 'an annotation that names no service account',
    yaml: 'apiVersion: v1\nkind: Service\nmetadata: { name: a, annotations: { tulle.dev/service-accounts: "a, b/c/d, other/e" } }\nspec: { ports: [{ port: 80 }] }',
    expect: [['TULLE0205', 3, '"a, b/c/d', '"b/c/d" is no service account']],
  },
  { name: 'a name in capitals', yaml: service('Reviews'), expect: [['TULLE0205', 3, 'Reviews }', 'name']] },
  {
    name: 'a filter that is not honoured',
    yaml:
      A +
      route(
        '  rules: [{ filters: [{ type: RequestHeaderModifier, extensionRef: { name: x }, requestHeaderModifier: {} }], backendRefs: [{ name: a, port: 80 }] }]',
      ),
    expect: [['TULLE0206', 11, 'extensionRef: ', 'FilterPolicy']],
  },
  {
    name: 'an edit of the connection',
    yaml:
      A +
      route(
        '  rules: [{ filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: Host, value: x }] } }], backendRefs: [{ name: a, port: 80 }] }]',
      ),
    expect: [['TULLE0205', 11, 'Host, value: x', 'URLRewrite']],
  },
  {
    name: 'no port at all',
    yaml: service('a', 'ports: []'),
    expect: [['TULLE0207', 4, '[] }', 'at least 1 element']],
  },
  {
    name: 'a redirect with backends',
    yaml:
      A +
      route(
        '  rules: [{ filters: [{ type: RequestRedirect, requestRedirect: { scheme: https } }], backendRefs: [{ name: a, port: 80 }] }]',
      ),
    expect: [['TULLE0208', 11, '[{ name: a, po', 'no backendRefs']],
  },
  {
    name: 'an attempt longer than the request',
    yaml:
      A +
      route(
        '  rules: [{ timeouts: { request: 1s, backendRequest: 2s }, backendRefs: [{ name: a, port: 80 }] }]',
      ),
    expect: [['TULLE0208', 11, '2s }, backendR', 'longer than request']],
  },
  {
    name: 'balancing on a route',
    yaml:
      A +
      route('  rules: [{ backendRefs: [{ name: a, port: 80 }] }]') +
      '---\n' +
      policy(
        'TrafficPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: r }]\n  balancing: { policy: Random }',
      ),
    expect: [['TULLE0208', 18, '{ policy: Rand', 'Service']],
  },
  { name: 'one name twice', yaml: A + A, expect: [['TULLE0209', 8, 'a }', '3:19']] },
  {
    name: 'a pattern with look-ahead',
    yaml:
      A +
      route(
        '  rules: [{ matches: [{ path: { type: RegularExpression, value: "/(?=x)" } }], backendRefs: [{ name: a, port: 80 }] }]',
      ),
    expect: [['TULLE0210', 11, '"/(?=x)" } }],', 'RE2']],
  },
  {
    name: 'a filter configuration that breaks its schema',
    yaml: policy(
      'FilterPolicy',
      '  filter: tulle.http.fault\n  config: { abort: { status: 700 }, dely: {} }',
    ),
    expect: [
      ['TULLE0211', 6, '700 }, dely: {', 'between 200 and 599'],
      ['TULLE0211', 6, 'dely: {} }', 'delay'],
    ],
  },

  {
    name: 'a parent that does not exist',
    yaml: service('ab') + route('  rules: [{ backendRefs: [{ name: ab, port: 80 }] }]'),
    expect: [['TULLE0301', 10, 'a }]', 'did you mean "ab"?']],
  },
  {
    name: 'a backend that does not exist',
    yaml: A + route('  rules: [{ backendRefs: [{ name: b, port: 80 }] }]'),
    expect: [['TULLE0302', 11, 'b, port: 80 }]', 'default/b']],
  },
  {
    name: 'a document that breaks the schema still exists for others',
    yaml: service('b', 'selector: {}') + A + route('  rules: [{ backendRefs: [{ name: b, port: 80 }] }]'),
    expect: [['TULLE0203', 4, '{ selector: {}', 'ports']],
  },
  {
    name: 'a document with a syntax fault still exists for others',
    yaml: `apiVersion: v1\nkind: Service\nmetadata: { name: b }\nspec: { ports: [ }\n---\n${A}${route('  rules: [{ backendRefs: [{ name: b, port: 80 }] }]')}`,
    expect: [['TULLE0101', 4, '}', 'end with a ]']],
  },
  {
    name: 'a port that does not exist',
    yaml: A + route('  rules: [{ backendRefs: [{ name: a, port: 81 }] }]'),
    expect: [['TULLE0303', 11, '81 }] }]', 'its ports: 80']],
  },
  {
    name: 'a target that does not exist',
    yaml: A + policy('TrafficPolicy', '  targetRefs: [{ group: "", kind: Service, name: b }]'),
    expect: [['TULLE0304', 10, 'b }]', 'default/b']],
  },
  {
    name: 'a backend of another namespace without grant',
    yaml: `${A}apiVersion: v1\nkind: Service\nmetadata: { name: b, namespace: other }\nspec: { ports: [{ port: 80 }] }\n---\n${route('  rules: [{ backendRefs: [{ name: b, namespace: other, port: 80 }] }]')}`,
    expect: [['TULLE0305', 16, 'other, port: 8', 'ReferenceGrant in other']],
  },
  {
    name: 'a granted backend of another namespace',
    yaml: `${A}apiVersion: v1\nkind: Service\nmetadata: { name: b, namespace: other }\nspec: { ports: [{ port: 80 }] }\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: other }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }], to: [{ group: "", kind: Service }] }\n---\n${route('  rules: [{ backendRefs: [{ name: b, namespace: other, port: 80 }] }]')}`,
    expect: [],
  },
  {
    name: 'a route of a Gateway and a policy for it',
    yaml:
      A +
      gateway(HTTP) +
      policy(
        'FilterPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge, sectionName: http }]\n  filter: tulle.http.ratelimit\n  config: { limits: [{ name: all, requests: 5 }] }\n---',
      ) +
      gatewayRoute('{ name: edge }', '  hostnames: [shop.example.com]\n'),
    expect: [],
  },
  {
    name: 'a Gateway that does not exist, where a Service was meant',
    yaml: A + gatewayRoute('{ name: a }'),
    expect: [['TULLE0301', 10, 'a }]', "kind: Service, group: ''"]],
  },
  {
    name: 'a parent whose group is not that of its kind',
    yaml: A + gatewayRoute("{ kind: Service, name: a }, { group: '', kind: Gateway, name: b }"),
    expect: [
      ['TULLE0208', 10, '{ kind: Serv', "group: ''"],
      ['TULLE0208', 10, "''", 'group: gateway.networking.k8s.io'],
      ['TULLE0301', 10, 'b }]', 'default/b'],
    ],
  },
  {
    name: 'a Gateway of another class',
    yaml: gateway(HTTP).replace('tulle', 'nginx'),
    expect: [['TULLE0308', 5, 'nginx', 'gatewayClassName: tulle']],
  },
  {
    name: 'a route that its Gateway does not take',
    yaml: `${A}${gateway(HTTP)}apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other }], to: [{ group: "", kind: Service }] }\n---\n${gatewayRoute('{ name: edge, namespace: default }', '', 'other')}`,
    expect: [['TULLE0309', 23, '{ name: edge, ', 'allowedRoutes']],
  },
  {
    name: 'hostnames of a route of which no listener has one',
    yaml:
      A + gateway(HTTP) + gatewayRoute('{ name: edge }', '  hostnames: [example.com, shop.example.org]\n'),
    expect: [['TULLE0310', 19, '[example.com', '*.example.com']],
  },
  {
    name: 'a listener that does not exist, for a route and for a policy',
    yaml:
      A +
      gateway(HTTP) +
      gatewayRoute('{ name: edge, sectionName: https }') +
      '---\n' +
      policy(
        'FilterPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge, sectionName: htp }]\n  filter: tulle.http.ratelimit\n  config: { limits: [{ name: all, requests: 5 }] }',
      ),
    expect: [
      ['TULLE0311', 18, 'https }]', 'http (HTTP 80, *.example.com)'],
      ['TULLE0311', 25, 'htp }]', 'did you mean "http"?'],
    ],
  },
  {
    name: 'a policy for a Gateway that does not exist, with a direction',
    yaml: policy(
      'FilterPolicy',
      '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]\n  direction: inbound\n  filter: tulle.http.ratelimit\n  config: { limits: [{ name: all, requests: 5 }] }',
    ),
    expect: [
      ['TULLE0208', 6, 'inbound', 'one way'],
      ['TULLE0304', 5, 'edge }]', 'default/edge'],
    ],
  },
  {
    name: 'a Gateway that asks for routes that are not served',
    yaml: gateway(
      '    - { name: a, port: 80, protocol: HTTP, allowedRoutes: { kinds: [{ kind: TCPRoute }, { kind: GRPCRoute }] } }',
    ),
    expect: [['TULLE0312', 7, '[{ kind: TCP', 'TCPRoute']],
  },
  {
    name: 'listeners that cannot be together',
    yaml: gateway(
      '    - { name: a, port: 80, protocol: HTTP }\n    - { name: b, port: 80, protocol: HTTPS, tls: { certificateRefs: [{ name: c }] } }\n    - { name: c, port: 81, protocol: HTTP }',
    ),
    expect: [
      ['TULLE0407', 7, 'HTTP }', 'port 80'],
      ['TULLE0407', 8, 'HTTPS', 'ports of their own'],
    ],
  },
  {
    name: 'listeners that contradict themselves or each other',
    yaml: gateway(
      [
        '    - { name: a, port: 80, protocol: HTTP, tls: { mode: Terminate } }',
        '    - { name: a, port: 443, protocol: HTTPS }',
        '    - { name: b, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: c }, { name: d }] } }',
        '    - { name: d, port: 82, protocol: HTTP, allowedRoutes: { namespaces: { from: Selector } } }',
        '    - { name: e, port: 83, protocol: HTTP, allowedRoutes: { namespaces: { selector: {} } } }',
      ].join('\n'),
    ),
    expect: [
      ['TULLE0208', 7, '{ mode', 'protocol: HTTPS'],
      ['TULLE0203', 8, '{ name: a, port: 443', 'certificateRefs'],
      ['TULLE0207', 8, 'a, port: 443', 'used twice'],
      ['TULLE0207', 9, '{ name: b', 'same port'],
      ['TULLE0207', 9, '{ name: d }', 'one certificate'],
      ['TULLE0203', 10, '{ from: Sel', 'selector'],
      ['TULLE0208', 11, '{} }', 'Same'],
    ],
  },
  {
    name: 'a protocol that there is not',
    yaml: gateway('    - { name: f, port: 84, protocol: SCTP }'),
    expect: [['TULLE0205', 7, 'SCTP }', '"HTTPS", "TLS"']],
  },
  {
    name: 'a protocol that is not served',
    yaml: gateway('    - { name: f, port: 84, protocol: UDP }'),
    expect: [['TULLE0315', 7, 'UDP }', 'HTTP, HTTPS, TLS and TCP are']],
  },
  {
    name: 'listeners of TLS and TCP that contradict themselves',
    yaml: gateway(
      [
        '    - { name: a, port: 443, protocol: TLS, hostname: a.example.com }',
        '    - { name: b, port: 443, protocol: TLS, tls: { mode: Terminate } }',
        '    - { name: c, port: 444, protocol: TLS, tls: { mode: Passthrough, certificateRefs: [{ name: c }] } }',
        '    - { name: d, port: 445, protocol: HTTPS, tls: { mode: Passthrough } }',
        '    - { name: e, port: 446, protocol: TLS, tls: { mode: Terminate, options: { tulle.dev/callers: mesh } } }',
        '    - { name: f, port: 447, protocol: TCP, hostname: f.example.com, tls: { mode: Terminate } }',
      ].join('\n'),
    ),
    expect: [
      ['TULLE0203', 7, '{ name: a', 'mode: Passthrough'],
      ['TULLE0203', 8, '{ mode', 'certificateRefs'],
      ['TULLE0208', 9, '[{ name: c', 'passes through'],
      ['TULLE0208', 10, 'Passthrough', 'TLSRoute'],
      ['TULLE0208', 11, '{ tulle.dev', 'HTTPS only'],
      ['TULLE0208', 12, 'f.example', 'nothing there says one'],
      ['TULLE0208', 12, '{ mode', 'protocol: TLS'],
    ],
  },
  {
    name: 'HTTPS and TLS on one port, told apart by their hostnames only; nothing beside TCP',
    yaml: gateway(
      [
        '    - { name: a, port: 443, protocol: HTTPS, hostname: a.example.com, tls: { certificateRefs: [{ name: c }] } }',
        '    - { name: b, port: 443, protocol: TLS, hostname: b.example.com, tls: { mode: Passthrough } }',
        '    - { name: c, port: 443, protocol: TLS, hostname: a.example.com, tls: { mode: Passthrough } }',
        '    - { name: d, port: 80, protocol: TCP }',
        '    - { name: e, port: 80, protocol: HTTP }',
      ].join('\n'),
    ),
    expect: [
      ['TULLE0407', 7, '{ name: a', 'one hostname on port 443'],
      ['TULLE0407', 9, '{ name: c', 'hostname of its own'],
      ['TULLE0407', 10, 'TCP', 'TCP and of HTTP'],
      ['TULLE0407', 11, 'HTTP', 'ports of their own'],
    ],
  },
  {
    name: 'parts of a Gateway that are not honoured',
    yaml: gateway('    - { name: a, port: 80, protocol: HTTP }').replace(
      '  listeners:',
      '  infrastructure: { labels: { a: b } }\n  allowedListeners: { namespaces: { from: All } }\n  defaultScope: All\n  listeners:',
    ),
    expect: [
      ['TULLE0206', 6, 'infrastructure', 'tulle gateway'],
      ['TULLE0206', 7, 'allowedListeners', 'ListenerSets'],
      ['TULLE0206', 8, 'defaultScope', 'parents'],
    ],
  },
  {
    name: 'parts of routes that are not honoured',
    yaml:
      A +
      route(`  rules:
    - filters: [{ type: RequestHeaderModifier, requestHeaderModifier: {}, externalAuth: {} }]
      sessionPersistence: { sessionName: a }
      backendRefs: [{ name: a, port: 80 }]`),
    expect: [
      ['TULLE0206', 12, 'externalAuth', 'FilterPolicy'],
      ['TULLE0206', 13, 'sessionPersistence', 'not there yet'],
    ],
  },
  {
    name: 'kinds of the Gateway API that are not there',
    yaml: ['UDPRoute', 'ListenerSet', 'GatewayClass']
      .map(
        (kind) =>
          `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: a }\nspec: {}\n---\n`,
      )
      .join(''),
    expect: [
      ['TULLE0103', 2, 'UDPRoute', 'UDPRoute'],
      ['TULLE0103', 7, 'ListenerSet', 'ListenerSet'],
      ['TULLE0103', 12, 'GatewayClass', 'GatewayClass'],
    ],
  },
  {
    name: 'addresses, ports and CAs of a Gateway that cannot be meant',
    yaml:
      gateway('    - { name: a, port: 80, protocol: HTTP }').replace(
        '  listeners:',
        '  addresses: [{ value: edge.example }, { value: 192.0.2.1 }, { type: IPAddress, value: 192.0.2.1 }]\n  tls: { frontend: { default: {}, perPort: [{ port: 1, tls: {} }, { port: 1, tls: {} }] } }\n  listeners:',
      ) +
      gateway('    - { name: a, port: 80, protocol: HTTP }', 'side').replace(
        '  listeners:',
        '  tls: { frontend: { default: { validation: { caCertificateRefs: [{ group: "", kind: Secret, name: a }] } } } }\n  listeners:',
      ),
    expect: [
      ['TULLE0205', 6, 'edge.example', 'no IP address'],
      ['TULLE0207', 6, '{ type: IPAddress', 'listed twice'],
      ['TULLE0207', 7, '1, tls: {} }] } }', 'port 1'],
      ['TULLE0205', 16, 'Secret', 'ConfigMap'],
    ],
  },
  {
    name: 'certificates and CAs of a Gateway that are not there, or of others',
    yaml: gateway('    - { name: a, port: 80, protocol: HTTP }').replace(
      '  listeners:',
      '  tls:\n    frontend: { default: { validation: { caCertificateRefs: [{ group: "", kind: ConfigMap, name: a, namespace: keys }] } } }\n    backend: { clientCertificateRef: { name: a, namespace: keys } }\n  listeners:',
    ),
    expect: [
      ['TULLE0313', 7, 'a, namespace', 'no ConfigMap keys/a'],
      ['TULLE0305', 7, 'keys }] }', 'to kind ConfigMap'],
      ['TULLE0305', 8, 'keys }', 'to kind Secret'],
    ],
  },
  {
    name: 'a backend that redirects and rewrites, and steps that its rule or kind has not',
    yaml:
      service('a', 'ports: [{ port: 80, appProtocol: http2 }]') +
      route(`  rules:
    - filters: [{ type: URLRewrite, urlRewrite: { hostname: b.example } }]
      backendRefs:
        - name: a
          port: 80
          filters: [{ type: URLRewrite, urlRewrite: { hostname: c.example } }, { type: RequestRedirect, requestRedirect: {} }]
    - matches: [{ path: { type: Exact, value: /a } }]
      backendRefs: [{ name: a, port: 80, filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }] }]`) +
      '---\n' +
      grpcRoute(
        '  rules: [{ backendRefs: [{ name: a, port: 80, filters: [{ type: RequestRedirect, requestRedirect: {} }] }] }]',
      ),
    expect: [
      ['TULLE0208', 16, '{ type: URLR', 'every backend'],
      ['TULLE0208', 16, '{ type: RequestR', 'cannot both'],
      ['TULLE0208', 18, '{ type: URLR', 'PathPrefix'],
      ['TULLE0205', 25, 'RequestRedirect', 'gRPC knows'],
      ['TULLE0314', 10, '{ group', 'GRPCRoute default/g'],
    ],
  },
  {
    name: 'an origin that is none',
    yaml:
      A +
      route(
        '  rules: [{ filters: [{ type: CORS, cors: { allowOrigins: [shop.example] } }], backendRefs: [{ name: a, port: 80 }] }]',
      ),
    expect: [['TULLE0205', 11, 'shop.example', 'scheme://host']],
  },
  {
    name: 'names of a backend that cannot be meant',
    yaml: `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: p, namespace: other }\nspec:\n  targetRefs: [{ group: "", kind: Service, name: b }]\n  validation:\n    hostname: b.example\n    wellKnownCACertificates: System\n    subjectAltNames: [{ type: URI, hostname: a.example }, { type: Hostname, hostname: a.example, uri: "a:b" }]\n`,
    expect: [
      ['TULLE0203', 9, '{ type: URI', '"uri"'],
      ['TULLE0208', 9, 'a.example }, { type: H', 'not "hostname"'],
      ['TULLE0208', 9, '"a:b"', 'not "uri"'],
      ['TULLE0304', 5, 'b }]', 'other/b'],
    ],
  },
  {
    name: 'rules of which neither is more specific, for requests that fit both',
    yaml:
      A +
      route(`  rules:
    - { matches: [{ headers: [{ name: x-a, value: "1" }] }], backendRefs: [{ name: a, port: 80 }] }
    - { matches: [{ headers: [{ name: x-b, value: "1" }] }], backendRefs: [{ name: a, port: 80 }] }
    - { matches: [{ headers: [{ name: X-A, value: "2" }] }, { queryParams: [{ name: q, value: v }] }], backendRefs: [{ name: a, port: 80 }] }
    - { matches: [{ method: GET }], backendRefs: [{ name: a, port: 80 }] }`),
    expect: [
      ['TULLE0411', 13, '{ headers: [{ name: x-b', 'rule 0 of HTTPRoute default/r (f.yaml:12)'],
      ['TULLE0411', 14, '{ headers: [{ name: X-A', 'rule 1 of HTTPRoute default/r'],
    ],
  },
  {
    name: 'a rule that another one has some hosts of, and one of another namespace, which is for other callers',
    yaml:
      A +
      route('  hostnames: [a.example]\n  rules: [{ backendRefs: [{ name: a, port: 80 }] }]', 'p') +
      '---\n' +
      route('  hostnames: [a.example, b.example]\n  rules: [{ backendRefs: [{ name: a, port: 80 }] }]', 'q') +
      '---\n' +
      route(
        '  hostnames: [a.example]\n  rules: [{ backendRefs: [{ name: a, port: 80 }] }]',
        'r, namespace: other',
      ).replace('name: a }]', 'name: a, namespace: default }]'),
    expect: [
      ['TULLE0411', 20, '{ backend', 'host a.example at Service a'],
      ['TULLE0302', 28, 'a, port', 'in namespace default'],
    ],
  },
  {
    name: 'shares of Services that nobody is behind',
    yaml:
      service('a', 'selector: { app: a }, ports: [{ port: 80 }]') +
      service('b', 'selector: { app: b }, ports: [{ port: 80 }]') +
      service('c', 'ports: [{ port: 80 }]') +
      workload('w', 'a', '80') +
      route(
        '  rules: [{ backendRefs: [{ name: a, port: 80 }, { name: b, port: 80, weight: 9 }, { name: c, port: 80 }] }, { matches: [{ path: { value: /b } }], backendRefs: [{ name: b, port: 80, weight: 0 }, { name: a, port: 80 }] }]',
      ),
    expect: [
      ['TULLE0501', 9, '{ app: b', 'app=b'],
      ['TULLE0412', 26, '9 }', 'share of 9'],
      ['TULLE0412', 26, 'c, port', 'share of 1'],
    ],
  },
  {
    name: 'budgets of a Service, twice, for nobody, and too short to count in',
    yaml:
      A +
      policy('TrafficPolicy', '  targetRefs: [{ group: "", kind: Service, name: a }]\n  retryBudget: {}') +
      '---\n' +
      budget(
        '  targetRefs: [{ group: "", kind: Service, name: a }, { group: "", kind: Service, name: b }]\n  retryConstraint: {}',
      ) +
      '---\n' +
      budget(
        '  targetRefs: [{ group: "", kind: Service, name: a }, { group: "", kind: Service, name: a }]\n  retryConstraint: { budget: { interval: 1ms } }',
        'q',
      ),
    expect: [
      ['TULLE0207', 24, '{ group: "", kind: Service, name: a }]', 'listed twice'],
      ['TULLE0204', 25, '1ms', '10ms'],
      ['TULLE0505', 17, '{ group', 'TrafficPolicy p already'],
      ['TULLE0304', 17, 'b }', 'default/b'],
      ['TULLE0505', 24, '{ group', 'TrafficPolicy p already'],
      ['TULLE0505', 24, '{ group', 'TrafficPolicy p already'],
    ],
  },
  {
    name: 'routes of connections with what they do not have',
    yaml:
      service('a', 'ports: [{ port: 80, appProtocol: tcp }]') +
      connectionRoute(
        'TLSRoute',
        '  hostnames: [a.example.com, a.example.com, 192.0.2.1]\n  rules: [{ backendRefs: [{ name: a.b, port: 80 }] }]',
        '{ name: edge, namespace: other }',
      ) +
      connectionRoute('TLSRoute', '  rules: []', '{ name: edge, namespace: other }', 'u') +
      connectionRoute(
        'TCPRoute',
        '  hostnames: [a.example.com]\n  rules: [{ matches: [], backendRefs: [{ name: a, port: 80, filters: [] }] }]',
        '{ kind: Service, group: "", name: a }',
      ),
    expect: [
      ['TULLE0207', 11, 'a.example.com, 192', 'listed twice'],
      ['TULLE0205', 11, '192.0.2.1', 'address'],
      ['TULLE0205', 12, 'a.b', 'name of a Service'],
      ['TULLE0203', 18, 'parentRefs', 'hostnames'],
      ['TULLE0207', 19, '[]', 'at least 1'],
      ['TULLE0206', 25, 'Service', 'Gateway'],
      ['TULLE0201', 26, 'hostnames', 'hostnames'],
      ['TULLE0201', 27, 'matches', 'matches'],
      ['TULLE0201', 27, 'filters', 'filters'],
      ['TULLE0301', 10, 'edge, namespace', 'other/edge'],
      ['TULLE0302', 12, 'a.b', 'default/a.b'],
    ],
  },
  {
    name: 'routes of connections that lead nowhere',
    yaml:
      service('a', 'ports: [{ name: web, port: 80 }, { name: tcp, port: 81 }]') +
      gateway(
        '    - { name: tls, port: 443, protocol: TLS, hostname: "*.example.com", tls: { mode: Passthrough } }\n    - { name: tcp, port: 81, protocol: TCP, allowedRoutes: { kinds: [{ kind: HTTPRoute }, { kind: TCPRoute }] } }',
      ) +
      connectionRoute(
        'TLSRoute',
        '  hostnames: [a.example.com]\n  rules: [{ backendRefs: [{ name: a, port: 80 }, { name: b, port: 81 }, { name: a, namespace: other, port: 81 }] }]',
      ) +
      connectionRoute(
        'TLSRoute',
        '  hostnames: [a.example.com]\n  rules: [{ backendRefs: [{ name: a, port: 82 }] }]',
        '{ name: edge, sectionName: tls }',
        'u',
      ) +
      connectionRoute(
        'TCPRoute',
        '  rules: [{ backendRefs: [{ name: a, port: 81, weight: 0 }] }]',
        '{ name: edge, port: 443 }',
      ),
    expect: [
      ['TULLE0312', 13, '[{ kind: HTTP', 'kinds: [{ kind: TCPRoute }]'],
      ['TULLE0409', 21, '80 }', 'appProtocol: tcp'],
      ['TULLE0302', 21, 'b, port', 'default/b'],
      ['TULLE0302', 21, 'a, namespace', 'other/a'],
      ['TULLE0305', 21, 'other, port', 'TLSRoutes of default'],
      ['TULLE0410', 27, '[{ name: edge', 'TLSRoute default/t has'],
      ['TULLE0303', 29, '82 }', 'its ports'],
      ['TULLE0309', 35, '{ name: edge', 'TCPRoutes'],
      ['TULLE0403', 36, '[{ name: a', 'refused'],
    ],
  },
  {
    name: 'a certificate of another namespace',
    yaml: gateway(
      '    - { name: a, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: c, namespace: keys }] } }',
    ),
    expect: [['TULLE0305', 7, 'keys }]', 'from kind Gateway to kind Secret']],
  },
  {
    name: 'a name outside the mesh that is half said',
    yaml:
      service('x', 'type: ExternalName, selector: { app: x }, ports: [{ port: 443 }]') +
      service('y', 'externalName: example.org, ports: [{ port: 443 }]'),
    expect: [
      ['TULLE0203', 4, '{ type: Ext', 'externalName'],
      ['TULLE0208', 4, '{ app: x }', 'no Workloads'],
      ['TULLE0208', 9, 'example.org', 'type: ExternalName'],
    ],
  },
  {
    name: 'an address for a name outside the mesh',
    yaml: service('x', 'type: ExternalName, externalName: 169.254.169.254, ports: [{ port: 80 }]'),
    expect: [['TULLE0205', 4, '169.254.169.254', 'is an address']],
  },
  {
    name: 'TLS policies for nothing and with nobody to believe',
    yaml: `${A}${service('x', 'type: ExternalName, externalName: example.org, ports: [{ port: 443 }]')}${[
      'a',
      'x',
      'nowhere',
    ]
      .map(
        (name) =>
          `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: ${name} }\nspec: { targetRefs: [{ group: "", kind: Service, name: ${name} }], validation: { hostname: example.org, caCertificateRefs: [{ group: "", kind: ConfigMap, name: ${name} }] } }\n---\n`,
      )
      .join('')}apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { other: text }\n`,
    expect: [
      ['TULLE0509', 14, 'a }], valid', 'mutual TLS'],
      ['TULLE0313', 14, 'a }] } }', 'no ca.crt'],
      ['TULLE0313', 19, 'x }] } }', 'default/x'],
      ['TULLE0304', 24, 'nowhere }]', 'default/nowhere'],
      ['TULLE0313', 24, 'nowhere }] }', 'default/nowhere'],
    ],
  },
  {
    name: 'a TLS policy that says nobody or two, and a ConfigMap with what does not belong there',
    yaml: `${service('x', 'type: ExternalName, externalName: example.org, ports: [{ port: 443 }]')}apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: a }\nspec: { targetRefs: [{ group: "", kind: Service, name: x }], validation: { hostname: example.org } }\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: b }\nspec: { targetRefs: [{ group: "", kind: Service, name: x }], validation: { hostname: example.org, wellKnownCACertificates: System, caCertificateRefs: [{ group: "", kind: ConfigMap, name: c }] } }\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata: { ca.crt: "-----BEGIN PRIVATE KEY-----" }\n`,
    expect: [
      ['TULLE0203', 9, '{ hostname:', 'System'],
      ['TULLE0208', 14, 'System', 'either'],
      ['TULLE0205', 19, '"-----BEGIN', 'private key'],
      ['TULLE0205', 19, '"-----BEGIN', 'no certificate'],
    ],
  },
  {
    name: 'a listener for callers of the mesh with a certificate',
    yaml: gateway(
      '    - { name: a, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: c }], options: { tulle.dev/callers: mesh } } }',
    ),
    expect: [['TULLE0208', 7, '[{ name: c', 'identity of the gateway']],
  },
  {
    name: 'endpoints of nothing',
    yaml: 'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: e, labels: { kubernetes.io/service-name: x } }\naddressType: IPv4\nendpoints: [{ addresses: [10.0.0.1] }]',
    expect: [['TULLE0306', 3, 'x } }', 'default/x']],
  },
  {
    name: 'a target port that no Workload has',
    yaml: service('a', 'selector: { app: a }, ports: [{ port: 80, targetPort: 9999 }]') + workload('w', 'a'),
    expect: [['TULLE0307', 4, '9999 }] }', '8080']],
  },
  {
    name: 'a rule that is never used',
    yaml:
      A +
      route(
        '  rules:\n    - { matches: [{ path: { value: /x } }], backendRefs: [{ name: a, port: 80 }] }\n    - { matches: [{ path: { value: /x/ } }], backendRefs: [{ name: a, port: 80 }] }',
      ),
    expect: [['TULLE0401', 13, '{ path: { valu', 'rule 0']],
  },
  {
    name: 'a tie between two routes',
    yaml:
      A +
      route('  rules: [{ backendRefs: [{ name: a, port: 80 }] }]', 'r1') +
      '---\n' +
      route('  rules: [{ backendRefs: [{ name: a, port: 80 }] }]', 'r2'),
    expect: [
      ['TULLE0401', 18, '{ backendRefs:', 'default/r1'],
      ['TULLE0402', 18, '{ backendRefs:', 'by name'],
    ],
  },
  {
    name: 'no weight at all',
    yaml: A + route('  rules: [{ backendRefs: [{ name: a, port: 80, weight: 0 }] }]'),
    expect: [['TULLE0403', 11, '[{ name: a, po', '500']],
  },
  {
    name: 'a route on a TCP port',
    yaml:
      service('a', 'ports: [{ port: 80, appProtocol: tcp }]') +
      route('  rules: [{ backendRefs: [{ name: a, port: 80 }] }]'),
    expect: [['TULLE0405', 10, '{ group: "", k', 'appProtocol']],
  },
  {
    name: 'a rule without backends',
    yaml: A + route('  rules: [{ matches: [{ method: GET }] }]'),
    expect: [['TULLE0406', 11, '{ matches: [{ ', '500']],
  },
  {
    name: 'a selector that matches nothing',
    yaml:
      workload('w', 'shop') +
      policy(
        'AuthorizationPolicy',
        '  selector: { matchLabels: { app: shopp } }\n  action: DENY\n  rules: [{}]',
      ),
    expect: [['TULLE0501', 10, '{ matchLabels:', 'app=shop']],
  },
  {
    name: 'a selector in a namespace whose Workloads are not known',
    yaml: service('a', 'selector: { app: a }, ports: [{ port: 80 }]'),
    expect: [],
  },
  {
    name: 'a policy without rules',
    yaml: policy('AuthorizationPolicy', '  action: ALLOW'),
    expect: [['TULLE0502', 5, 'action: ALLOW', 'denied']],
  },
  {
    name: 'a request policy on a TCP port',
    yaml:
      service('a', 'selector: { app: a }, ports: [{ port: 8080, appProtocol: tcp }]') +
      workload('w', 'a') +
      policy('AuthorizationPolicy', '  action: ALLOW\n  rules: [{ to: { methods: [GET] } }]'),
    expect: [['TULLE0503', 15, 'action: ALLOW', 'w:8080']],
  },
  {
    name: 'a filter that is not known',
    yaml: policy('FilterPolicy', '  filter: tulle.http.falt'),
    expect: [['TULLE0504', 5, 'tulle.http.fal', 'tulle.http.fault']],
  },
  {
    name: 'two policies for one thing',
    yaml: `${A}${policy('TrafficPolicy', '  targetRefs: [{ group: "", kind: Service, name: a }]\n  retries: { attempts: 1 }')}---\n${policy('TrafficPolicy', '  targetRefs: [{ group: "", kind: Service, name: a }]\n  retries: { attempts: 2 }').replace('name: p', 'name: q')}`,
    expect: [['TULLE0505', 18, '{ attempts: 2 ', 'TrafficPolicy p']],
  },
  {
    name: 'a rule that cannot match',
    yaml: policy(
      'AuthorizationPolicy',
      '  action: DENY\n  rules: [{ to: { methods: [GET], notMethods: [GET, PUT] } }]',
    ),
    expect: [['TULLE0506', 6, '[GET], notMeth', 'methods']],
  },
  {
    name: 'claims where no token is read',
    yaml: policy(
      'AuthorizationPolicy',
      '  action: ALLOW\n  rules: [{ when: [{ key: "request.auth.claims[role]", values: [admin] }] }]',
    ),
    expect: [['TULLE0508', 6, '[{ key: "reque', 'tulle.http.jwt']],
  },
  {
    name: 'claims where a token is read for another workload only',
    yaml:
      workload('w', 'a') +
      workload('v', 'b') +
      policy('FilterPolicy', `  selector: { matchLabels: { app: b } }\n  filter: tulle.http.jwt\n${JWT}`) +
      '---\n' +
      policy(
        'AuthorizationPolicy',
        '  action: ALLOW\n  rules: [{ when: [{ key: "request.auth.principal", values: ["*"] }] }]',
      ),
    expect: [['TULLE0508', 24, '[{ key: "reque', 'is for default/w']],
  },
  {
    name: 'claims where a token is read, by a filter in its own phase',
    yaml:
      workload('w', 'a') +
      policy('FilterPolicy', `  filter: tulle.http.jwt\n${JWT}`) +
      '---\n' +
      policy(
        'AuthorizationPolicy',
        '  action: ALLOW\n  rules: [{ when: [{ key: "request.auth.principal", values: ["*"] }] }]',
      ),
    expect: [],
  },
  {
    name: 'a token that is read after it was judged',
    yaml: policy('FilterPolicy', `  phase: custom\n  filter: tulle.http.jwt\n${JWT}`),
    expect: [['TULLE0208', 5, 'custom', 'runs in phase authn, not custom']],
  },
  {
    name: 'a PeerAuthentication that says nothing',
    yaml: policy('PeerAuthentication', '  selector: { matchLabels: { app: a } }'),
    expect: [['TULLE0203', 5, 'selector: { ma', 'PERMISSIVE']],
  },
  {
    name: 'a mode that does not exist',
    yaml: policy('PeerAuthentication', '  mtls: { mode: permissive }'),
    expect: [['TULLE0205', 5, 'permissive }', 'did you mean "PERMISSIVE"?']],
  },
  {
    name: 'ports that are none',
    yaml: policy(
      'PeerAuthentication',
      '  portLevelMtls: { http: { mode: STRICT }, "70000": { mode: STRICT }, "8080": { mode: STRICT } }',
    ),
    expect: [
      ['TULLE0205', 5, 'http: { mode: ', 'must match'],
      ['TULLE0204', 5, '"70000": { mod', '70000 is no port'],
    ],
  },
  {
    name: 'two policies that ask for mutual TLS',
    yaml: `${policy('PeerAuthentication', '  mtls: { mode: STRICT }')}---\n${policy('PeerAuthentication', '  mtls: { mode: PERMISSIVE }').replace('name: p', 'name: q')}`,
    expect: [['TULLE0510', 11, '{ mode: PERMIS', 'PeerAuthentication p']],
  },
  {
    name: 'mutual TLS of a port that nobody has',
    yaml:
      workload('w', 'a') + policy('PeerAuthentication', '  portLevelMtls: { "80": { mode: PERMISSIVE } }'),
    expect: [['TULLE0511', 10, '{ mode: PERMIS', '8080']],
  },
  {
    name: 'denials by identity where plain text is taken',
    yaml:
      workload('w', 'a') +
      policy('PeerAuthentication', '  portLevelMtls: { "8080": { mode: PERMISSIVE } }') +
      `---\n${policy('AuthorizationPolicy', '  selector: { matchLabels: { app: a } }\n  action: DENY\n  rules:\n    - to: { methods: [GET] }\n    - from: { serviceAccounts: [b] }')}`,
    expect: [['TULLE0512', 20, '{ serviceAccounts', 'port 8080 of default/w takes plain text']],
  },
  {
    name: 'denials by namespace where plain text is taken, before any workload is there',
    yaml: `${policy('PeerAuthentication', '  selector: { matchLabels: { app: a } }\n  mtls: { mode: PERMISSIVE }')}---\n${policy('AuthorizationPolicy', '  action: DENY\n  rules: [{ from: { namespaces: [x] } }]')}`,
    expect: [['TULLE0512', 13, '{ namespaces', 'PeerAuthentication default/p']],
  },
  {
    name: 'denials that plain text does not evade',
    yaml:
      workload('w', 'a') +
      policy('PeerAuthentication', '  mtls: { mode: PERMISSIVE }') +
      `---\n${policy('PeerAuthentication', '  selector: { matchLabels: { app: a } }\n  mtls: { mode: STRICT }').replace('name: p', 'name: q')}` +
      `---\n${policy('AuthorizationPolicy', '  selector: { matchLabels: { app: a } }\n  action: DENY\n  rules: [{ from: { serviceAccounts: [b] } }]')}` +
      `---\n${policy('AuthorizationPolicy', '  action: DENY\n  rules: [{ from: { notIdentities: ["spiffe://mesh.local/ns/default/*"] } }]').replace('name: p', 'name: q')}` +
      `---\n${policy('AuthorizationPolicy', '  action: DENY\n  shadow: true\n  rules: [{ from: { namespaces: [x] } }]').replace('name: p', 'name: r')}`,
    expect: [],
  },
  {
    name: 'an identity of another mesh',
    yaml: policy(
      'AuthorizationPolicy',
      '  action: DENY\n  rules: [{ from: { identities: [spiffe://other/ns/a/sa/b] } }]',
    ),
    expect: [['TULLE0507', 6, 'spiffe://other', 'other']],
  },
];
