import { told, type Case } from './case.ts';
import { A, service, workload } from './yaml.ts';

/** Services: who is behind them, and names outside the mesh. */
export const SERVICES: readonly Case[] = [
  told(
    'an annotation that names no service account',
    'apiVersion: v1\nkind: Service\nmetadata: { name: a, annotations: { tulle.dev/service-accounts: "a, b/c/d, other/e" } }\nspec: { ports: [{ port: 80 }] }',
    ['TULLE0205', 3, '"a, b/c/d', '"b/c/d" is no service account'],
  ),
  told(
    'names of a backend that cannot be meant',
    `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: p, namespace: other }\nspec:\n  targetRefs: [{ group: "", kind: Service, name: b }]\n  validation:\n    hostname: b.example\n    wellKnownCACertificates: System\n    subjectAltNames: [{ type: URI, hostname: a.example }, { type: Hostname, hostname: a.example, uri: "a:b" }]\n`,
    ['TULLE0203', 9, '{ type: URI', '"uri"'],
    ['TULLE0208', 9, 'a.example }, { type: H', 'not "hostname"'],
    ['TULLE0208', 9, '"a:b"', 'not "uri"'],
    ['TULLE0304', 5, 'b }]', 'other/b'],
  ),
  told(
    'a name outside the mesh that is half said',
    service('x', 'type: ExternalName, selector: { app: x }, ports: [{ port: 443 }]') +
      service('y', 'externalName: example.org, ports: [{ port: 443 }]'),
    ['TULLE0203', 4, '{ type: Ext', 'externalName'],
    ['TULLE0208', 4, '{ app: x }', 'no Workloads'],
    ['TULLE0208', 9, 'example.org', 'type: ExternalName'],
  ),
  told(
    'an address for a name outside the mesh',
    service('x', 'type: ExternalName, externalName: 169.254.169.254, ports: [{ port: 80 }]'),
    ['TULLE0205', 4, '169.254.169.254', 'is an address'],
  ),
  told(
    'TLS policies for nothing and with nobody to believe',
    `${A}${service('x', 'type: ExternalName, externalName: example.org, ports: [{ port: 443 }]')}${[
      'a',
      'x',
      'nowhere',
    ]
      .map(
        (name) =>
          `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: ${name} }\nspec: { targetRefs: [{ group: "", kind: Service, name: ${name} }], validation: { hostname: example.org, caCertificateRefs: [{ group: "", kind: ConfigMap, name: ${name} }] } }\n---\n`,
      )
      .join('')}apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { other: text }\n`,
    ['TULLE0509', 14, 'a }], valid', 'mutual TLS'],
    ['TULLE0313', 14, 'a }] } }', 'no ca.crt'],
    ['TULLE0313', 19, 'x }] } }', 'default/x'],
    ['TULLE0304', 24, 'nowhere }]', 'default/nowhere'],
    ['TULLE0313', 24, 'nowhere }] }', 'default/nowhere'],
  ),
  told(
    'a TLS policy that says nobody or two, and a ConfigMap with what does not belong there',
    `${service('x', 'type: ExternalName, externalName: example.org, ports: [{ port: 443 }]')}apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: a }\nspec: { targetRefs: [{ group: "", kind: Service, name: x }], validation: { hostname: example.org } }\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: b }\nspec: { targetRefs: [{ group: "", kind: Service, name: x }], validation: { hostname: example.org, wellKnownCACertificates: System, caCertificateRefs: [{ group: "", kind: ConfigMap, name: c }] } }\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: c }\ndata: { ca.crt: "-----BEGIN PRIVATE KEY-----" }\n`,
    ['TULLE0203', 9, '{ hostname:', 'System'],
    ['TULLE0208', 14, 'System', 'either'],
    ['TULLE0205', 19, '"-----BEGIN', 'private key'],
    ['TULLE0205', 19, '"-----BEGIN', 'no certificate'],
    ['TULLE0505', 14, '{ group: "", kind: Service', 'BackendTLSPolicy default/a'],
  ),
  told(
    'a TLS policy with one target twice, and CAs that are no ConfigMap',
    `${service('x', 'type: ExternalName, externalName: example.org, ports: [{ name: https, port: 443 }]')}apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: a }\nspec:\n  targetRefs: [{ group: "", kind: Service, name: x, sectionName: https }, { group: "", kind: Service, name: x, sectionName: https }]\n  validation: { hostname: example.org, caCertificateRefs: [{ group: "", kind: Secret, name: x }] }\n`,
    ['TULLE0207', 10, '{ group: "", kind: Service, name: x, sectionName: https }]', 'twice'],
    ['TULLE0313', 11, 'Secret', 'kind: ConfigMap'],
  ),
  told(
    'a TLS policy for what is no Service, by CAs that nobody knows',
    `apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: { name: a }\nspec:\n  targetRefs: [{ group: gateway.envoyproxy.io, kind: Backend, name: x }]\n  validation: { hostname: example.org, wellKnownCACertificates: a.example/internal }\n`,
    ['TULLE0320', 5, 'Backend', 'of kind Backend.gateway.envoyproxy.io'],
    ['TULLE0313', 6, 'a.example/internal', 'System'],
  ),
  told(
    'endpoints of nothing',
    'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: e, labels: { kubernetes.io/service-name: x } }\naddressType: IPv4\nendpoints: [{ addresses: [10.0.0.1] }]',
    ['TULLE0306', 3, 'x } }', 'default/x'],
  ),
  told(
    'a target port that no Workload has',
    service('a', 'selector: { app: a }, ports: [{ port: 80, targetPort: 9999 }]') + workload('w', 'a'),
    ['TULLE0307', 4, '9999 }] }', '8080'],
  ),
  told(
    'a selector in a namespace whose Workloads are not known',
    service('a', 'selector: { app: a }, ports: [{ port: 80 }]'),
  ),
];
