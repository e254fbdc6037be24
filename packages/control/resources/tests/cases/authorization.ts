import { told, type Case } from './case.ts';
import { JWT, service, workload, policy } from './yaml.ts';

/** AuthorizationPolicies and PeerAuthentications. */
export const AUTHORIZATION: readonly Case[] = [
  told(
    'a selector that matches nothing',
    workload('w', 'shop') +
      policy(
        'AuthorizationPolicy',
        '  selector: { matchLabels: { app: shopp } }\n  action: DENY\n  rules: [{}]',
      ),
    ['TULLE0501', 10, '{ matchLabels:', 'app=shop'],
  ),
  told('a policy without rules', policy('AuthorizationPolicy', '  action: ALLOW'), [
    'TULLE0502',
    5,
    'action: ALLOW',
    'denied',
  ]),
  told(
    'a request policy on a TCP port',
    service('a', 'selector: { app: a }, ports: [{ port: 8080, appProtocol: tcp }]') +
      workload('w', 'a') +
      policy('AuthorizationPolicy', '  action: ALLOW\n  rules: [{ to: { methods: [GET] } }]'),
    ['TULLE0503', 15, 'action: ALLOW', 'w:8080'],
  ),
  told(
    'a rule that cannot match',
    policy(
      'AuthorizationPolicy',
      '  action: DENY\n  rules: [{ to: { methods: [GET], notMethods: [GET, PUT] } }]',
    ),
    ['TULLE0506', 6, '[GET], notMeth', 'methods'],
  ),
  told(
    'claims where no token is read',
    policy(
      'AuthorizationPolicy',
      '  action: ALLOW\n  rules: [{ when: [{ key: "request.auth.claims[role]", values: [admin] }] }]',
    ),
    ['TULLE0508', 6, '[{ key: "reque', 'tulle.http.jwt'],
  ),
  told(
    'claims where a token is read for another workload only',
    workload('w', 'a') +
      workload('v', 'b') +
      policy('FilterPolicy', `  selector: { matchLabels: { app: b } }\n  filter: tulle.http.jwt\n${JWT}`) +
      '---\n' +
      policy(
        'AuthorizationPolicy',
        '  action: ALLOW\n  rules: [{ when: [{ key: "request.auth.principal", values: ["*"] }] }]',
      ),
    ['TULLE0508', 24, '[{ key: "reque', 'is for default/w'],
  ),
  told(
    'claims where a token is read, by a filter in its own phase',
    workload('w', 'a') +
      policy('FilterPolicy', `  filter: tulle.http.jwt\n${JWT}`) +
      '---\n' +
      policy(
        'AuthorizationPolicy',
        '  action: ALLOW\n  rules: [{ when: [{ key: "request.auth.principal", values: ["*"] }] }]',
      ),
  ),
  told(
    'a PeerAuthentication that says nothing',
    policy('PeerAuthentication', '  selector: { matchLabels: { app: a } }'),
    ['TULLE0203', 5, 'selector: { ma', 'PERMISSIVE'],
  ),
  told('a mode that does not exist', policy('PeerAuthentication', '  mtls: { mode: permissive }'), [
    'TULLE0205',
    5,
    'permissive }',
    'did you mean "PERMISSIVE"?',
  ]),
  told(
    'ports that are none',
    policy(
      'PeerAuthentication',
      '  portLevelMtls: { http: { mode: STRICT }, "70000": { mode: STRICT }, "8080": { mode: STRICT } }',
    ),
    ['TULLE0205', 5, 'http: { mode: ', 'must match'],
    ['TULLE0204', 5, '"70000": { mod', '70000 is no port'],
  ),
  told(
    'two policies that ask for mutual TLS',
    `${policy('PeerAuthentication', '  mtls: { mode: STRICT }')}---\n${policy('PeerAuthentication', '  mtls: { mode: PERMISSIVE }').replace('name: p', 'name: q')}`,
    ['TULLE0510', 11, '{ mode: PERMIS', 'PeerAuthentication p'],
  ),
  told(
    'mutual TLS of a port that nobody has',
    workload('w', 'a') + policy('PeerAuthentication', '  portLevelMtls: { "80": { mode: PERMISSIVE } }'),
    ['TULLE0511', 10, '{ mode: PERMIS', '8080'],
  ),
  told(
    'denials by identity where plain text is taken',
    workload('w', 'a') +
      policy('PeerAuthentication', '  portLevelMtls: { "8080": { mode: PERMISSIVE } }') +
      `---\n${policy('AuthorizationPolicy', '  selector: { matchLabels: { app: a } }\n  action: DENY\n  rules:\n    - to: { methods: [GET] }\n    - from: { serviceAccounts: [b] }')}`,
    ['TULLE0512', 20, '{ serviceAccounts', 'port 8080 of default/w takes plain text'],
  ),
  told(
    'denials by namespace where plain text is taken, before any workload is there',
    `${policy('PeerAuthentication', '  selector: { matchLabels: { app: a } }\n  mtls: { mode: PERMISSIVE }')}---\n${policy('AuthorizationPolicy', '  action: DENY\n  rules: [{ from: { namespaces: [x] } }]')}`,
    ['TULLE0512', 13, '{ namespaces', 'PeerAuthentication default/p'],
  ),
  told(
    'denials that plain text does not evade',
    workload('w', 'a') +
      policy('PeerAuthentication', '  mtls: { mode: PERMISSIVE }') +
      `---\n${policy('PeerAuthentication', '  selector: { matchLabels: { app: a } }\n  mtls: { mode: STRICT }').replace('name: p', 'name: q')}` +
      `---\n${policy('AuthorizationPolicy', '  selector: { matchLabels: { app: a } }\n  action: DENY\n  rules: [{ from: { serviceAccounts: [b] } }]')}` +
      `---\n${policy('AuthorizationPolicy', '  action: DENY\n  rules: [{ from: { notIdentities: ["spiffe://mesh.local/ns/default/*"] } }]').replace('name: p', 'name: q')}` +
      `---\n${policy('AuthorizationPolicy', '  action: DENY\n  shadow: true\n  rules: [{ from: { namespaces: [x] } }]').replace('name: p', 'name: r')}`,
  ),
  told(
    'an identity that does not say one whole trust domain',
    policy(
      'AuthorizationPolicy',
      '  action: ALLOW\n  rules: [{ from: { identities: ["spiffe://mesh*", "spiffe://mesh.local/*"], notIdentities: ["spiffe://mesh.local"] } }]',
    ),
    ['TULLE0205', 6, '"spiffe://mesh*"', 'the whole trust domain and a slash'],
    ['TULLE0205', 6, '"spiffe://mesh.local"', 'is no SPIFFE id'],
  ),
  told(
    'an identity of another mesh',
    policy(
      'AuthorizationPolicy',
      '  action: DENY\n  rules: [{ from: { identities: [spiffe://other/ns/a/sa/b] } }]',
    ),
    ['TULLE0507', 6, 'spiffe://other', 'other'],
  ),
];
