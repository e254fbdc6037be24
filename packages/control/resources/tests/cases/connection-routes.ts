import { told, type Case } from './case.ts';
import { service, gateway, connectionRoute } from './yaml.ts';

/** TLSRoutes and TCPRoutes. */
export const CONNECTION_ROUTES: readonly Case[] = [
  told(
    'routes of connections with what they do not have',
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
  ),
  told(
    'routes of connections that lead nowhere',
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
    ['TULLE0312', 13, '[{ kind: HTTP', 'kinds: [{ kind: TCPRoute }]'],
    ['TULLE0409', 21, '80 }', 'appProtocol: tcp'],
    ['TULLE0302', 21, 'b, port', 'default/b'],
    ['TULLE0302', 21, 'a, namespace', 'other/a'],
    ['TULLE0305', 21, 'other, port', 'TLSRoutes of default'],
    ['TULLE0410', 27, '[{ name: edge', 'TLSRoute default/t has'],
    ['TULLE0303', 29, '82 }', 'its ports'],
    ['TULLE0309', 35, '{ name: edge', 'TCPRoutes'],
    ['TULLE0403', 36, '[{ name: a', 'refused'],
  ),
];
