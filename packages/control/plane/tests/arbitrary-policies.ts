import fc from 'fast-check';
import type { ResourceOf, TrafficPolicySpec } from '@tulle/resources';
import { serviceName, app, gatewayName, setName, duration, some, metadata } from './arbitrary-parts.ts';

const serviceTarget = fc.record({
  group: fc.constant('' as const),
  kind: fc.constant('Service' as const),
  name: serviceName,
});
const routeTarget = some(
  {
    group: fc.constant('gateway.networking.k8s.io' as const),
    kind: fc.constantFrom('HTTPRoute' as const, 'GRPCRoute' as const),
    name: fc.constantFrom('r1', 'r2'),
  },
  { sectionName: fc.constantFrom('one', 'two') },
);

const gatewayTarget = some(
  {
    group: fc.constant('gateway.networking.k8s.io' as const),
    kind: fc.constant('Gateway' as const),
    name: gatewayName,
  },
  { sectionName: fc.constantFrom('l1', 'l2') },
);
const setTarget = some(
  {
    group: fc.constant('gateway.networking.k8s.io' as const),
    kind: fc.constant('ListenerSet' as const),
    name: setName,
  },
  { sectionName: fc.constantFrom('l1', 'l2') },
);

export const traffic: fc.Arbitrary<ResourceOf<'TrafficPolicy'>> = fc.record({
  apiVersion: fc.constant('tulle.dev/v1alpha1' as const),
  kind: fc.constant('TrafficPolicy' as const),
  metadata: metadata(fc.constantFrom('t1', 't2')),
  spec: fc.oneof<fc.Arbitrary<TrafficPolicySpec>[]>(
    some(
      { targetRefs: fc.uniqueArray(serviceTarget, { minLength: 1, maxLength: 2, selector: (t) => t.name }) },
      {
        timeouts: fc.record({ request: duration, connect: duration }),
        balancing: fc.constantFrom({ policy: 'RoundRobin' as const }, { policy: 'Random' as const }),
      },
    ),
    some(
      { targetRefs: fc.array(routeTarget, { minLength: 1, maxLength: 1 }) },
      { timeouts: fc.record({ request: duration }), retries: fc.record({ attempts: fc.constantFrom(0, 2) }) },
    ),
  ),
});

export const filter: fc.Arbitrary<ResourceOf<'FilterPolicy'>> = fc
  .record({
    metadata: metadata(fc.constantFrom('f1', 'f2')),
    filter: fc.constantFrom('tulle.http.fault', 'acme-waf'),
    mandatory: fc.boolean(),
    phase: fc.constantFrom('fault' as const, 'custom' as const),
    where: fc.oneof(
      fc.constant({ direction: 'inbound' as const }),
      app.map((name) => ({ selector: { matchLabels: { app: name } } })),
      fc.record({
        targetRefs: fc.array(serviceTarget, { minLength: 1, maxLength: 1 }),
        direction: fc.constantFrom('inbound' as const, 'outbound' as const),
      }),
      fc.record({ targetRefs: fc.array(routeTarget, { minLength: 1, maxLength: 1 }) }),
      fc.record({
        targetRefs: fc.uniqueArray(fc.oneof(gatewayTarget, setTarget, routeTarget), {
          minLength: 1,
          maxLength: 2,
          selector: (t) => t.name,
        }),
      }),
    ),
  })
  .map(({ metadata: meta, where, ...spec }) => ({
    apiVersion: 'tulle.dev/v1alpha1',
    kind: 'FilterPolicy',
    metadata: meta,
    spec: { ...spec, ...where, config: {} },
  }));

export const authorization: fc.Arbitrary<ResourceOf<'AuthorizationPolicy'>> = fc
  .record({
    metadata: metadata(fc.constantFrom('z1', 'z2')),
    action: fc.constantFrom('ALLOW' as const, 'DENY' as const),
    rules: fc.array(
      fc.oneof(fc.constant({ from: { serviceAccounts: ['a'] } }), fc.constant({ to: { paths: ['/a*'] } })),
      { maxLength: 2 },
    ),
    where: fc.oneof(
      fc.constant({}),
      app.map((name) => ({ selector: { matchLabels: { app: name } } })),
      serviceTarget.map((target) => ({ targetRefs: [target] })),
    ),
  })
  .map(({ metadata: meta, where, ...spec }) => ({
    apiVersion: 'tulle.dev/v1alpha1',
    kind: 'AuthorizationPolicy',
    metadata: meta,
    spec: { ...spec, ...where },
  }));

export const peerAuthentication: fc.Arbitrary<ResourceOf<'PeerAuthentication'>> = fc
  .record({
    metadata: metadata(fc.constantFrom('m1', 'm2')),
    mtls: fc.record({ mode: fc.constantFrom('STRICT' as const, 'PERMISSIVE' as const) }),
    where: fc.oneof(
      fc.constant({}),
      app.map((name) => ({ selector: { matchLabels: { app: name } } })),
    ),
  })
  .map(({ metadata: meta, where, mtls }) => ({
    apiVersion: 'tulle.dev/v1alpha1',
    kind: 'PeerAuthentication',
    metadata: meta,
    spec: { mtls, ...where },
  }));
