import { told, type Case } from './case.ts';
import { A, HTTP, TO_A, service, route, grpcRoute, gateway, gatewayRoute } from './yaml.ts';

/** GRPCRoutes. */
export const GRPC_ROUTES: readonly Case[] = [
  told('gRPC to a port that does not speak HTTP/2', A + grpcRoute(TO_A), [
    'TULLE0408',
    11,
    '80 }',
    'kubernetes.io/h2c',
  ]),
  told(
    'a GRPCRoute with parts of HTTPRoutes, and with what is not there',
    A +
      grpcRoute(`  rules:
    - matches: [{ path: { value: / } }]
      filters: [{ type: Rewrite }]
      timeouts: { request: 1s }
      sessionPersistence: { sessionName: '' }
      backendRefs: [{ name: a, port: 80 }]`),
    ['TULLE0201', 12, 'path', 'here: method, headers'],
    ['TULLE0205', 13, 'Rewrite', 'RequestHeaderModifier'],
    ['TULLE0201', 14, 'timeouts', 'timeouts'],
    ['TULLE0207', 15, "''", 'sessionName'],
  ),
  told(
    'a GRPCRoute with filters of HTTPRoutes',
    service('a', 'ports: [{ port: 80, appProtocol: http2 }]') +
      grpcRoute(`  rules:
    - filters:
        - { type: CORS, cors: { allowOrigins: ['*'] } }
        - { type: ExternalAuth, externalAuth: { protocol: GRPC, grpc: {}, backendRef: { name: a, port: 80 } } }
      backendRefs: [{ name: a, port: 80, filters: [{ type: URLRewrite, urlRewrite: { hostname: b.example } }] }]`),
    ['TULLE0420', 13, 'CORS', 'tulle.http.cors'],
    ['TULLE0420', 14, 'ExternalAuth', 'tulle.http.ext-authz'],
    ['TULLE0420', 15, 'URLRewrite', 'not accepted'],
  ),
  told(
    'rules of GRPCRoutes that others have, by another word for the same listener',
    service('a', 'ports: [{ port: 80, appProtocol: http2 }]') +
      gateway(HTTP) +
      gatewayRoute('{ name: edge }')
        .replace('HTTPRoute', 'GRPCRoute')
        .replace(
          'rules: [{',
          'rules: [{ matches: [{ method: { service: s.v1.A } }, { headers: [{ name: x, value: "1" }] }],',
        ) +
      '---\n' +
      gatewayRoute('{ name: edge, sectionName: http }', '  hostnames: ["*.example.com"]\n')
        .replace('HTTPRoute', 'GRPCRoute')
        .replace('name: r,', 'name: s,')
        .replace(
          'rules: [{',
          'rules: [{ matches: [{ method: { service: s.v1.A } }] }, { matches: [{ headers: [{ name: y, value: "1" }] }],',
        ),
    ['TULLE0406', 27, '{ matches', 'no backendRefs'],
    ['TULLE0401', 27, '{ method', 'rule 0 of GRPCRoute default/r'],
    ['TULLE0402', 27, '{ method', 'default/r'],
    ['TULLE0411', 27, '{ headers', 'rule 0 of GRPCRoute default/r'],
  ),
  told(
    'a GRPCRoute with conditions that hold for nothing',
    service('a', 'ports: [{ port: 80, appProtocol: http2 }]') +
      grpcRoute(`  rules:
    - matches:
        - method: {}
        - method: { service: shop/Orders, method: Place.Order }
        - method: { type: RegularExpression, service: "a(?=b)" }
        - headers: [{ name: a, value: b }, { name: A, value: c }]
      filters: [{ type: RequestMirror }]
      backendRefs: [{ name: a, port: 80 }]`),
    ['TULLE0203', 13, '{}', '"service" or "method"'],
    ['TULLE0205', 14, 'shop/Orders', 'shop.v1.Orders'],
    ['TULLE0205', 14, 'Place.Order', 'the name alone'],
    ['TULLE0210', 15, '"a(?=b)"', 'RE2'],
    ['TULLE0207', 16, 'A, value', 'two conditions'],
    ['TULLE0203', 17, '{ type: RequestMirror', 'requestMirror'],
  ),
  told(
    'a GRPCRoute and an HTTPRoute for one port',
    service('a', 'ports: [{ name: http2, port: 80 }, { name: two, port: 81 }]') +
      `${route(TO_A)}---\n` +
      grpcRoute(TO_A).replace('name: a }', 'name: a, port: 81 }'),
    ['TULLE0314', 10, '{ group: "", kind', 'GRPCRoute default/g applies to port 81'],
  ),
  told(
    'a GRPCRoute and an HTTPRoute for one host of a listener, of which the older applies',
    service('a', 'ports: [{ port: 80, appProtocol: http2 }]') +
      gateway(HTTP) +
      `${gatewayRoute('{ name: edge }').replace('name: r,', 'creationTimestamp: 2026-01-02T00:00:00Z, name: r,')}---\n` +
      gatewayRoute('{ name: edge }', '  hostnames: [grpc.example.com]\n').replace(
        /HTTPRoute\nmetadata: \{ name: r/,
        'GRPCRoute\nmetadata: { creationTimestamp: 2026-01-01T00:00:00Z, name: g',
      ),
    ['TULLE0314', 18, '{ name: edge', 'listener http of Gateway default/edge'],
  ),
  told(
    'a GRPCRoute that leads nowhere, twice for the same, without a grant',
    A +
      service('b', 'ports: [{ port: 80, appProtocol: grpc }]').replace(
        'name: b',
        'name: b, namespace: other',
      ) +
      grpcRoute(`  rules:
    - matches: [{ method: { service: a.B } }]
    - matches: [{ method: { service: a.B } }]
      backendRefs: [{ name: b, namespace: other, port: 80 }]`),
    ['TULLE0406', 17, 'matches:', 'UNAVAILABLE'],
    ['TULLE0401', 18, '{ method', 'rule 0 of GRPCRoute default/g'],
    ['TULLE0305', 19, 'other, port', 'GRPCRoutes of default'],
  ),
];
