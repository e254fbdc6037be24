/**
 * The operator's language: kinds, their schemas, reading with places, analysis.
 * @packageDocumentation
 */
export { CODES, CODES_PAGE, codeDocs } from './codes.ts';
export type { CodeRow, DiagnosticClass, DiagnosticCode, Severity } from './codes.ts';
export { compareDiagnostics, diagnostic, exitCodeOf, formatDiagnostic, formatPlace } from './diagnostic.ts';
export type { CheckExitCode, Diagnostic, DiagnosticParts } from './diagnostic.ts';
export type { SourcePosition } from './source-position.ts';
export { canonicalJson, refOf, resourceKey, resourceVersion, unlocated } from './resource.ts';
export type { Kind, LocatedResource, Resource, ResourceOf, ResourceRef } from './resource.ts';
export { findKind, KINDS } from './kinds/kinds.ts';
export type { KindDefinition } from './kinds/kinds.ts';
export { isServiceTarget, type LabelSelector, type Metadata, type PolicyTarget } from './kinds/metadata.ts';
export { backendTrafficPolicyFor, type BackendTrafficPart } from './gateway/backend-traffic.ts';
export { SYSTEM_CERTIFICATES } from './kinds/backend-tls-policy.ts';
export { APP_PROTOCOLS, isDeclaredPort, isUdpPort, portProtocol } from './kinds/service.ts';
export type { AppProtocol, PortProtocol, Service, ServicePort, ServiceSpec } from './kinds/service.ts';
export { SERVICE_NAME_LABEL } from './kinds/endpoint-slice.ts';
export type { EndpointSlice, SliceEndpoint, SlicePort } from './kinds/endpoint-slice.ts';
export type { Workload, WorkloadInbound, WorkloadPort, WorkloadSpec } from './kinds/workload.ts';
export { CA_CERTIFICATES_KEY } from './kinds/config-map.ts';
export type { ConfigMap } from './kinds/config-map.ts';
export type { BackendTLSPolicy } from './kinds/backend-tls-policy.ts';
export type { BackendTrafficPolicy, RetryConstraint } from './kinds/backend-traffic-policy.ts';
export {
  backendTlsPolicyFor,
  caCertificatesOf,
  isExternal,
  precedingBackendTlsPolicy,
  type CaRefFault,
} from './gateway/backend-tls.ts';
export type { HTTPExternalAuthFilter } from './kinds/external-auth.ts';
export { MAX_MATCHES, MAX_WEIGHT, parentKind } from './kinds/http-route.ts';
export type {
  HTTPBackendRef,
  HTTPCORSFilter,
  HTTPRequestMirror,
  LocalObjectReference,
  HTTPHeaderFilter,
  HTTPPathModifier,
  HTTPRequestRedirect,
  HTTPRoute,
  HTTPRouteFilter,
  HTTPRouteMatch,
  HTTPRouteRule,
  HTTPRouteSpec,
  HTTPURLRewrite,
  HTTPValueMatch,
  ParentKind,
  ParentRef,
} from './kinds/http-route.ts';
export type { SessionPersistence } from './kinds/session-persistence.ts';
export { frontendValidation } from './gateway/frontend-tls.ts';
export type {
  CaCertificateRef,
  CertificateRef,
  FrontendValidation,
  GatewayTls,
} from './kinds/gateway-tls.ts';
export { isCaCertificateKind, isCertificateKind } from './kinds/gateway-tls.ts';
export {
  CALLERS_OPTION,
  isForMesh,
  GATEWAY_CLASS,
  GATEWAY_CONTROLLER,
  GATEWAY_GROUP,
  MIN_TLS_VERSION_OPTION,
  NAMESPACE_NAME_LABEL,
  WAYPOINT_CLASS,
} from './kinds/gateway.ts';
export type {
  AllowedNamespaces,
  AllowedRoutes,
  Gateway,
  GatewayAddress,
  GatewayListener,
  GatewayListenerTls,
  ListenerProtocol,
  GatewaySpec,
  NamespaceSelector,
} from './kinds/gateway.ts';
export {
  attachToGateway,
  conflictedListeners,
  displacedRoutes,
  isServedProtocol,
  servedKinds,
  unservedKinds,
} from './gateway/attach.ts';
export type {
  Attachment,
  AttachProblem,
  AttachResult,
  DisplacedRoutes,
  ListenerConflict,
} from './gateway/attach.ts';
export { unknownLabels } from './gateway/namespaces.ts';
export { MAX_RETRY_ATTEMPTS } from './kinds/http-route.ts';
export { isServedGateway } from './gateway/class.ts';
export { defaultParent, everyParent, isDefaultGateway, usesDefaultGateways } from './gateway/default.ts';
export {
  gatewayParents,
  isSetOf,
  listenerLabel,
  mergeGateway,
  parentOwner,
  takesListenerSet,
} from './gateway/merged.ts';
export type { ListenerOwner, MergedGateway } from './gateway/merged.ts';
export { CLUSTER_NAMESPACE } from './kinds/gateway-class.ts';
export type { GatewayClass } from './kinds/gateway-class.ts';
export { SUPPORTED_FEATURES } from './gateway/features.ts';
export type { ListenerSet } from './kinds/listener-set.ts';
export {
  GATEWAY_NAME_LABEL,
  isWaypoint,
  USE_WAYPOINT_LABEL,
  USE_WAYPOINT_NAMESPACE_LABEL,
  waypointOf,
  waypointProblem,
} from './gateway/waypoint.ts';
export type { WaypointProblem, WaypointRef } from './gateway/waypoint.ts';
export { filtersBeforeDatagrams, isPolicyAt, refusesDatagrams } from './gateway/datagrams.ts';
export { connectionShares, displacedByConnection } from './gateway/connections.ts';
export type { ConnectionShare } from './gateway/connections.ts';
export { attachedHostnames, commonHostname, compareHostnames, coversHostname } from './gateway/hostnames.ts';
export type { ReferenceGrant } from './kinds/reference-grant.ts';
export type {
  AuthorizationPolicy,
  AuthorizationPolicySpec,
  AuthorizationRule,
  AuthorizationSource,
} from './kinds/authorization-policy.ts';
export type { MtlsMode, PeerAuthentication, PeerAuthenticationSpec } from './kinds/peer-authentication.ts';
export { mtlsOf } from './mtls-mode.ts';
export type { MtlsDecision } from './mtls-mode.ts';
export type { TrafficPolicy, TrafficPolicySpec, HashKey, TrafficSubset } from './kinds/traffic-policy.ts';
export { FILTER_PHASES } from './kinds/filter-policy.ts';
export type { FilterPhase, FilterPolicy, FilterPolicySpec } from './kinds/filter-policy.ts';
export { defaultPhase, filterCatalogue, STANDARD_FILTERS } from './filter-catalogue.ts';
export type { CatalogueEntry, FilterCatalogue, KnownFilter } from './filter-catalogue.ts';
export { readResources, readResourceValues } from './read/read-resources.ts';
export type { ReadOptions, ReadResult, ResourceText } from './read/read-resources.ts';
export { childPointer, parsePointer } from './read/documents.ts';
export type { ReadLimits } from './read/documents.ts';
export { analyze } from './analyze/analyze.ts';
export type { AnalyzeOptions } from './analyze/analysis-host.ts';
export { isGranted } from './analyze/resource-set.ts';
export type { GrantedKinds } from './analyze/resource-set.ts';
export { DURATION_PATTERN, parseDurationMs } from './duration.ts';
export { createdMs } from './route-match.ts';
export { compareAge } from './routes.ts';
export {
  backendProtocol,
  displacedBy,
  incompatibleRules,
  refusalOf,
  unsupportedFilters,
  type RouteRefusal,
  isAttachedTo,
  isConnectionRouteKind,
  isRouteKind,
  matchesOfRule,
  meansPort,
  parentRefsOf,
  ROUTE_KINDS,
  rulesOf,
} from './routes.ts';
export type { AnyRoute, ConnectionRoute, RequestRoute, RouteKind, RouteRule, RuleMatch } from './routes.ts';
export type { ConnectionBackendRef, TCPRoute, TLSRoute, UDPRoute } from './kinds/connection-route.ts';
export type {
  GRPCMethodMatch,
  GRPCRoute,
  GRPCRouteMatch,
  GRPCRouteRule,
  GRPCRouteSpec,
} from './kinds/grpc-route.ts';
export {
  backendTarget,
  isBackendKind,
  kindText,
  connectionPorts,
  datagramPort,
  findServicePort,
  isHttpPort,
  matchesLabels,
  selects,
  serviceSelects,
  targetPort,
} from './select.ts';
export { namedAccounts, SERVICE_ACCOUNTS_ANNOTATION } from './service-accounts.ts';
export type { NamedAccounts, ServiceAccount } from './service-accounts.ts';
export { didYouMean } from './suggest.ts';
export type { ResourceSource, SourceBatch, SourceSink, SourceUpdate } from './source.ts';
