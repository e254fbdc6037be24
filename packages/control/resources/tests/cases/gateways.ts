import { told, type Case } from './case.ts';
import {
  A,
  HTTP,
  defaultedRoute,
  defaultGateway,
  gateway,
  gatewayClass,
  gatewayRoute,
  policy,
} from './yaml.ts';

/** Gateways and their listeners, and what attaches to them. */
export const GATEWAYS: readonly Case[] = [
  told(
    'classes of Gateways: the own ones, and one of another controller',
    gatewayClass('tulle') + gatewayClass('tulle-waypoint') + gatewayClass('nginx', 'a.example/gateways'),
  ),
  told(
    'a class of Gateways that Tulle does not have, and parameters',
    gatewayClass('mine') +
      gatewayClass(
        'tulle',
        'tulle.dev/gateway-controller, parametersRef: { group: "", kind: ConfigMap, name: a, namespace: b }',
      ),
    ['TULLE0308', 3, 'mine', 'class mine'],
    ['TULLE0320', 9, '{ group', 'parameters of no kind'],
  ),
  told(
    'a class that says a namespace, of which it is none',
    gatewayClass('tulle').replace('{ name: tulle }', '{ name: tulle, namespace: team }') +
      gatewayClass('nginx', 'a.example/gateways'),
    ['TULLE0322', 3, 'team', 'GatewayClass is in no namespace'],
  ),
  told(
    'a class as it is printed, with the namespace that it is kept under',
    gatewayClass('tulle').replace('{ name: tulle }', '{ name: tulle, namespace: default }'),
  ),
  told(
    'the name of a class of Tulle with the controller of another',
    gatewayClass('tulle', 'a.example/gateways'),
    ['TULLE0208', 4, 'a.example/gateways', 'is Tulle'],
  ),
  told(
    'a grant for kinds that refer to nothing here, or that nothing refers to',
    `apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: g }
spec:
  from:
    - { group: a.example, kind: HTTPRoute, namespace: b }
    - { group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: b }
  to:
    - { group: '', kind: Service }
    - { group: '', kind: PersistentVolumeClaim, name: a.b.c }
`,
    ['TULLE0319', 6, 'HTTPRoute', 'kind HTTPRoute.a.example'],
    ['TULLE0319', 10, 'PersistentVolumeClaim', 'refers to kind PersistentVolumeClaim'],
  ),
  told('a route without parents', A + defaultedRoute('None'), ['TULLE0418', 9, '{', 'names no parent']),
  told(
    'a route that asks for default Gateways, where there are none',
    A + gateway(HTTP) + defaultedRoute('All'),
    ['TULLE0418', 17, 'All', 'there is no default Gateway'],
  ),
  told(
    'a route that asks for default Gateways, where one takes it',
    A + defaultGateway(HTTP) + defaultedRoute('All'),
  ),
  told(
    'a route that asks for default Gateways, where none takes it',
    A + defaultGateway(HTTP) + defaultedRoute('All', ', hostnames: [a.org]'),
    ['TULLE0310', 18, '[a.org]', 'of a listener of Gateway default/edge'],
  ),
  told(
    'rules of two routes at a default Gateway, the one by its name',
    A +
      defaultGateway(HTTP) +
      defaultedRoute('All') +
      '---\n' +
      gatewayRoute('{ name: edge }').replace('name: r,', 'name: s,'),
    ['TULLE0401', 25, '{', 'default/d'],
    ['TULLE0402', 25, '{', 'default/d'],
  ),
  told(
    'edits of who called, at a Gateway',
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
    ['TULLE0205', 23, 'X_Forwarded_Client-Cert', 'take a name of your own'],
    ['TULLE0205', 31, 'x-real-ip', 'says who called'],
    ['TULLE0205', 32, 'forwarded', 'says who called'],
  ),
  told(
    'a route of a Gateway and a policy for it',
    A +
      gateway(HTTP) +
      policy(
        'FilterPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge, sectionName: http }]\n  filter: tulle.http.ratelimit\n  config: { limits: [{ name: all, requests: 5 }] }\n---',
      ) +
      gatewayRoute('{ name: edge }', '  hostnames: [shop.example.com]\n'),
  ),
  told('a Gateway that does not exist, where a Service was meant', A + gatewayRoute('{ name: a }'), [
    'TULLE0301',
    10,
    'a }]',
    "kind: Service, group: ''",
  ]),
  told(
    'a parent whose group is not that of its kind',
    A + gatewayRoute("{ kind: Service, name: a }, { group: '', kind: Gateway, name: b }"),
    ['TULLE0208', 10, '{ kind: Serv', "group: ''"],
    ['TULLE0208', 10, "''", 'group: gateway.networking.k8s.io'],
    ['TULLE0301', 10, 'b }]', 'default/b'],
  ),
  told('a Gateway of another class', gateway(HTTP).replace('tulle', 'nginx'), [
    'TULLE0308',
    5,
    'nginx',
    'gatewayClassName: tulle',
  ]),
  told(
    'a route that its Gateway does not take',
    `${A}${gateway(HTTP)}apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other }], to: [{ group: "", kind: Service }] }\n---\n${gatewayRoute('{ name: edge, namespace: default }', '', 'other')}`,
    ['TULLE0309', 23, '{ name: edge, ', 'allowedRoutes'],
  ),
  told(
    'hostnames of a route of which no listener has one',
    A + gateway(HTTP) + gatewayRoute('{ name: edge }', '  hostnames: [example.com, shop.example.org]\n'),
    ['TULLE0310', 19, '[example.com', '*.example.com'],
  ),
  told(
    'a listener that does not exist, for a route and for a policy',
    A +
      gateway(HTTP) +
      gatewayRoute('{ name: edge, sectionName: https }') +
      '---\n' +
      policy(
        'FilterPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge, sectionName: htp }]\n  filter: tulle.http.ratelimit\n  config: { limits: [{ name: all, requests: 5 }] }',
      ),
    ['TULLE0311', 18, 'https }]', 'http (HTTP 80, *.example.com)'],
    ['TULLE0311', 25, 'htp }]', 'did you mean "http"?'],
  ),
  told(
    'a policy for a Gateway that does not exist, with a direction',
    policy(
      'FilterPolicy',
      '  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }]\n  direction: inbound\n  filter: tulle.http.ratelimit\n  config: { limits: [{ name: all, requests: 5 }] }',
    ),
    ['TULLE0208', 6, 'inbound', 'one way'],
    ['TULLE0304', 5, 'edge }]', 'default/edge'],
  ),
  told(
    'a Gateway that asks for routes that are not served',
    gateway(
      '    - { name: a, port: 80, protocol: HTTP, allowedRoutes: { kinds: [{ kind: TCPRoute }, { kind: GRPCRoute }] } }',
    ),
    ['TULLE0312', 7, '[{ kind: TCP', 'TCPRoute'],
  ),
  told(
    'listeners that cannot be together',
    gateway(
      '    - { name: a, port: 80, protocol: HTTP }\n    - { name: b, port: 80, protocol: HTTPS, tls: { certificateRefs: [{ name: c }] } }\n    - { name: c, port: 81, protocol: HTTP }',
    ),
    ['TULLE0407', 7, 'HTTP }', 'port 80'],
    ['TULLE0407', 8, 'HTTPS', 'ports of their own'],
  ),
  told(
    'listeners that contradict themselves or each other',
    gateway(
      [
        '    - { name: a, port: 80, protocol: HTTP, tls: { mode: Terminate } }',
        '    - { name: a, port: 443, protocol: HTTPS }',
        '    - { name: b, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: c }, { name: d }] } }',
        '    - { name: d, port: 82, protocol: HTTP, allowedRoutes: { namespaces: { from: Selector } } }',
        '    - { name: e, port: 83, protocol: HTTP, allowedRoutes: { namespaces: { selector: {} } } }',
      ].join('\n'),
    ),
    ['TULLE0208', 7, '{ mode', 'protocol: HTTPS'],
    ['TULLE0203', 8, '{ name: a, port: 443', 'certificateRefs'],
    ['TULLE0207', 8, 'a, port: 443', 'used twice'],
    ['TULLE0207', 9, '{ name: b', 'same port'],
    ['TULLE0207', 9, '{ name: d }', 'one certificate'],
    ['TULLE0203', 10, '{ from: Sel', 'selector'],
    ['TULLE0208', 11, '{} }', 'Same'],
  ),
  told('a protocol that there is not', gateway('    - { name: f, port: 84, protocol: SCTP }'), [
    'TULLE0205',
    7,
    'SCTP }',
    '"HTTPS", "TLS"',
  ]),
  told('a protocol that is not served', gateway('    - { name: f, port: 84, protocol: HBONE }'), [
    'TULLE0315',
    7,
    'HBONE }',
    'gatewayClassName: tulle-waypoint',
  ]),
  told(
    'listeners of TLS and TCP that contradict themselves',
    gateway(
      [
        '    - { name: a, port: 443, protocol: TLS, hostname: a.example.com }',
        '    - { name: b, port: 443, protocol: TLS, tls: { mode: Terminate } }',
        '    - { name: c, port: 444, protocol: TLS, tls: { mode: Passthrough, certificateRefs: [{ name: c }] } }',
        '    - { name: d, port: 445, protocol: HTTPS, tls: { mode: Passthrough } }',
        '    - { name: e, port: 446, protocol: TLS, tls: { mode: Terminate, options: { tulle.dev/callers: mesh } } }',
        '    - { name: f, port: 447, protocol: TCP, hostname: f.example.com, tls: { mode: Terminate } }',
      ].join('\n'),
    ),
    ['TULLE0203', 7, '{ name: a', 'mode: Passthrough'],
    ['TULLE0203', 8, '{ mode', 'certificateRefs'],
    ['TULLE0208', 9, '[{ name: c', 'passes through'],
    ['TULLE0208', 10, 'Passthrough', 'TLSRoute'],
    ['TULLE0208', 11, '{ tulle.dev', 'HTTPS only'],
    ['TULLE0208', 12, 'f.example', 'nothing there says one'],
    ['TULLE0208', 12, '{ mode', 'protocol: TLS'],
  ),
  told(
    'HTTPS and TLS on one port, told apart by their hostnames only; nothing beside TCP',
    gateway(
      [
        '    - { name: a, port: 443, protocol: HTTPS, hostname: a.example.com, tls: { certificateRefs: [{ name: c }] } }',
        '    - { name: b, port: 443, protocol: TLS, hostname: b.example.com, tls: { mode: Passthrough } }',
        '    - { name: c, port: 443, protocol: TLS, hostname: a.example.com, tls: { mode: Passthrough } }',
        '    - { name: d, port: 80, protocol: TCP }',
        '    - { name: e, port: 80, protocol: HTTP }',
      ].join('\n'),
    ),
    ['TULLE0407', 7, '{ name: a', 'the same server names on port 443'],
    ['TULLE0407', 9, '{ name: c', 'hostname of its own'],
    ['TULLE0407', 10, 'TCP', 'TCP and of HTTP'],
    ['TULLE0407', 11, 'HTTP', 'ports of their own'],
  ),
  told(
    'callers of the mesh, who say no name, beside a listener for every name',
    gateway(
      [
        '    - { name: a, port: 443, protocol: HTTPS, hostname: a.example.com, tls: { options: { tulle.dev/callers: mesh } } }',
        '    - { name: b, port: 443, protocol: HTTPS, hostname: b.example.com, tls: { options: { tulle.dev/callers: mesh } } }',
        '    - { name: c, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: c }] } }',
        '    - { name: d, port: 444, protocol: HTTPS, tls: { options: { tulle.dev/callers: mesh } } }',
        '    - { name: e, port: 444, protocol: HTTPS, hostname: e.example.com, tls: { certificateRefs: [{ name: c }] } }',
      ].join('\n'),
    ),
    ['TULLE0407', 7, '{ name: a', 'give the other a hostname'],
    ['TULLE0407', 8, '{ name: b', 'give the other a hostname'],
    ['TULLE0407', 9, '{ name: c', 'hostname of its own'],
  ),
  told(
    'parts of a Gateway that are not honoured',
    gateway('    - { name: a, port: 80, protocol: HTTP }').replace(
      '  listeners:',
      '  infrastructure: { parametersRef: { group: a.example, kind: Settings } }\n  defaultScope: Some\n  listeners:',
    ),
    ['TULLE0203', 6, '{ group: a.example', '"name" is missing'],
    ['TULLE0205', 7, 'Some', 'All'],
  ),
  told(
    'CAs for callers where they stood before they were of a whole Gateway',
    gateway(
      '    - { name: a, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: a }], frontendValidation: {} } }',
    ),
    ['TULLE0206', 7, 'frontendValidation', 'spec.tls.frontend'],
  ),
  told(
    'addresses, ports and CAs of a Gateway that cannot be meant',
    gateway('    - { name: a, port: 80, protocol: HTTP }').replace(
      '  listeners:',
      '  addresses: [{ value: edge.example }, { value: 192.0.2.1 }, { type: IPAddress, value: 192.0.2.1 }]\n  tls: { frontend: { default: {}, perPort: [{ port: 1, tls: {} }, { port: 1, tls: {} }] } }\n  listeners:',
    ) +
      gateway('    - { name: a, port: 80, protocol: HTTP }', 'side').replace(
        '  listeners:',
        '  tls: { frontend: { default: { validation: { caCertificateRefs: [{ group: "", kind: Secret, name: a }] } } } }\n  listeners:',
      ),
    ['TULLE0205', 6, 'edge.example', 'no IP address'],
    ['TULLE0207', 6, '{ type: IPAddress', 'listed twice'],
    ['TULLE0207', 7, '1, tls: {} }] } }', 'port 1'],
    ['TULLE0320', 16, 'Secret', 'ConfigMap'],
  ),
  told(
    'certificates and CAs of a Gateway that are not there, or of others',
    gateway('    - { name: a, port: 80, protocol: HTTP }').replace(
      '  listeners:',
      '  tls:\n    frontend: { default: { validation: { caCertificateRefs: [{ group: "", kind: ConfigMap, name: a, namespace: keys }] } } }\n    backend: { clientCertificateRef: { name: a, namespace: keys } }\n  listeners:',
    ),
    ['TULLE0313', 7, 'a, namespace', 'no ConfigMap keys/a'],
    ['TULLE0305', 7, 'keys }] }', 'to kind ConfigMap'],
    ['TULLE0305', 8, 'keys }', 'to kind Secret'],
  ),
  told(
    'certificates and CAs of kinds that Tulle takes none from, and options of a policy that it does not know',
    gateway(
      '    - { name: a, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ group: a.example, kind: Vault, name: c }] } }',
    ).replace(
      '  listeners:',
      '  tls: { backend: { clientCertificateRef: { group: a.example, name: a } } }\n  listeners:',
    ) +
      'apiVersion: v1\nkind: Service\nmetadata: { name: out }\nspec: { type: ExternalName, externalName: a.example, ports: [{ port: 443 }] }\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: p }\nspec:\n  targetRefs: [{ group: "", kind: Service, name: out }]\n  validation: { hostname: a.example, wellKnownCACertificates: System }\n  options: { a.example/curves: p256 }\n',
    ['TULLE0320', 6, 'a.example', 'Secret.a.example'],
    ['TULLE0320', 8, 'Vault', 'Vault.a.example'],
    ['TULLE0321', 21, 'p256', 'a.example/curves'],
  ),
  told(
    'a certificate of another namespace',
    gateway(
      '    - { name: a, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: c, namespace: keys }] } }',
    ),
    ['TULLE0305', 7, 'keys }]', 'from kind Gateway to kind Secret'],
  ),
  told(
    'a listener for callers of the mesh with a certificate',
    gateway(
      '    - { name: a, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: c }], options: { tulle.dev/callers: mesh } } }',
    ),
    ['TULLE0208', 7, '[{ name: c', 'identity of the gateway'],
  ),
];
