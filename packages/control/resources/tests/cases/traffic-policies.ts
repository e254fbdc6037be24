import { told, type Case } from './case.ts';
import { A, TO_A, route, policy, traffic, budget } from './yaml.ts';

/** TrafficPolicies, subsets and budgets of retries. */
export const TRAFFIC_POLICIES: readonly Case[] = [
  told(
    'subsets that are no such thing',
    A +
      route(
        '  rules:\n    - backendRefs:\n        - { kind: ServiceSubset, name: a, port: 80 }\n        - { name: a.v2, port: 80 }',
      ) +
      `---\n${traffic('subsets: [{ name: v2, labels: { version: v2 } }, { name: v2, labels: {} }, { name: invalid, labels: { a: b } }]')}`,
    ['TULLE0205', 13, '{ kind: ServiceSubset', 'is of group "tulle.dev"'],
    ['TULLE0205', 13, 'a, port: 80', 'SERVICE.SUBSET'],
    ['TULLE0205', 14, 'a.v2, port', 'kind: ServiceSubset'],
    ['TULLE0207', 21, 'v2, labels: {}', 'v2'],
    ['TULLE0204', 21, '{} }', 'at least one label'],
    ['TULLE0205', 21, 'invalid', 'another name'],
    ['TULLE0302', 14, 'a.v2, port', 'does not exist'],
  ),
  told(
    'a subset that no policy describes',
    A +
      route(
        '  rules:\n    - backendRefs: [{ group: tulle.dev, kind: ServiceSubset, name: a.v3, port: 80 }]',
      ) +
      `---\n${traffic('subsets: [{ name: v2, labels: { version: v2 } }]')}`,
    ['TULLE0302', 12, 'a.v3, port', 'did you mean "v2"?'],
  ),
  told(
    'a health check of two kinds, with a range backwards and no time at all',
    A + traffic('healthCheck: { http: { path: /h, expectedStatuses: [299-200] }, tcp: {}, timeout: 0s }'),
    ['TULLE0208', 11, '{ http: {', 'one of http, tcp and grpc'],
    ['TULLE0205', 11, '299-200', 'ends before it begins'],
    ['TULLE0204', 11, '0s }', 'longer than 0'],
  ),
  told(
    'a slow start where endpoints are chosen by latency, and one of no time',
    A + traffic('balancing: { policy: PeakEWMA, slowStart: { window: 0s } }'),
    ['TULLE0208', 11, '{ window', 'means nothing for PeakEWMA'],
    ['TULLE0204', 11, '0s }', 'longer than 0'],
  ),
  told(
    'a hash of two things at once, of a cookie never made up, over a table of no prime',
    A +
      traffic(
        'balancing: { policy: Maglev, tableSize: 100, hashOn: [{ header: a, sourceIp: true }, { cookie: { name: c, path: / } }] }',
      ),
    ['TULLE0204', 11, '100, hashOn', 'no prime'],
    ['TULLE0208', 11, '{ header', 'header and sourceIp stand together'],
    ['TULLE0208', 11, '/ } }] }', 'no cookie is made up'],
  ),
  told(
    'regions to fail over to without preferring any',
    A + traffic('locality: { prefer: None, failover: [{ from: eu, to: us }] }'),
    ['TULLE0208', 11, '[{ from: eu', 'prefer: Nearest'],
  ),
  told(
    'balancing on a route',
    A +
      route(TO_A) +
      '---\n' +
      policy(
        'TrafficPolicy',
        '  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: r }]\n  balancing: { policy: Random }',
      ),
    ['TULLE0208', 18, '{ policy: Rand', 'Service'],
  ),
  told(
    'a target that does not exist',
    A + policy('TrafficPolicy', '  targetRefs: [{ group: "", kind: Service, name: b }]'),
    ['TULLE0304', 10, 'b }]', 'default/b'],
  ),
  told(
    'budgets of a Service, twice, for nobody, and too short to count in',
    A +
      traffic('retryBudget: {}') +
      '---\n' +
      budget(
        '  targetRefs: [{ group: "", kind: Service, name: a }, { group: "", kind: Service, name: b }]\n  retryConstraint: {}',
      ) +
      '---\n' +
      budget(
        '  targetRefs: [{ group: "", kind: Service, name: a }, { group: "", kind: Service, name: a }]\n  retryConstraint: { budget: { interval: 1ms } }',
        'q',
      ),
    ['TULLE0207', 24, '{ group: "", kind: Service, name: a }]', 'listed twice'],
    ['TULLE0204', 25, '1ms', '10ms'],
    ['TULLE0505', 17, '{ group', 'TrafficPolicy p already'],
    ['TULLE0304', 17, 'b }', 'default/b'],
    ['TULLE0505', 24, '{ group', 'TrafficPolicy p already'],
    ['TULLE0505', 24, '{ group', 'TrafficPolicy p already'],
  ),
  told(
    'budgets for what is no Service',
    budget(
      '  targetRefs: [{ group: multicluster.x-k8s.io, kind: ServiceImport, name: a }, { group: a.example, kind: Service, name: a }]\n  retryConstraint: {}',
    ) +
      '---\n' +
      budget('  targetRefs: [{ group: a.example, kind: Service, name: a }]\n  retryConstraint: {}', 'q'),
    ['TULLE0320', 5, 'ServiceImport', 'it does nothing there'],
    ['TULLE0320', 5, 'Service, name: a }]', 'of kind Service.a.example'],
    ['TULLE0320', 12, 'Service', 'of kind Service.a.example'],
  ),
  told(
    'sessions of a Service, twice, and over at once',
    A +
      budget(
        '  targetRefs: [{ group: "", kind: Service, name: a }]\n  sessionPersistence: { absoluteTimeout: 0s }',
      ) +
      '---\n' +
      budget('  targetRefs: [{ group: "", kind: Service, name: a }]\n  sessionPersistence: {}', 'q'),
    ['TULLE0204', 11, '0s', 'over at once'],
    ['TULLE0505', 17, '{ group', 'XBackendTrafficPolicy p already'],
  ),
  told(
    'two policies for one thing',
    `${A}${traffic('retries: { attempts: 1 }')}---\n${traffic('retries: { attempts: 2 }').replace('name: p', 'name: q')}`,
    ['TULLE0505', 18, '{ attempts: 2 ', 'TrafficPolicy p'],
  ),
];
