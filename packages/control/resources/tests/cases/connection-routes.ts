import { told, type Case } from './case.ts';
import { service, gateway, connectionRoute, policy } from './yaml.ts';

/** TLSRoutes, TCPRoutes and UDPRoutes. */
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
    ['TULLE0201', 26, 'hostnames', 'hostnames'],
    ['TULLE0201', 27, 'matches', 'matches'],
    ['TULLE0201', 27, 'filters', 'filters'],
    ['TULLE0301', 10, 'edge, namespace', 'other/edge'],
    ['TULLE0302', 12, 'a.b', 'default/a.b'],
    ['TULLE0320', 25, 'Service', 'Gateway'],
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
  told(
    'server names of which an older route has some, and a backend twice',
    service('a', 'ports: [{ name: tcp, port: 81 }]') +
      gateway(
        '    - { name: tls, port: 443, protocol: TLS, hostname: "*.example.com", tls: { mode: Passthrough } }\n    - { name: tcp, port: 81, protocol: TCP }\n    - { name: more, port: 82, protocol: TCP }',
      ) +
      connectionRoute(
        'TLSRoute',
        '  hostnames: [a.example.com]\n  rules: [{ backendRefs: [{ name: a, port: 81 }] }]',
      ) +
      connectionRoute(
        'TLSRoute',
        '  hostnames: [a.example.com, b.example.com]\n  rules: [{ backendRefs: [{ name: a, port: 81 }, { name: a, port: 81 }] }]',
        '{ name: edge, sectionName: tls }',
        'u',
      ) +
      connectionRoute(
        'TCPRoute',
        '  rules: [{ backendRefs: [{ name: a, port: 81 }] }]',
        '{ name: edge, port: 81 }',
      ) +
      connectionRoute(
        'TCPRoute',
        '  rules: [{ backendRefs: [{ name: a, port: 81 }] }]',
        '{ name: edge }',
        'u',
      ),
    ['TULLE0411', 29, '[a.example.com, b', 'TLSRoute default/t has the connections for a.example.com'],
    ['TULLE0404', 30, 'a, port: 81 }] }]', 'backendRefs[0]'],
    ['TULLE0411', 43, '[{ name: edge', 'TCPRoute default/t has the connections at listener tcp'],
  ),
  told(
    'ports of UDP with what they do not have',
    service(
      'a',
      'ports: [{ name: one, port: 53, protocol: UDP, appProtocol: http }, { name: two, port: 53 }, { name: three, port: 54, protocol: UDP, targetPort: dns }, { name: four, port: 54, protocol: UDP }, { name: five, port: 55, protocol: SCTP }]',
    ) +
      connectionRoute(
        'UDPRoute',
        '  hostnames: [a.example.com]\n  rules: [{ backendRefs: [{ name: a, port: 53 }] }]',
        '{ kind: Service, group: "", name: a }',
      ),
    ['TULLE0208', 4, 'http }', 'carries no connections'],
    ['TULLE0208', 4, 'dns }', 'number of the port'],
    ['TULLE0207', 4, '54, protocol: UDP }', 'twice'],
    ['TULLE0205', 4, 'SCTP', '"UDP"'],
    ['TULLE0201', 11, 'hostnames', 'hostnames'],
    ['TULLE0320', 10, 'Service', 'datagrams are not led'],
    ['TULLE0414', 12, '[{ backend', 'in clear'],
  ),
  told(
    'routes of datagrams: to whom they cannot lead, and what others have',
    service('a', 'ports: [{ name: dns, port: 53, protocol: UDP }, { name: tcp, port: 54 }]') +
      gateway(
        '    - { name: udp, port: 53, protocol: UDP, allowedRoutes: { kinds: [{ kind: TCPRoute }, { kind: UDPRoute }] } }\n    - { name: tcp, port: 53, protocol: TCP }',
      ) +
      connectionRoute(
        'UDPRoute',
        '  rules: [{ backendRefs: [{ name: a, port: 53 }, { name: a, port: 54 }, { name: a, port: 55 }, { name: a, namespace: other, port: 53 }] }]',
      ) +
      connectionRoute(
        'UDPRoute',
        '  rules: [{ backendRefs: [{ name: a, port: 53, weight: 0 }] }]',
        undefined,
        'u',
      ) +
      connectionRoute('TCPRoute', '  rules: [{ backendRefs: [{ name: a, port: 53 }] }]'),
    ['TULLE0312', 12, '[{ kind: TCP', 'kinds: [{ kind: UDPRoute }]'],
    ['TULLE0414', 20, '[{ backend', 'in clear'],
    ['TULLE0417', 20, '54 }', 'set protocol: UDP'],
    ['TULLE0303', 20, '55 }', '53 of UDP (dns)'],
    ['TULLE0302', 20, 'a, namespace', 'other/a'],
    ['TULLE0305', 20, 'other, port', 'UDPRoutes of default'],
    ['TULLE0410', 26, '[{ name: edge', 'has the datagrams'],
    ['TULLE0414', 27, '[{ backend', 'in clear'],
    ['TULLE0403', 27, '[{ name: a', 'dropped'],
    ['TULLE0417', 34, '53 }', 'by a UDPRoute'],
  ),
  told(
    'routes of datagrams: workloads that ask for mutual TLS, and policies that decide who connects',
    service('a', 'selector: { app: a }, ports: [{ name: dns, port: 53, protocol: UDP, targetPort: 5353 }]') +
      gateway('    - { name: udp, port: 53, protocol: UDP }\n    - { name: tcp, port: 54, protocol: TCP }') +
      strict('a') +
      strict('b') +
      connectionRoute('UDPRoute', '  rules: [{ backendRefs: [{ name: a, port: 53 }] }]') +
      policy(
        'PeerAuthentication',
        '  selector: { matchLabels: { name: b } }\n  portLevelMtls: { 5353: { mode: PERMISSIVE } }',
      ) +
      '---\n' +
      policy(
        'FilterPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]\n  filter: tulle.conn.ip-allow\n  config: { allow: [10.0.0.0/8] }',
      ),
    ['TULLE0416', 12, 'UDP }', 'decides who may connect'],
    ['TULLE0414', 30, '[{ backend', 'in clear'],
    ['TULLE0415', 30, 'a, port', '1 of 2'],
  ),
];

/** A Workload with a sidecar, of app `a`. */
function strict(name: string): string {
  return `apiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: ${name}, labels: { app: a, name: ${name} } }\nspec: { address: 127.0.0.1, ports: [{ port: 80 }], inbound: { mode: sidecar, port: 15006 } }\n---\n`;
}
