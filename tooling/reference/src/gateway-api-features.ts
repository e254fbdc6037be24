import { by, type Feature } from './gateway-api-feature.ts';
import { HTTP_ROUTE_FEATURES } from './gateway-api-http-features.ts';
import { ROUTE_FEATURES } from './gateway-api-route-features.ts';

const LISTENERS = 'apps/gateway/tests/listeners.spec.ts';
const MESH = 'apps/gateway/tests/mesh-routes.spec.ts';
const STATUS = 'packages/control/plane/tests/gateway.spec.ts';
const STATUS_OF_CONNECTIONS = 'packages/control/plane/tests/gateway-connections.spec.ts';
const TLS = 'apps/cli/tests/gateway-tls.spec.ts';
const REASONS = 'packages/control/plane/tests/gateway-reasons.spec.ts';
const UNSUPPORTED = 'packages/control/plane/tests/unsupported-values.spec.ts';
const EDGE = 'apps/cli/tests/gateway.spec.ts';
/** What is said of resources, by what the cases are about. */
const cases = (area: string): string => `packages/control/resources/tests/cases/${area}.ts`;
const FRONTEND =
  'asks callers for certificates of the CAs that it names, by port, or serves who has none where it is told to';
const MESH_RULES =
  'rewrite paths, match query parameters, edit the fields of one backend, and name their rules';
const GAMMA =
  'are for the callers of all namespaces in that of the Service, and for those of their own in another one';

/** Every feature of release 1.6 that a mesh and gateway could have, and what Tulle does about it. */
export const FEATURES: readonly Feature[] = [
  {
    area: 'Gateway',
    name: 'Gateway',
    level: 'Core',
    note: 'Class `tulle`. It needs no GatewayClass; one that is there says in status what Tulle has, and that further classes are not supported (`Unsupported`). Certificates are files where the gateway runs.',
    proofs: [
      ...by(EDGE, 'lets the world in by HTTP and HTTPS, and believes nothing that it claims'),
      ...by(
        STATUS,
        'is pending until a process has confirmed it, and again when that is gone',
        'listeners of two protocols on one port are all refused',
        'a certificate that a process lacks keeps its listener closed, the others open',
        'is nothing where it is of another class; its generation counts changes',
      ),
      ...by(
        REASONS,
        'is said of its listener, and the others are served',
        'says which of its listeners refer to what is not there, after its own certificate for backends',
      ),
      ...by(UNSUPPORTED, 'are those of { %s }: %s; by labels that are not known none is, as status says'),
      ...by(
        'packages/control/plane/tests/gateway-class.spec.ts',
        'of Tulle is accepted, with the features that its Gateways have',
        'of another controller is left alone, and one of another name is not supported',
        'of another name has Gateways that nobody serves, which they say, as do their ListenerSets and routes',
        'with parameters is not accepted, nor are its Gateways until these are gone',
      ),
    ],
  },
  {
    area: 'Gateway',
    name: 'ReferenceGrant',
    level: 'Core',
    proofs: [
      ...by(
        STATUS,
        'a certificate of another namespace needs a grant there',
        'a grant %s grants nothing of the kind of that name here',
      ),
      ...by(STATUS_OF_CONNECTIONS, '%s: changes of it, and of grants, reach who serves the Gateway'),
    ],
  },
  {
    area: 'Gateway',
    name: 'GatewayPort8080',
    level: 'Extended',
    proofs: by(LISTENERS, 'are on any port, 8080 too'),
  },
  {
    area: 'Gateway',
    name: 'GatewayStaticAddresses',
    level: 'Extended',
    note: 'Addresses of type `IPAddress`; others are refused in status with `UnsupportedAddress`, those that cannot be had with `AddressNotUsable`.',
    proofs: [
      ...by(
        LISTENERS,
        'are at the addresses that the Gateway asks for, and at the own of its process where one has no value',
      ),
      ...by(STATUS, 'an address that cannot be had is said to be so'),
    ],
  },
  {
    area: 'Gateway',
    name: 'GatewayAddressEmpty',
    level: 'Extended',
    proofs: by(
      LISTENERS,
      'are at the addresses that the Gateway asks for, and at the own of its process where one has no value',
    ),
  },
  {
    area: 'Gateway',
    name: 'GatewayHTTPListenerIsolation',
    level: 'Extended',
    proofs: by(
      LISTENERS,
      'keep to themselves: a host is served by the routes of the most specific listener that covers it, and by no others',
    ),
  },
  {
    area: 'Gateway',
    name: 'GatewayHTTPSListenerDetectMisdirectedRequests',
    level: 'Extended',
    note: 'Listeners to which that may happen say `OverlappingTLSConfig`: by their hostnames, or by naming one certificate; what is in certificates is not compared.',
    proofs: [
      ...by(EDGE, 'lets the world in by HTTP and HTTPS, and believes nothing that it claims'),
      ...by(
        REASONS,
        'say so of names, and those that have nothing say nothing',
        'say so of certificates, also where names have in common what certificates have',
      ),
    ],
  },
  {
    area: 'Gateway',
    name: 'GatewayInfrastructurePropagation',
    level: 'Extended',
    unsupported:
      'Nothing is made for a Gateway, its process is started with `tulle gateway`. Labels and annotations of `spec.infrastructure` go to nothing, which the condition `tulle.dev/InfrastructurePropagated` says; with a `parametersRef` `Accepted` is `False` with `InvalidParameters`.',
    proofs: by(
      'packages/control/plane/tests/gateway-infrastructure.spec.ts',
      'labels and annotations are said to go to nothing, and the Gateway is served',
      'parameters of any kind are refused in status, and the Gateway is served by nobody until they are gone',
      'is said of a waypoint as well',
    ),
  },
  {
    area: 'Gateway',
    name: 'GatewayClasses of users',
    level: 'Implementation-specific',
    unsupported:
      'There are two classes, `tulle` and `tulle-waypoint`. A GatewayClass of another name with the `controllerName` of Tulle has `Accepted` `False` with `Unsupported`, and nobody serves its Gateways, which say so (`Accepted` is `False` with `Invalid`); one with a `parametersRef` has `InvalidParameters`, as its Gateways have.',
    proofs: by(
      'packages/control/plane/tests/gateway-class.spec.ts',
      'of another controller is left alone, and one of another name is not supported',
      'of another name has Gateways that nobody serves, which they say, as do their ListenerSets and routes',
      'with parameters is not accepted, nor are its Gateways until these are gone',
    ),
  },
  {
    area: 'Gateway',
    name: 'Default Gateways (GEP-3793): defaultScope, useDefaultGateways',
    level: 'Experimental',
    note: 'Of routes of every kind. A default Gateway stands in `status.parents` as if the route named it; its condition `DefaultGateway` says that it is one.',
    proofs: [
      ...by(
        'apps/gateway/tests/default-gateways.spec.ts',
        'is served by a Gateway that is one, without naming it, and by no other',
        'is for callers within the mesh too, where it names a Service',
      ),
      ...by(
        'packages/control/plane/tests/default-gateways.spec.ts',
        'have the routes that ask for them, which their status says, as long as both say so',
        'are all parents of a route, beside those that it names, each once',
        'take only what their listeners take',
        'are for a %s as well',
      ),
      ...by(cases('gateways'), 'a route that asks for default Gateways, where none takes it'),
    ],
  },
  {
    area: 'Gateway',
    name: 'GatewayBackendClientCertificate',
    level: 'Extended',
    note: 'Shown to Services with a BackendTLSPolicy; within the mesh the gateway shows its own identity.',
    proofs: by(TLS, 'shows its certificate to backends outside of the mesh, and says where it has none'),
  },
  {
    area: 'Gateway',
    name: 'GatewayFrontendClientCertificateValidation',
    level: 'Extended',
    proofs: [
      ...by(TLS, FRONTEND),
      ...by(
        STATUS,
        'CAs for callers that are not there, or not granted, are said to be so, and nobody is let in by none',
      ),
    ],
  },
  {
    area: 'Gateway',
    name: 'GatewayFrontendClientCertificateValidationInsecureFallback',
    level: 'Extended',
    proofs: [
      ...by(TLS, FRONTEND),
      ...by(REASONS, 'are let in %s, which the Gateway says as long as that is so'),
    ],
  },
  {
    area: 'Gateway',
    name: 'ListenerSet',
    level: 'Extended',
    note: 'A Gateway keeps at least one listener of its own. `attachedListenerSets` counts those that are `Accepted`.',
    proofs: [
      ...by(
        'apps/cli/tests/gateway-listener-sets.spec.ts',
        'of other teams add hosts, ports and certificates; of two for one host the first is served, and the other once that is gone',
      ),
      ...by(
        'packages/control/plane/tests/listener-sets.spec.ts',
        'is taken where the Gateway says so: %s',
        'gives way to the Gateway, then to the older set, then to the first by name; when that goes it is served',
        'conflicts by protocol, and by port where nothing else tells connections apart',
        'uses certificates of its own namespace, and others by grants for it, not by those for its Gateway',
        'and its Gateway have routes of their own, of the namespaces that they say',
      ),
      ...by(REASONS, 'is said of a listener of a ListenerSet twice'),
      ...by(UNSUPPORTED, 'are said of ListenerSets at the Gateway'),
      ...by(
        'apps/gateway/tests/listener-sets.spec.ts',
        'filters of a ListenerSet are for its listeners, those of a Gateway for all, and those of a listener for that one',
      ),
    ],
  },
  ...HTTP_ROUTE_FEATURES,
  ...ROUTE_FEATURES,
  {
    area: 'Mesh',
    name: 'Mesh: producer routes, 404 where no rule matches, one kind a port',
    level: 'Core',
    proofs: by(
      MESH,
      GAMMA,
      'leave a request that none of their rules matches 404, and other ports alone',
      'of two kinds on one port: the GRPCRoute applies, and the HTTPRoute says that it does not',
    ),
  },
  { area: 'Mesh', name: 'MeshConsumerRoute', level: 'Extended', proofs: by(MESH, GAMMA) },
  {
    area: 'Mesh',
    name: 'MeshClusterIPMatching',
    level: 'Extended',
    note: 'For programs whose calls a sidecar captures (`tulle run --capture`, or a sidecar in a namespace), IPv4 and IPv6; a node proxy takes such calls at layer 4, and who is not captured calls local addresses of a sidecar.',
    proofs: [
      ...by(
        'tooling/net/src/cases/cluster-ips.ts',
        'a call to the clusterIP of a Service obeys its routes, as one by name does',
      ),
      ...by('packages/control/plane/tests/golden.spec.ts', '%s'),
    ],
  },
  ...(
    [
      ['MeshHTTPRouteRedirectPath', 'redirect: %s'],
      ['MeshHTTPRouteRedirectPort', 'redirect: %s'],
      ['MeshHTTPRouteSchemeRedirect', 'redirect: %s'],
      ['MeshHTTPRouteRewritePath', MESH_RULES],
      ['MeshHTTPRouteQueryParamMatching', MESH_RULES],
      ['MeshHTTPRouteBackendRequestHeaderModification', MESH_RULES],
      ['MeshHTTPRouteNamedRouteRule', MESH_RULES],
    ] as const
  ).map(([name, test]): Feature => ({ area: 'Mesh', name, level: 'Extended', proofs: by(MESH, test) })),
  {
    area: 'Policies',
    name: 'BackendTLSPolicy',
    level: 'Extended',
    note: 'For Services of type `ExternalName`; others are called over mutual TLS of the mesh, and `Accepted` is `False` with `Invalid`. Ancestors are the Gateways that lead to a target, and the target itself, which sidecars call. Of `options` none is known, which the condition `tulle.dev/OptionsHonoured` says.',
    proofs: [
      ...by(
        'apps/cli/tests/egress.spec.ts',
        'is called over TLS with its own name, believing the CAs that are named; never in clear when they are missing',
      ),
      ...by(
        'packages/control/plane/tests/backend-tls-status.spec.ts',
        'is said at its Service, and at each Gateway that leads there',
        'names the reference to a CA certificate that leads to none: %s',
        'of two for one target and port name the older one holds, then the first by name; the other is Conflicted',
        'does nothing for a target that is no Service, and says so',
        'believes nobody by CAs of a name that is not known, and says so',
      ),
    ],
  },
  {
    area: 'Policies',
    name: 'BackendTLSPolicySANValidation',
    level: 'Extended',
    proofs: by(TLS, 'believes a backend by the names that a policy lists'),
  },
  {
    area: 'Policies',
    name: 'BackendTrafficPolicy: retryConstraint (GEP-3388)',
    level: 'Experimental',
    note: 'Kind `XBackendTrafficPolicy`, for Services: of other targets `Accepted` is `False` with `TargetNotFound`. Past the budget the answer that there is goes to the caller, whatever its status, where the draft wants 503 ([why](../decisions/028-past-a-retry-budget.md)).',
    proofs: [
      ...by(
        'apps/gateway/tests/policies.spec.ts',
        'XBackendTrafficPolicy keeps retries to a share of the requests of a Service, and to some that are always allowed',
      ),
      ...by(
        'packages/control/plane/tests/backend-traffic-status.spec.ts',
        'is said at its Service, and at each Gateway that leads there',
        'names targets that are not there, and those that are no Services, for which it does nothing',
        'gives way to the older one, part by part, and budgets to a TrafficPolicy, which it says',
      ),
      ...by(cases('traffic-policies'), 'budgets of a Service, twice, for nobody, and too short to count in'),
    ],
  },
];
