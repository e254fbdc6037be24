import { told, type Case } from './case.ts';
import { A, HTTP, gateway, gatewayRoute, listenerSet, openGateway, policy } from './yaml.ts';

const OTHER = '    - { name: other, port: 80, protocol: HTTP, hostname: other.example }';

/** ListenerSets, and what attaches to them. */
export const LISTENER_SETS: readonly Case[] = [
  told(
    'a ListenerSet with a route and a policy',
    A +
      openGateway(HTTP) +
      listenerSet('set', OTHER) +
      policy(
        'FilterPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: ListenerSet, name: set, sectionName: other }]\n  filter: tulle.http.ratelimit\n  config: { limits: [{ name: all, requests: 5 }] }\n---',
      ) +
      gatewayRoute('{ kind: ListenerSet, name: set, sectionName: other }', '  hostnames: [other.example]\n'),
  ),
  told(
    'ListenerSets of a Gateway that is not there, and of one that takes none',
    gateway(HTTP) + listenerSet('lost', OTHER, '{ name: egde }') + listenerSet('closed', OTHER),
    ['TULLE0301', 13, 'egde }', 'did you mean "edge"?'],
    ['TULLE0316', 21, '{ name: edge }', 'allowedListeners'],
  ),
  told(
    'a ListenerSet of a namespace that the Gateway does not take',
    openGateway(HTTP) + listenerSet('far', OTHER, '{ name: edge, namespace: default }', 'team'),
    ['TULLE0316', 14, '{ name: edge, n', 'namespace team'],
  ),
  told(
    'listeners of ListenerSets that others have already',
    openGateway(`${HTTP}\n    - { name: bytes, port: 81, protocol: TCP }`) +
      listenerSet(
        'a',
        '    - { name: same, port: 80, protocol: HTTP, hostname: "*.example.com" }\n    - { name: bytes, port: 81, protocol: TCP }\n    - { name: free, port: 82, protocol: HTTP }',
      ) +
      listenerSet(
        'b',
        '    - { name: late, port: 82, protocol: HTTP }\n    - { name: secure, port: 80, protocol: HTTPS, tls: { certificateRefs: [{ name: c, namespace: keys }] } }',
      ),
    ['TULLE0407', 17, '{ name: same', 'HostnameConflict'],
    ['TULLE0407', 18, '{ name: bytes', 'ListenerConflict'],
    ['TULLE0407', 27, '{ name: late', 'port 82'],
    ['TULLE0407', 28, '{ name: secure', 'ProtocolConflict'],
    ['TULLE0305', 28, 'keys }] } }', 'from kind ListenerSet to kind Secret'],
  ),
  told(
    'a ListenerSet that contradicts itself',
    openGateway(HTTP, 'Selector').replace('from: Selector }', 'from: All, selector: {} }') +
      listenerSet('a', `${OTHER}\n    - { name: other, port: 81, protocol: HTTPS }`),
    ['TULLE0208', 6, '{} } }', 'not with All'],
    ['TULLE0203', 17, '{ name: other', 'certificateRefs'],
    ['TULLE0207', 17, 'other, port: 81', 'used twice'],
  ),
  told(
    'rules of two routes at a listener of a ListenerSet, one by its name, and the same at the Gateway, which has its own',
    A +
      openGateway(HTTP) +
      listenerSet('s', '    - { name: http, port: 81, protocol: HTTP }') +
      gatewayRoute('{ kind: ListenerSet, name: s }') +
      '---\n' +
      gatewayRoute('{ kind: ListenerSet, name: s, sectionName: http }').replace('name: r,', 'name: t,') +
      '---\n' +
      gatewayRoute('{ name: edge }').replace('name: r,', 'name: u,'),
    ['TULLE0401', 35, '{ backend', 'rule 0 of HTTPRoute default/r'],
    ['TULLE0402', 35, '{ backend', 'default/r'],
  ),
  told(
    'a certificate of another namespace, which lets Gateways have it and no ListenerSets',
    openGateway(HTTP) +
      listenerSet(
        's',
        '    - { name: s, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: c, namespace: keys }] } }',
      ) +
      `apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: keys }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: Gateway, namespace: default }], to: [{ group: "", kind: Secret }] }\n`,
    ['TULLE0305', 16, 'keys }', 'ListenerSets'],
  ),
  told(
    'routes that a ListenerSet does not take',
    A +
      openGateway(HTTP) +
      listenerSet('set', OTHER) +
      gatewayRoute('{ kind: ListenerSet, name: st }, { kind: ListenerSet, name: set, sectionName: http }') +
      '---\n' +
      gatewayRoute(
        '{ name: edge, sectionName: other }, { kind: ListenerSet, name: set }',
        '  hostnames: [www.example.com]\n',
      ).replace('name: r,', 'name: q,'),
    ['TULLE0301', 27, 'st }, {', 'did you mean "set"?'],
    ['TULLE0311', 27, 'http }]', 'ListenerSet default/set has no such listener'],
    ['TULLE0311', 34, 'other }, {', 'Gateway default/edge has no such listener'],
    ['TULLE0310', 35, '[www.', 'ListenerSet default/set'],
  ),
  told(
    'what cannot be said of the connections of a ListenerSet alone',
    openGateway(HTTP) +
      listenerSet('set', OTHER) +
      policy(
        'FilterPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: ListenerSet, name: set }]\n  filter: tulle.conn.limit\n  config: { name: all, maxConnections: 5 }\n---',
      ),
    ['TULLE0208', 23, 'tulle.conn.limit', 'target the Gateway'],
  ),
  told(
    'a group that is not that of a ListenerSet',
    A +
      openGateway(HTTP) +
      listenerSet('set', OTHER) +
      gatewayRoute("{ group: '', kind: ListenerSet, name: set }"),
    ['TULLE0208', 27, "''", 'gateway.networking.k8s.io'],
  ),
];
