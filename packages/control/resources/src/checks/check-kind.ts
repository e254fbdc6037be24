import type { Resource } from '../resource.ts';
import type { CheckHost } from './check-host.ts';
import { checkEndpointSlice, checkService, checkWorkload } from './endpoints.ts';
import { checkBackendTrafficPolicy } from './backend-traffic-policy.ts';
import { checkBackendTlsPolicy, checkConfigMap } from './backend-tls-policy.ts';
import { checkConnectionRoute } from './connection-route.ts';
import { checkGateway, checkListeners } from './gateway.ts';
import { checkGatewayClass } from './gateway-class.ts';
import { checkGrpcRoute } from './grpc-route.ts';
import { checkHttpRoute } from './http-route.ts';
import { checkPeerAuthentication } from './peer-authentication.ts';
import { checkAuthorizationPolicy, checkFilterPolicy, checkTrafficPolicy } from './policies.ts';

/** Runs the checks of the resource's kind. */
export function checkKind(resource: Resource, host: CheckHost): void {
  switch (resource.kind) {
    case 'Service':
      return checkService(resource, host);
    case 'Workload':
      return checkWorkload(resource, host);
    case 'EndpointSlice':
      return checkEndpointSlice(resource, host);
    case 'GatewayClass':
      return checkGatewayClass(resource, host);
    case 'Gateway':
      return checkGateway(resource, host);
    case 'ListenerSet':
      return checkListeners(resource.spec.listeners, host);
    case 'BackendTLSPolicy':
      return checkBackendTlsPolicy(resource, host);
    case 'ConfigMap':
      return checkConfigMap(resource, host);
    case 'HTTPRoute':
      return checkHttpRoute(resource, host);
    case 'GRPCRoute':
      return checkGrpcRoute(resource, host);
    case 'TLSRoute':
    case 'TCPRoute':
    case 'UDPRoute':
      return checkConnectionRoute(resource, host);
    case 'AuthorizationPolicy':
      return checkAuthorizationPolicy(resource, host);
    case 'PeerAuthentication':
      return checkPeerAuthentication(resource, host);
    case 'TrafficPolicy':
      return checkTrafficPolicy(resource, host);
    case 'FilterPolicy':
      return checkFilterPolicy(resource, host);
    case 'XBackendTrafficPolicy':
      return checkBackendTrafficPolicy(resource, host);
    case 'ReferenceGrant':
      return;
  }
}
