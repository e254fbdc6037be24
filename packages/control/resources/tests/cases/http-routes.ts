import { told, type Case } from './case.ts';
import { A, HTTP, TO_A, gateway, gatewayRoute, service, workload, route, rule, grpcRoute } from './yaml.ts';

/** HTTPRoutes of Services. */
export const HTTP_ROUTES: readonly Case[] = [
  told(
    'edits of who called, by a route of a Service, which nobody believes',
    A +
      route(
        '  rules:\n    - filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-real-ip, value: a }] } }]\n      backendRefs: [{ name: a, port: 80 }]',
      ),
  ),
  told(
    'a mirror of both a percentage and a fraction, which is more than all, to nowhere',
    A +
      route(
        '  rules:\n    - backendRefs: [{ name: a, port: 80 }]\n      filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: b, port: 80 }, percent: 1, fraction: { numerator: 101 } } }]',
      ),
    ['TULLE0208', 13, '{ numerator', 'not both'],
    ['TULLE0204', 13, '101', 'more than all'],
    ['TULLE0302', 13, 'b, port', 'default/b does not exist'],
  ),
  told(
    'weights out of range',
    A +
      route(
        '  rules: [{ backendRefs: [{ name: a, port: 80, weight: 1000001 }, { name: a, port: 80, weight: -1 }] }]',
      ),
    ['TULLE0204', 11, '1000001 }, { n', 'between 0 and 1000000'],
    ['TULLE0204', 11, '-1 }] }]', '-1'],
    ['TULLE0404', 11, 'a, port: 80, w', 'add up'],
  ),
  told('a value that is not allowed', A + rule('matches: [{ path: { type: Prefix, value: / } }]'), [
    'TULLE0205',
    11,
    'Prefix, value:',
    'PathPrefix',
  ]),
  told('a path that no request can have', A + rule('matches: [{ path: { value: "a/b" } }]'), [
    'TULLE0205',
    11,
    '"a/b" } }], ba',
    'absolute path',
  ]),
  told(
    'a reference to a filter beside another one',
    A +
      rule(
        'filters: [{ type: RequestHeaderModifier, extensionRef: { name: x }, requestHeaderModifier: {} }]',
      ),
    ['TULLE0203', 11, '{ name: x', 'group'],
    ['TULLE0203', 11, '{ name: x', 'kind'],
  ),
  told(
    'a filter with the field of another one',
    A +
      rule(
        'filters: [{ type: RequestHeaderModifier, extensionRef: { group: a.example, kind: Waf, name: x }, requestHeaderModifier: {} }]',
      ),
    ['TULLE0208', 11, '{ group: a.exa', 'requestHeaderModifier'],
  ),
  told(
    'an edit of the connection',
    A +
      rule(
        'filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: Host, value: x }] } }]',
      ),
    ['TULLE0205', 11, 'Host, value: x', 'URLRewrite'],
  ),
  told(
    'a redirect with backends',
    A + rule('filters: [{ type: RequestRedirect, requestRedirect: { scheme: https } }]'),
    ['TULLE0208', 11, '[{ name: a, po', 'no backendRefs'],
  ),
  told('an attempt longer than the request', A + rule('timeouts: { request: 1s, backendRequest: 2s }'), [
    'TULLE0208',
    11,
    '2s }, backendR',
    'longer than request',
  ]),
  told(
    'a pattern with look-ahead',
    A + rule('matches: [{ path: { type: RegularExpression, value: "/(?=x)" } }]'),
    ['TULLE0210', 11, '"/(?=x)" } }],', 'RE2'],
  ),
  told(
    'a parent that does not exist',
    service('ab') + route('  rules: [{ backendRefs: [{ name: ab, port: 80 }] }]'),
    ['TULLE0301', 10, 'a }]', 'did you mean "ab"?'],
  ),
  told('a backend that does not exist', A + route('  rules: [{ backendRefs: [{ name: b, port: 80 }] }]'), [
    'TULLE0302',
    11,
    'b, port: 80 }]',
    'default/b',
  ]),
  told('a port that does not exist', A + route('  rules: [{ backendRefs: [{ name: a, port: 81 }] }]'), [
    'TULLE0303',
    11,
    '81 }] }]',
    'its ports: 80',
  ]),
  told(
    'a backend of another namespace without grant',
    `${A}apiVersion: v1\nkind: Service\nmetadata: { name: b, namespace: other }\nspec: { ports: [{ port: 80 }] }\n---\n${route('  rules: [{ backendRefs: [{ name: b, namespace: other, port: 80 }] }]')}`,
    ['TULLE0305', 16, 'other, port: 8', 'ReferenceGrant in other'],
  ),
  told(
    'a granted backend of another namespace',
    `${A}apiVersion: v1\nkind: Service\nmetadata: { name: b, namespace: other }\nspec: { ports: [{ port: 80 }] }\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: other }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }], to: [{ group: "", kind: Service }] }\n---\n${route('  rules: [{ backendRefs: [{ name: b, namespace: other, port: 80 }] }]')}`,
  ),
  told(
    'kinds that Tulle does not have: of parents, backends, copies and filters',
    A +
      route(`  rules:
    - filters:
        - { type: ExtensionRef, extensionRef: { group: a.example, kind: Waf, name: w } }
        - { type: RequestMirror, requestMirror: { backendRef: { group: a.example, name: a } } }
      backendRefs:
        - { name: a, port: 80, filters: [{ type: ExtensionRef, extensionRef: { group: '', kind: Waf, name: w } }] }
        - { group: multicluster.x-k8s.io, kind: ServiceImport, name: a }
        - { name: a }`).replace('parentRefs: [', 'parentRefs: [{ group: a.example, kind: Mesh, name: m }, '),
    ['TULLE0203', 18, '{ name: a }', 'port'],
    ['TULLE0319', 10, 'Mesh', 'Mesh.a.example'],
    ['TULLE0320', 13, '{ group: a.example, kind: Waf', 'Waf.a.example'],
    ['TULLE0320', 14, 'a.example', 'Service.a.example'],
    ['TULLE0320', 16, "{ group: ''", 'answered with 500'],
    ['TULLE0320', 17, 'ServiceImport', 'ServiceImport.multicluster.x-k8s.io'],
  ),
  told(
    'steps of a backend that do not go together',
    A +
      route(`  rules:
    - backendRefs:
        - name: a
          port: 80
          filters:
            - { type: RequestRedirect, requestRedirect: { hostname: b.example } }
            - { type: RequestMirror, requestMirror: { backendRef: { name: a, port: 80 } } }`),
    ['TULLE0419', 12, 'backendRefs', 'is dropped'],
  ),
  told(
    'who is asked about requests: nobody, by two protocols at once, with a path that leads elsewhere',
    A +
      route(`  rules:
    - matches: [{ path: { value: /a } }]
      filters: [{ type: ExternalAuth, externalAuth: { protocol: HTTP, backendRef: { name: gone, port: 80 }, http: { path: /a/../b, allowedHeaders: [X-A, x-a, 'x-*'] } } }]
      backendRefs: [{ name: a, port: 80 }]
    - matches: [{ path: { value: /b } }]
      filters: [{ type: ExternalAuth, externalAuth: { protocol: GRPC, backendRef: { name: a, port: 80, namespace: other }, http: {} } }]
      backendRefs: [{ name: a, port: 80 }]
    - matches: [{ path: { value: /c } }]
      filters: [{ type: ExternalAuth, externalAuth: { protocol: GRPC, backendRef: { name: a, port: 80 }, grpc: {}, forwardBody: { maxSize: 65536 } } }, { type: ExternalAuth }]
      backendRefs: [{ name: a, port: 80 }]`),
    ['TULLE0205', 13, '/a/../b', 'dot segments'],
    ['TULLE0207', 13, 'x-a', 'listed twice'],
    ['TULLE0205', 13, "'x-*'", 'without *'],
    ['TULLE0203', 16, '{ protocol', 'grpc: {}'],
    ['TULLE0208', 16, '{} } }]', 'not "http"'],
    ['TULLE0204', 19, '65536', 'between 0 and 65535'],
    ['TULLE0203', 19, '{ type: ExternalAuth }]', 'needs the field'],
    ['TULLE0207', 19, 'ExternalAuth }]', 'there twice'],
    ['TULLE0302', 13, 'gone', 'default/gone does not exist'],
    ['TULLE0302', 16, 'a, port: 80, namespace', 'other/a does not exist'],
    ['TULLE0305', 16, 'other }', 'ReferenceGrant'],
    ['TULLE0408', 19, '80 }, grpc', 'h2c'],
  ),
  told(
    'sessions of rules, and what cannot be meant by them',
    A +
      route(`  rules:
    - sessionPersistence: { sessionName: sid, absoluteTimeout: 1h, idleTimeout: 5m, cookieConfig: { lifetimeType: Permanent } }
      matches: [{ path: { value: /a } }]
      backendRefs: [{ name: a, port: 80 }]
    - sessionPersistence: { cookieConfig: { lifetimeType: Permanent }, idleTimeout: 0s }
      matches: [{ path: { value: /b } }]
      backendRefs: [{ name: a, port: 80 }]
    - sessionPersistence: { type: Header, sessionName: Set-Cookie, cookieConfig: {} }
      matches: [{ path: { value: /c } }]
      backendRefs: [{ name: a, port: 80 }]
    - sessionPersistence: { sessionName: 'a b', type: Path }
      matches: [{ path: { value: /d } }]
      backendRefs: [{ name: a, port: 80 }]`),
    ['TULLE0203', 15, 'Permanent', 'absoluteTimeout'],
    ['TULLE0204', 15, '0s', 'over at once'],
    ['TULLE0205', 18, 'Set-Cookie', 'a name of your own'],
    ['TULLE0208', 18, '{} }', 'type: Cookie'],
    ['TULLE0205', 21, "'a b'", 'sessionName'],
    ['TULLE0205', 21, 'Path', '"Header"'],
  ),
  told(
    'a backend that redirects and rewrites, and steps that its rule or kind has not',
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
    ['TULLE0208', 16, '{ type: URLR', 'every backend'],
    ['TULLE0208', 16, '{ type: RequestR', 'cannot both'],
    ['TULLE0208', 18, '{ type: URLR', 'PathPrefix'],
    ['TULLE0420', 25, 'RequestRedirect', 'gRPC knows'],
  ),
  told(
    'an origin that is none',
    A + rule('filters: [{ type: CORS, cors: { allowOrigins: [shop.example] } }]'),
    ['TULLE0205', 11, 'shop.example', 'scheme://host'],
  ),
  told(
    'rules of which neither is more specific, for requests that fit both',
    A +
      route(`  rules:
    - { matches: [{ headers: [{ name: x-a, value: "1" }] }], backendRefs: [{ name: a, port: 80 }] }
    - { matches: [{ headers: [{ name: x-b, value: "1" }] }], backendRefs: [{ name: a, port: 80 }] }
    - { matches: [{ headers: [{ name: X-A, value: "2" }] }, { queryParams: [{ name: q, value: v }] }], backendRefs: [{ name: a, port: 80 }] }
    - { matches: [{ method: GET }], backendRefs: [{ name: a, port: 80 }] }`),
    ['TULLE0411', 13, '{ headers: [{ name: x-b', 'rule 0 of HTTPRoute default/r (f.yaml:12)'],
    ['TULLE0411', 14, '{ headers: [{ name: X-A', 'rule 1 of HTTPRoute default/r'],
  ),
  told(
    'a rule that another one has some hosts of, and one of another namespace, which is for other callers',
    A +
      route('  hostnames: [a.example]\n  rules: [{ backendRefs: [{ name: a, port: 80 }] }]', 'p') +
      '---\n' +
      route('  hostnames: [a.example, b.example]\n  rules: [{ backendRefs: [{ name: a, port: 80 }] }]', 'q') +
      '---\n' +
      route(
        '  hostnames: [a.example]\n  rules: [{ backendRefs: [{ name: a, port: 80 }] }]',
        'r, namespace: other',
      ).replace('name: a }]', 'name: a, namespace: default }]'),
    ['TULLE0411', 20, '{ backend', 'host a.example at Service a'],
    ['TULLE0302', 28, 'a, port', 'in namespace default'],
  ),
  told(
    'rules of two routes of which one names the port, one has hosts that another has at one of two listeners',
    service('a', 'ports: [{ name: http, port: 80 }, { name: alt, port: 81 }]') +
      gateway(`${HTTP}\n    - { name: alt, port: 8080, protocol: HTTP }`) +
      route(TO_A, 'p') +
      '---\n' +
      route(TO_A, 'q').replace('name: a }]', 'name: a, port: 80 }]') +
      '---\n' +
      gatewayRoute('{ name: edge, port: 80 }', '  hostnames: [a.example.com]\n') +
      '---\n' +
      gatewayRoute('{ name: edge }', '  hostnames: [a.example.com]\n').replace('name: r,', 'name: s,'),
    ['TULLE0401', 27, '{ backend', 'rule 0 of HTTPRoute default/p'],
    ['TULLE0402', 27, '{ backend', 'default/p'],
    ['TULLE0411', 43, '{ backend', 'of host a.example.com at listener http of Gateway edge'],
  ),
  told(
    'shares of Services that nobody is behind',
    service('a', 'selector: { app: a }, ports: [{ port: 80 }]') +
      service('b', 'selector: { app: b }, ports: [{ port: 80 }]') +
      service('c', 'ports: [{ port: 80 }]') +
      workload('w', 'a', '80') +
      route(
        '  rules: [{ backendRefs: [{ name: a, port: 80 }, { name: b, port: 80, weight: 9 }, { name: c, port: 80 }] }, { matches: [{ path: { value: /b } }], backendRefs: [{ name: b, port: 80, weight: 0 }, { name: a, port: 80 }] }]',
      ),
    ['TULLE0501', 9, '{ app: b', 'app=b'],
    ['TULLE0412', 26, '9 }', 'share of 9'],
    ['TULLE0412', 26, 'c, port', 'share of 1'],
  ),
  told(
    'a rule that is never used',
    A +
      route(
        '  rules:\n    - { matches: [{ path: { value: /x } }], backendRefs: [{ name: a, port: 80 }] }\n    - { matches: [{ path: { value: /x/ } }], backendRefs: [{ name: a, port: 80 }] }',
      ),
    ['TULLE0401', 13, '{ path: { valu', 'rule 0'],
  ),
  told(
    'a tie between two routes',
    A + route(TO_A, 'r1') + '---\n' + route(TO_A, 'r2'),
    ['TULLE0401', 18, '{ backendRefs:', 'default/r1'],
    ['TULLE0402', 18, '{ backendRefs:', 'by name'],
  ),
  told('no weight at all', A + route('  rules: [{ backendRefs: [{ name: a, port: 80, weight: 0 }] }]'), [
    'TULLE0403',
    11,
    '[{ name: a, po',
    '500',
  ]),
  told('a route on a TCP port', service('a', 'ports: [{ port: 80, appProtocol: tcp }]') + route(TO_A), [
    'TULLE0405',
    10,
    '{ group: "", k',
    'appProtocol',
  ]),
  told('a rule without backends', A + route('  rules: [{ matches: [{ method: GET }] }]'), [
    'TULLE0406',
    11,
    '{ matches: [{ ',
    '500',
  ]),
];
