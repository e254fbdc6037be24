import { told, type Case } from './case.ts';
import { A, gateway, gatewayRoute, listenerSet, policy, route, service, workload } from './yaml.ts';

const HBONE = '    - { name: mesh, port: 15008, protocol: HBONE }';
const waypoint = (listeners = HBONE, name = 'w'): string =>
  gateway(listeners, name).replace('gatewayClassName: tulle', 'gatewayClassName: tulle-waypoint');

/** Service `name` that asks for a waypoint. */
const asking = (waypointName: string, spec = 'ports: [{ port: 80 }]'): string =>
  `apiVersion: v1\nkind: Service\nmetadata:\n  name: s\n  labels: { tulle.dev/use-waypoint: ${waypointName} }\nspec: { ${spec} }\n---\n`;

/** Waypoints, and Services that ask for them. */
export const WAYPOINTS: readonly Case[] = [
  told('a waypoint and a Service that asks for it', waypoint() + asking('w')),
  told(
    'a Service that asks for a waypoint that is not there',
    waypoint(HBONE, 'shop-waypoint') + asking('shop-waypont'),
    ['TULLE0317', 13, 'shop-waypont', 'did you mean "shop-waypoint"?'],
  ),
  told(
    'a Service that asks for a Gateway of another class',
    gateway(HBONE, 'w') + asking('w'),
    ['TULLE0315', 7, 'HBONE', 'gatewayClassName: tulle-waypoint'],
    ['TULLE0317', 13, 'w }', 'is of class tulle and no waypoint'],
  ),
  told(
    'a label that names no waypoint, of a name outside the mesh',
    asking('"A b"', 'type: ExternalName, externalName: example.org, ports: [{ port: 443 }]'),
    ['TULLE0205', 5, '"A b"', 'Gateway of class tulle-waypoint in namespace default'],
    ['TULLE0208', 5, '"A b"', 'egress Gateway'],
    ['TULLE0317', 5, '"A b"', 'there is no Gateway default/A b'],
  ),
  told(
    'a waypoint of another namespace, which takes Services from there, or from elsewhere, or is not there',
    waypoint(
      '    - { name: mesh, port: 15008, protocol: HBONE, allowedRoutes: { namespaces: { from: All } } }',
    ).replace('name: w', 'name: w, namespace: edge') +
      waypoint(HBONE, 'own').replace('name: own', 'name: own, namespace: edge') +
      asking('w, tulle.dev/use-waypoint-namespace: edge') +
      asking('own, tulle.dev/use-waypoint-namespace: edge').replace('name: s', 'name: t') +
      asking('w, tulle.dev/use-waypoint-namespace: edg').replace('name: s', 'name: u'),
    ['TULLE0317', 28, 'own,', 'takes no Services of namespace default'],
    ['TULLE0317', 35, 'w,', 'there is no Gateway edg/w'],
  ),
  told(
    'a namespace of a waypoint without the waypoint, and one that is no name',
    asking('w').replace('tulle.dev/use-waypoint: w', 'tulle.dev/use-waypoint-namespace: "A b"'),
    ['TULLE0203', 5, '"A b"', 'tulle.dev/use-waypoint does not say which'],
    ['TULLE0205', 5, '"A b"', 'no name of a namespace'],
  ),
  told(
    'a Service beside one with a waypoint, at the same port of the same workloads',
    waypoint() +
      asking(
        'w',
        'selector: { app: s }, ports: [{ name: a, port: 80, targetPort: 8080 }, { name: b, port: 90 }]',
      ) +
      service('around', 'selector: { app: s, version: v1 }, ports: [{ port: 81, targetPort: 8080 }]') +
      service('beside', 'selector: { app: s }, ports: [{ port: 91, targetPort: 9091 }]') +
      service('other', 'selector: { app: o }, ports: [{ port: 80, targetPort: 8080 }]'),
    ['TULLE0413', 19, '{ port: 81', 'take calls there from the waypoint alone'],
  ),
  told(
    'a Service of datagrams beside one with a waypoint, and one beside ports of datagrams, at the same number',
    waypoint() +
      asking(
        'w',
        'selector: { app: s }, ports: [{ name: a, port: 53 }, { name: b, port: 54, protocol: UDP }]',
      ) +
      service('dns', 'selector: { app: s }, ports: [{ port: 53, protocol: UDP }]') +
      service('tcp', 'selector: { app: s }, ports: [{ port: 54 }]'),
  ),
  told(
    'a Service beside one with a waypoint, as the Workloads show that both select',
    waypoint() +
      asking('w', 'selector: { app: s }, ports: [{ port: 80, targetPort: web }]') +
      service('around', 'selector: { tier: front }, ports: [{ port: 80, targetPort: 8080 }]') +
      workload('one', 's, tier: front', '8080, name: web'),
    ['TULLE0413', 19, '{ port: 80', 'through waypoint default/w'],
  ),
  told(
    'a Service behind one with a waypoint, to which a route of that one leads',
    waypoint() +
      asking('w', 'selector: { app: s }, ports: [{ port: 80 }]').replace('name: s', 'name: a') +
      service('v1', 'selector: { app: s, version: v1 }, ports: [{ port: 80 }]') +
      route('  rules: [{ backendRefs: [{ name: v1, port: 80 }] }]'),
  ),
  told(
    'a waypoint with listeners for callers from outside',
    waypoint(
      '    - { name: web, port: 80, protocol: HTTP }\n    - { name: mesh, port: 15008, protocol: HBONE, hostname: a.example, tls: { mode: Terminate } }',
    ),
    ['TULLE0208', 7, 'HTTP', 'protocol: HBONE, port: 15008'],
    ['TULLE0207', 8, '{ name: mesh', 'one listener'],
    ['TULLE0208', 8, 'a.example', 'each tunnel says the Service'],
    ['TULLE0208', 8, '{ mode: Term', 'identities of the mesh'],
  ),
  told(
    'a waypoint for others than Services of its namespace',
    waypoint(
      '    - { name: mesh, port: 15008, protocol: HBONE, allowedRoutes: { namespaces: { from: All }, kinds: [{ kind: HTTPRoute }] } }',
    ).replace(
      '  listeners:',
      '  allowedListeners: {}\n  addresses: [{ value: "::" }]\n  tls: { backend: { clientCertificateRef: { name: c } } }\n  listeners:',
    ),
    ['TULLE0208', 6, '{}', 'ListenerSet'],
    ['TULLE0205', 7, '"::"', 'no address at which others reach'],
    ['TULLE0208', 8, '{ backend', 'has no tls'],
    ['TULLE0208', 10, '[{ kind', 'routes of the Services'],
  ),
  told(
    'what names a waypoint instead of a Service',
    A +
      waypoint() +
      listenerSet('more', '    - { name: x, port: 80, protocol: HTTP }', '{ name: w }') +
      gatewayRoute('{ name: w }') +
      '---\n' +
      policy(
        'FilterPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: w }]\n  filter: tulle.http.ratelimit\n  config: { limits: [{ name: all, requests: 5 }] }\n',
      ),
    ['TULLE0316', 18, '{ name: w', 'a waypoint'],
    ['TULLE0318', 26, '{ name: w', 'kind: Service'],
    ['TULLE0318', 33, '{ group', 'kind: Service'],
  ),
];
