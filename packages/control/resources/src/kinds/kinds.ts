import type { JsonSchema } from '@tulle/model';
import type { Kind } from '../resource.ts';
import { authorizationPolicySchema } from './authorization-policy.ts';
import { backendTlsPolicySchema } from './backend-tls-policy.ts';
import { backendTrafficPolicySchema } from './backend-traffic-policy.ts';
import { configMapSchema } from './config-map.ts';
import { tcpRouteSchema, tlsRouteSchema, udpRouteSchema } from './connection-route.ts';
import { endpointSliceSchema } from './endpoint-slice.ts';
import { filterPolicySchema } from './filter-policy.ts';
import { gatewaySchema } from './gateway.ts';
import { gatewayClassSchema } from './gateway-class.ts';
import { grpcRouteSchema } from './grpc-route.ts';
import { httpRouteSchema } from './http-route.ts';
import { listenerSetSchema } from './listener-set.ts';
import { peerAuthenticationSchema } from './peer-authentication.ts';
import { referenceGrantSchema } from './reference-grant.ts';
import { serviceSchema } from './service.ts';
import { trafficPolicySchema } from './traffic-policy.ts';
import { workloadSchema } from './workload.ts';

/** One kind of the operator's language. */
export interface KindDefinition {
  readonly apiVersion: string;
  readonly kind: Kind;
  /** Lower case, as in `tulle get services` and REST paths. */
  readonly plural: string;
  /** As kubectl abbreviates it. */
  readonly shortNames: readonly string[];
  readonly schema: JsonSchema;
  /** Whether its resources are of no namespace. */
  readonly ofCluster: boolean;
}

const define = (
  apiVersion: string,
  kind: Kind,
  plural: string,
  shortNames: readonly string[],
  schema: JsonSchema,
  ofCluster = false,
): KindDefinition => Object.freeze({ apiVersion, kind, plural, shortNames, schema, ofCluster });

/** Every kind, in the order in which `tulle get all` shows them. */
export const KINDS: readonly KindDefinition[] = Object.freeze([
  define('v1', 'Service', 'services', ['svc'], serviceSchema),
  define('tulle.dev/v1alpha1', 'Workload', 'workloads', ['wl'], workloadSchema),
  define('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices', [], endpointSliceSchema),
  define('gateway.networking.k8s.io/v1', 'GatewayClass', 'gatewayclasses', ['gc'], gatewayClassSchema, true),
  define('gateway.networking.k8s.io/v1', 'Gateway', 'gateways', ['gtw'], gatewaySchema),
  define('gateway.networking.k8s.io/v1', 'ListenerSet', 'listenersets', ['lset'], listenerSetSchema),
  define('gateway.networking.k8s.io/v1', 'HTTPRoute', 'httproutes', [], httpRouteSchema),
  define('gateway.networking.k8s.io/v1', 'GRPCRoute', 'grpcroutes', [], grpcRouteSchema),
  define('gateway.networking.k8s.io/v1', 'TLSRoute', 'tlsroutes', [], tlsRouteSchema),
  define('gateway.networking.k8s.io/v1', 'TCPRoute', 'tcproutes', [], tcpRouteSchema),
  define('gateway.networking.k8s.io/v1', 'UDPRoute', 'udproutes', [], udpRouteSchema),
  define(
    'gateway.networking.k8s.io/v1',
    'ReferenceGrant',
    'referencegrants',
    ['refgrant'],
    referenceGrantSchema,
  ),
  define(
    'gateway.networking.k8s.io/v1',
    'BackendTLSPolicy',
    'backendtlspolicies',
    ['btlspolicy'],
    backendTlsPolicySchema,
  ),
  define(
    'gateway.networking.x-k8s.io/v1alpha1',
    'XBackendTrafficPolicy',
    'xbackendtrafficpolicies',
    ['xbtrafficpolicy'],
    backendTrafficPolicySchema,
  ),
  define('v1', 'ConfigMap', 'configmaps', ['cm'], configMapSchema),
  define(
    'tulle.dev/v1alpha1',
    'AuthorizationPolicy',
    'authorizationpolicies',
    ['ap'],
    authorizationPolicySchema,
  ),
  define('tulle.dev/v1alpha1', 'PeerAuthentication', 'peerauthentications', ['pa'], peerAuthenticationSchema),
  define('tulle.dev/v1alpha1', 'TrafficPolicy', 'trafficpolicies', ['tp'], trafficPolicySchema),
  define('tulle.dev/v1alpha1', 'FilterPolicy', 'filterpolicies', ['fp'], filterPolicySchema),
]);

/** A kind by its name, plural or short name, in any case: `HTTPRoute`, `httproutes`, `svc`. */
export function findKind(name: string): KindDefinition | undefined {
  const wanted = name.toLowerCase();
  return KINDS.find(
    (k) => k.kind.toLowerCase() === wanted || k.plural === wanted || k.shortNames.includes(wanted),
  );
}
