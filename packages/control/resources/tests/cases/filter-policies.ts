import { told, type Case } from './case.ts';
import { A, JWT, route, gateway, gatewayRoute, policy } from './yaml.ts';

/** FilterPolicies. */
export const FILTER_POLICIES: readonly Case[] = [
  told(
    'filters that write who called, at a Gateway and at a route',
    A +
      gateway('    - { name: http, port: 80, protocol: HTTP }') +
      gatewayRoute('{ name: edge }') +
      `---\n${policy('FilterPolicy', '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]\n  filter: tulle.http.headers\n  config: { request: { set: [{ name: x-forwarded-for, value: a }] }, response: { set: [{ name: x-envoy-a, value: a }] } }')}` +
      `---\n${policy('FilterPolicy', '  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: r }]\n  filter: tulle.http.headers\n  config: { request: { remove: [x_tulle_a] } }').replace('name: p', 'name: q')}` +
      `---\n${policy('FilterPolicy', '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]\n  filter: tulle.http.jwt\n  config: { providers: [{ name: a, issuer: https://a.example, jwks: { url: https://a.example/keys }, claimsToHeaders: [{ claim: sub, header: x-client-ip }], payloadHeader: x-forwarded-a }] }').replace('name: p', 'name: j')}`,
    ['TULLE0205', 27, 'x-forwarded-for', 'says who called'],
    ['TULLE0205', 35, 'x_tulle_a', 'says who called'],
    ['TULLE0205', 43, 'x-client-ip', 'says who called'],
    ['TULLE0205', 43, 'x-forwarded-a', 'says who called'],
  ),
  told(
    'local replies of one route, in a phase, with an operator that there is not',
    A +
      route('  rules:\n    - backendRefs: [{ name: a, port: 80 }]') +
      `---\n${policy('FilterPolicy', '  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: r }]\n  filter: tulle.http.local-replies\n  phase: custom\n  config: { format: { text: "a %REPONSE_CODE%" }, mappers: [{ match: {} }] }')}`,
    ['TULLE0208', 18, 'HTTPRoute', 'not for one route'],
    ['TULLE0208', 20, 'custom', 'passes no filter'],
    ['TULLE0205', 21, '"a %REPONSE', 'did you mean %RESPONSE_CODE%?'],
    ['TULLE0208', 21, '{} }] }', 'needs a condition'],
  ),
  told(
    'a filter configuration that breaks its schema',
    policy('FilterPolicy', '  filter: tulle.http.fault\n  config: { abort: { status: 700 }, dely: {} }'),
    ['TULLE0211', 6, '700 }, dely: {', 'between 200 and 599'],
    ['TULLE0211', 6, 'dely: {} }', 'delay'],
  ),
  told('a filter that is not known', policy('FilterPolicy', '  filter: tulle.http.falt'), [
    'TULLE0504',
    5,
    'tulle.http.fal',
    'tulle.http.fault',
  ]),
  told(
    'a token that is read after it was judged',
    policy('FilterPolicy', `  phase: custom\n  filter: tulle.http.jwt\n${JWT}`),
    ['TULLE0208', 5, 'custom', 'runs in phase authn, not custom'],
  ),
];
