import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type {
  GRPCRouteMatch,
  GatewayListener,
  GatewayListenerTls,
  GatewaySpec,
  ParentRef,
  Resource,
  ResourceOf,
  ServicePort,
  WorkloadInbound,
} from '@tulle/resources';
import {
  namespace,
  serviceName,
  app,
  gatewayName,
  setName,
  port,
  duration,
  some,
  metadata,
} from './arbitrary-parts.ts';
import { authorization, filter, peerAuthentication, traffic } from './arbitrary-policies.ts';

/** The one of a fixture; any will do. */
const CERTIFICATE = (
  /ca\.crt: ("-----BEGIN[^"]*")/.exec(
    readFileSync(new URL('fixtures/egress.yaml', import.meta.url), 'utf8'),
  ) ?? []
)
  .slice(1)
  .map((text) => JSON.parse(text) as string)
  .join('');

const service: fc.Arbitrary<ResourceOf<'Service'>> = fc.record({
  apiVersion: fc.constant('v1' as const),
  kind: fc.constant('Service' as const),
  metadata: metadata(
    serviceName,
    fc.constantFrom<Readonly<Record<string, string>>[]>(
      {},
      {},
      { 'tulle.dev/use-waypoint': 'edge' },
      { 'tulle.dev/use-waypoint': 'edge', 'tulle.dev/use-waypoint-namespace': 'shop' },
    ),
  ),
  spec: some(
    {
      ports: fc.uniqueArray(
        fc.oneof<fc.WeightedArbitrary<ServicePort>[]>(
          {
            weight: 3,
            arbitrary: some(
              { port, name: fc.constantFrom('p1', 'p2') },
              {
                targetPort: fc.constantFrom<number | string>(5001, 5002, 'web'),
                appProtocol: fc.constantFrom('http' as const, 'tcp' as const),
              },
            ),
          },
          {
            weight: 1,
            arbitrary: some(
              { port, name: fc.constantFrom('p1', 'p2'), protocol: fc.constant('UDP' as const) },
              { targetPort: fc.constantFrom(5001, 5002) },
            ),
          },
        ),
        {
          minLength: 1,
          maxLength: 2,
          comparator: (a, b) => (a.port === b.port && a.protocol === b.protocol) || a.name === b.name,
        },
      ),
    },
    { selector: fc.record({ app }) },
  ),
});

const workload: fc.Arbitrary<ResourceOf<'Workload'>> = fc.record({
  apiVersion: fc.constant('tulle.dev/v1alpha1' as const),
  kind: fc.constant('Workload' as const),
  metadata: metadata(fc.constantFrom('w1', 'w2'), fc.record({ app, version: fc.constantFrom('v1', 'v2') })),
  spec: some(
    {
      address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
      ports: fc.constant([{ port: 5001, name: 'web' }]),
      inbound: fc.constantFrom<WorkloadInbound>({ mode: 'none' }, { mode: 'sidecar', port: 15001 }),
    },
    {
      health: fc.constantFrom('healthy' as const, 'unhealthy' as const),
      weight: fc.constantFrom(1, 5),
    },
  ),
});

const slice: fc.Arbitrary<ResourceOf<'EndpointSlice'>> = fc.record({
  apiVersion: fc.constant('discovery.k8s.io/v1' as const),
  kind: fc.constant('EndpointSlice' as const),
  metadata: metadata(
    fc.constantFrom('e1', 'e2'),
    serviceName.map((name) => ({ 'kubernetes.io/service-name': name })),
  ),
  addressType: fc.constant('IPv4' as const),
  ports: fc.constant([{ port: 5001 }]),
  endpoints: fc.array(
    some(
      { addresses: fc.constantFrom(['10.1.0.1'], ['10.1.0.2']) },
      {
        conditions: fc.record({ ready: fc.boolean() }),
        targetRef: fc.record({ kind: fc.constant('Workload'), name: fc.constantFrom('w1', 'w2') }),
      },
    ),
    { maxLength: 2 },
  ),
});

const backendRef = some({ name: serviceName, port }, { namespace, weight: fc.constantFrom(0, 1, 9) });

const defaultScope = fc.constantFrom('All' as const, 'None' as const);

const route: fc.Arbitrary<ResourceOf<'HTTPRoute'>> = fc.record({
  apiVersion: fc.constant('gateway.networking.k8s.io/v1' as const),
  kind: fc.constant('HTTPRoute' as const),
  metadata: metadata(fc.constantFrom('r1', 'r2')),
  spec: some(
    {
      parentRefs: fc.uniqueArray(
        fc.oneof<fc.Arbitrary<ParentRef>[]>(
          some(
            { group: fc.constant('' as const), kind: fc.constant('Service' as const), name: serviceName },
            { namespace, port },
          ),
          some({ name: gatewayName }, { namespace, port, sectionName: fc.constantFrom('l1', 'l2', 'l3') }),
          some(
            { kind: fc.constant('ListenerSet' as const), name: setName },
            { namespace, sectionName: fc.constantFrom('l1', 'l2') },
          ),
        ),
        { maxLength: 2, selector: (p) => p.name },
      ),
      useDefaultGateways: defaultScope,
      rules: fc.uniqueArray(
        some(
          {
            name: fc.constantFrom('one', 'two'),
            backendRefs: fc.array(backendRef, { minLength: 1, maxLength: 2 }),
          },
          {
            matches: fc.array(
              fc.record({
                path: fc.record({
                  type: fc.constantFrom('PathPrefix' as const, 'Exact' as const),
                  value: fc.constantFrom('/', '/a', '/a/b'),
                }),
              }),
              { minLength: 1, maxLength: 2 },
            ),
            timeouts: fc.record({ request: duration }),
          },
        ),
        { minLength: 1, maxLength: 2, selector: (r) => r.name },
      ),
    },
    { hostnames: fc.constantFrom(['shop.example'], ['*.example'], ['a.shop.example', 'other.test']) },
  ),
});

const grpcRoute: fc.Arbitrary<ResourceOf<'GRPCRoute'>> = fc
  .tuple(
    route,
    fc.constantFrom<readonly GRPCRouteMatch[]>(
      [],
      [{ method: { service: 'shop.Orders' } }],
      [{ method: { service: 'shop.Orders', method: 'Place' } }, { method: { method: 'Place' } }],
    ),
  )
  .map(([{ apiVersion, metadata: meta, spec }, matches]) => ({
    apiVersion,
    kind: 'GRPCRoute',
    metadata: meta,
    spec: {
      ...spec,
      rules: (spec.rules ?? []).map(({ name = 'one', backendRefs = [] }) => ({ name, backendRefs, matches })),
    },
  }));

const connectionRoute: fc.Arbitrary<
  ResourceOf<'TLSRoute'> | ResourceOf<'TCPRoute'> | ResourceOf<'UDPRoute'>
> = fc
  .record({
    kind: fc.constantFrom('TCPRoute' as const, 'UDPRoute' as const),
    metadata: metadata(fc.constantFrom('r1', 'r2')),
    parent: fc.oneof<fc.Arbitrary<ParentRef>[]>(
      some({ name: gatewayName }, { namespace, port, sectionName: fc.constantFrom('l1', 'l2') }),
      some({ kind: fc.constant('ListenerSet' as const), name: setName }, { namespace }),
    ),
    backendRefs: fc.array(backendRef, { minLength: 1, maxLength: 2 }),
    useDefaultGateways: defaultScope,
    hostnames: fc.constantFrom<readonly string[] | undefined>(
      undefined,
      ['shop.example'],
      ['*.example', 'a.shop.example'],
    ),
  })
  .map(({ kind, metadata: meta, parent, backendRefs, hostnames, useDefaultGateways }) => {
    const spec = { parentRefs: [parent], useDefaultGateways, rules: [{ backendRefs }] };
    const common = { apiVersion: 'gateway.networking.k8s.io/v1', metadata: meta } as const;
    return hostnames === undefined
      ? { ...common, kind, spec }
      : { ...common, kind: 'TLSRoute', spec: { ...spec, hostnames } };
  });

const host = fc.constantFrom('shop.example', '*.example', '*.shop.example');
const allowedRoutes = fc.constantFrom(
  { namespaces: { from: 'All' as const } },
  { namespaces: { from: 'None' as const } },
);
type AnyListener = Omit<GatewayListener, 'name'>;
const httpListener: fc.Arbitrary<AnyListener> = some(
  { port, protocol: fc.constant('HTTP' as const) },
  { hostname: host, allowedRoutes },
);
const httpsListener: fc.Arbitrary<AnyListener> = some(
  {
    port,
    protocol: fc.constant('HTTPS' as const),
    tls: fc.constantFrom<GatewayListenerTls>(
      { certificateRefs: [{ name: 'here' }] },
      { certificateRefs: [{ name: 'lost' }] },
      { certificateRefs: [{ name: 'here', namespace: 'shop' }] },
      { options: { 'tulle.dev/callers': 'mesh' } },
    ),
  },
  { hostname: host, allowedRoutes },
);
const tlsListener: fc.Arbitrary<AnyListener> = some(
  {
    port,
    protocol: fc.constant('TLS' as const),
    tls: fc.constantFrom<GatewayListenerTls>(
      { mode: 'Passthrough' },
      { mode: 'Terminate', certificateRefs: [{ name: 'here' }] },
    ),
  },
  { hostname: host, allowedRoutes },
);
const bytesListener: fc.Arbitrary<AnyListener> = some(
  { port, protocol: fc.constantFrom('TCP' as const, 'UDP' as const) },
  { allowedRoutes },
);
const listeners = fc
  .uniqueArray(fc.oneof(httpListener, httpsListener, tlsListener, bytesListener), {
    minLength: 1,
    maxLength: 3,
    selector: (l) => `${l.port} ${l.protocol} ${l.hostname ?? ''}`,
  })
  .map((all) => all.map((listener, i): GatewayListener => ({ name: `l${i + 1}`, ...listener })));
const waypoint = fc
  .constantFrom('Same' as const, 'All' as const, 'None' as const)
  .map((from): GatewaySpec => ({
    gatewayClassName: 'tulle-waypoint',
    listeners: [{ name: 'l1', port: 15_008, protocol: 'HBONE', allowedRoutes: { namespaces: { from } } }],
  }));
const gateway: fc.Arbitrary<ResourceOf<'Gateway'>> = fc.record({
  apiVersion: fc.constant('gateway.networking.k8s.io/v1' as const),
  kind: fc.constant('Gateway' as const),
  metadata: metadata(gatewayName),
  spec: fc.oneof({ weight: 1, arbitrary: waypoint }, { weight: 2, arbitrary: edge() }),
});
function edge(): fc.Arbitrary<GatewaySpec> {
  return some(
    { gatewayClassName: fc.constantFrom('tulle', 'tulle', 'tulle', 'nginx'), listeners },
    {
      defaultScope,
      allowedListeners: fc
        .constantFrom(...(['All', 'Same', 'All'] as const))
        .map((from) => ({ namespaces: { from } })),
    },
  );
}
const gatewayClass: fc.Arbitrary<ResourceOf<'GatewayClass'>> = fc.record({
  apiVersion: fc.constant('gateway.networking.k8s.io/v1' as const),
  kind: fc.constant('GatewayClass' as const),
  metadata: fc.constant({ name: 'tulle', namespace: 'default' }),
  spec: some(
    { controllerName: fc.constant('tulle.dev/gateway-controller') },
    { parametersRef: fc.constant({ group: '', kind: 'ConfigMap', name: 'a', namespace: 'b' }) },
  ),
});

const listenerSet: fc.Arbitrary<ResourceOf<'ListenerSet'>> = fc.record({
  apiVersion: fc.constant('gateway.networking.k8s.io/v1' as const),
  kind: fc.constant('ListenerSet' as const),
  metadata: metadata(setName),
  spec: fc.record({ parentRef: some({ name: gatewayName }, { namespace }), listeners }),
});

const external: fc.Arbitrary<ResourceOf<'Service'>> = fc.record({
  apiVersion: fc.constant('v1' as const),
  kind: fc.constant('Service' as const),
  metadata: metadata(serviceName),
  spec: fc.record({
    type: fc.constant('ExternalName' as const),
    externalName: fc.constantFrom('a.example', 'b.example'),
    ports: port.map((one) => [{ port: one, name: 'p1' }]),
  }),
});

const backendTls: fc.Arbitrary<ResourceOf<'BackendTLSPolicy'>> = fc.record({
  apiVersion: fc.constant('gateway.networking.k8s.io/v1' as const),
  kind: fc.constant('BackendTLSPolicy' as const),
  metadata: metadata(fc.constantFrom('b1', 'b2')),
  spec: fc.record({
    targetRefs: serviceName.map((name) => [{ group: '', kind: 'Service', name }]),
    validation: fc.oneof(
      fc.constant({ hostname: 'a.example', wellKnownCACertificates: 'System' as const }),
      fc.constant({
        hostname: 'a.example',
        caCertificateRefs: [{ group: '' as const, kind: 'ConfigMap' as const, name: 'ca' }],
      }),
    ),
  }),
});

const configMap: fc.Arbitrary<ResourceOf<'ConfigMap'>> = fc.record({
  apiVersion: fc.constant('v1' as const),
  kind: fc.constant('ConfigMap' as const),
  metadata: metadata(fc.constant('ca')),
  data: fc.constantFrom<Readonly<Record<string, string>>>(
    { 'ca.crt': CERTIFICATE },
    { 'ca.crt': `${CERTIFICATE}\n` },
    {},
  ),
});

const grant: fc.Arbitrary<ResourceOf<'ReferenceGrant'>> = fc.record({
  apiVersion: fc.constant('gateway.networking.k8s.io/v1' as const),
  kind: fc.constant('ReferenceGrant' as const),
  metadata: metadata(fc.constant('g')),
  spec: fc.record({
    from: fc
      .record({
        kind: fc.constantFrom(
          'HTTPRoute',
          'GRPCRoute',
          'TLSRoute',
          'TCPRoute',
          'UDPRoute',
          'Gateway',
          'ListenerSet',
        ),
        namespace,
      })
      .map((from) => [{ group: 'gateway.networking.k8s.io', ...from }]),
    to: fc.oneof(
      some({ group: fc.constant(''), kind: fc.constant('Service') }, { name: serviceName }).map((to) => [to]),
      fc.constant([{ group: '', kind: 'Secret' }]),
    ),
  }),
});

/** Any resource; every one keeps its schema. */
export const anyResource: fc.Arbitrary<Resource> = fc.oneof<fc.WeightedArbitrary<Resource>[]>(
  { weight: 4, arbitrary: service },
  { weight: 2, arbitrary: workload },
  { weight: 2, arbitrary: slice },
  { weight: 4, arbitrary: route },
  { weight: 2, arbitrary: grpcRoute },
  { weight: 2, arbitrary: connectionRoute },
  { weight: 3, arbitrary: gateway },
  { weight: 1, arbitrary: gatewayClass },
  { weight: 2, arbitrary: listenerSet },
  { weight: 1, arbitrary: external },
  { weight: 1, arbitrary: backendTls },
  { weight: 1, arbitrary: configMap },
  { weight: 1, arbitrary: grant },
  { weight: 2, arbitrary: traffic },
  { weight: 2, arbitrary: filter },
  { weight: 2, arbitrary: authorization },
  { weight: 2, arbitrary: peerAuthentication },
);
