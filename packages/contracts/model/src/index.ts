/**
 * The data plane's configuration as plain readonly types, and the typed configs of the standard filters.
 * @packageDocumentation
 */
export { formatAddress, isInternalAddress, isUnixAddress } from './address.ts';
export type { Address, InternalAddress, TcpAddress, UnixAddress } from './address.ts';
export type {
  CertificateSource,
  DownstreamTls,
  PemSource,
  SubjectAltNameMatch,
  Password,
  TicketKey,
  TlsParameters,
  TrustSource,
  UpstreamTls,
} from './tls.ts';
export type { IdentitySnapshot, IdentitySource, Svid, TrustBundle } from './identity.ts';
export type {
  BalancePolicy,
  ClientSideWeights,
  HashOptions,
  HostOverride,
  HostSource,
  MetadataPlace,
  SlowStart,
  SubsetFallback,
  SubsetRules,
  SubsetSelector,
  ZoneRouting,
} from './balance-policy.ts';
export type {
  DropCategory,
  Endpoint,
  EndpointPolicy,
  EndpointSet,
  HboneTunnel,
  Locality,
} from './endpoint.ts';
export type {
  AddressFamily,
  CircuitLimits,
  Cluster,
  ClusterDiscovery,
  ComparedRule,
  ConsecutiveRule,
  ForwardProxyDiscovery,
  OriginalDstDiscovery,
  OutlierDetection,
  NetworkOptions,
  AddressOrder,
  PoolOptions,
  ProxyHeaderOptions,
  ProxyProtocolVersion,
  ProxyTlv,
  RefreshBackoff,
  RetryBudget,
  TcpKeepalive,
  TlsMatch,
} from './cluster.ts';
export type { Demand, Discover, OnDemand, OnDemandClusters } from './on-demand.ts';
export { BODILESS_CHECK_METHODS, DEFAULT_RECEIVED_BYTES, MAX_RECEIVED_BYTES } from './health-check.ts';
export { CHECKED_CONTROLS } from './caller-controls.ts';
export type { CallerControls, CheckedControl } from './caller-controls.ts';
export { DEFAULT_CONNECT_ATTEMPTS, DEFAULT_REPLAY_BYTES } from './listener.ts';
export type {
  HealthCheck,
  HealthCheckMethod,
  HealthCheckRhythm,
  GrpcHealthCheck,
  HttpHealthCheck,
  StatusRange,
  TcpHealthCheck,
} from './health-check.ts';
export type { HeaderEdits, HeaderValue, RouteHeaderEdits, RouteHeaderValue } from './header-edits.ts';
export type { ClusterRetry } from './cluster-policies.ts';
export type { Mirror } from './mirror.ts';
export type {
  DirectResponseAction,
  FilterConfigs,
  ForwardAction,
  HashPolicy,
  SessionPersistence,
  HeaderMatch,
  ConnectTermination,
  InternalRedirect,
  PathMatch,
  RangeMatch,
  RedirectAction,
  Route,
  RouteConfig,
  RouteMatch,
  RoutePriority,
  StringMatch,
  ValueMatch,
  VirtualCluster,
  VirtualHost,
  WeightedCluster,
} from './route.ts';
export type { FormatRewrite, PathRewrite, RegexRewrite, Rewrite } from './rewrite.ts';
export type { ChainChoice, ChainCondition, ChainInput, ChosenNetworks } from './chain-choice.ts';
export type { ChoiceCondition, RouteChoice } from './route-choice.ts';
export { RATE_LIMIT_UNITS, RATE_LIMITS } from './rate-limit-actions.ts';
export type {
  OwnRateLimitActions,
  RateLimitAction,
  RateLimitActions,
  RateLimitUnit,
  RouteRateLimits,
  StaticLimit,
} from './rate-limit-actions.ts';
export type { ListenAddress, ListenTcpAddress } from './address.ts';
export { HBONE_PORT } from './hbone.ts';
export { REACHABLE_PATTERN } from './reachable.ts';
export type { Http2Keepalive, Http2Options } from './http2.ts';
export type { CallerDetection, CertificatePart, Forwarding } from './forwarding.ts';
export type {
  ChainMatch,
  PortRange,
  UnlookedPorts,
  ConnectBackoff,
  FilterChain,
  FilterEntry,
  HboneOptions,
  HttpHandler,
  Listener,
  ProxyProtocol,
  ProxyTlvRule,
  RequestIds,
  RouteScope,
  RouteScopes,
  ScopeKeyPart,
  TcpHandler,
  TcpWeightedCluster,
  HttpLogMoments,
  TcpLogMoments,
  TcpProxyTlvs,
  TcpTunnel,
} from './listener.ts';
export type { Passthrough, PassthroughSource } from './passthrough.ts';
export type { UdpProxy, UdpShare } from './udp.ts';
export type {
  AccessLog,
  AccessLogComparison,
  AccessLogFilter,
  AccessLogFormat,
  AccessLogOutput,
  AccessLogType,
  GrpcAccessLog,
  GrpcAccessLogOutput,
  LineAccessLog,
  OtlpAccessLog,
  OtlpAccessLogOutput,
  OtlpFormat,
  OtlpValue,
} from './access-log.ts';
export type {
  CustomTag,
  HandlerTracing,
  OtlpTraceProvider,
  RouteDecorator,
  RouteTracing,
  TraceProvider,
  TraceSampler,
  ZipkinTraceProvider,
} from './tracing.ts';
export { LOCAL_REPLIES } from './local-reply.ts';
export { localRepliesSchema } from './schema/local-reply.ts';
export type { LocalReplies, LocalReplyFormat, LocalReplyJson, LocalReplyMapper } from './local-reply.ts';
export { emptyProxyConfig } from './proxy-config.ts';
export type { ProxyConfig } from './proxy-config.ts';
export { claimsIdentity } from './identity-fields.ts';
export { formatWireName, parseWireName } from './names.ts';
export type { WireName } from './names.ts';
export type { JsonSchema } from './filters/json-schema.ts';
export { GRPC_RETRY_STATUSES, RETRY_FILTER, retryFilterSchema } from './filters/retry.ts';
export type { RetryFilterConfig, RetryOn } from './filters/retry.ts';
export {
  AUTHZ_FILTER,
  authzFilterSchema,
  authzRuleSchema,
  CONN_AUTHZ_FILTER,
  connAuthzFilterSchema,
  stringMatchSchema,
} from './filters/authz.ts';
export { filterStateTestSchema } from './filters/authz-expression.ts';
export type {
  AuthzExpression,
  AuthzInput,
  AuthzMetadataTest,
  AuthzValueTest,
  FilterStateTest,
} from './filters/authz-expression.ts';
export type {
  AuthzCondition,
  AuthzFilterConfig,
  AuthzDecider,
  AuthzPolicy,
  AuthzRule,
  AuthzSource,
  AuthzTarget,
  ConnAuthzFilterConfig,
  ConnAuthzPolicy,
} from './filters/authz.ts';
export { RATE_LIMIT_FILTER, rateLimitFilterSchema } from './filters/rate-limit.ts';
export type {
  Bucket,
  DescriptorBucket,
  DescriptorLimits,
  RateLimit,
  RateLimitFilterConfig,
  RateLimitKey,
} from './filters/rate-limit.ts';
export {
  GLOBAL_RATE_LIMIT_FILTER,
  globalRateLimitFilterSchema,
  globalRateLimitRouteSchema,
} from './filters/global-rate-limit.ts';
export type { GlobalRateLimitFilterConfig, GlobalRateLimitRouteConfig } from './filters/global-rate-limit.ts';
export { FAULT_FILTER, faultFilterSchema, faultOverrideSchema, GRPC_HTTP_STATUSES } from './filters/fault.ts';
export type { FaultFilterConfig, FaultOverride, FaultShare } from './filters/fault.ts';
export { HEADERS_FILTER, headerEditsSchema, headersFilterSchema } from './filters/headers.ts';
export type { HeadersFilterConfig, HeaderStep, QueryStep, QueryValue } from './filters/headers.ts';
export {
  JWT_ALGORITHMS,
  JWT_DEFAULT_ALGORITHMS,
  JWT_FILTER,
  jwtFilterSchema,
  jwtRouteSchema,
} from './filters/jwt.ts';
export type {
  JwtAlgorithm,
  JwtClaimToHeader,
  JwtFilterConfig,
  JwtInlineKeys,
  JwtKeysFile,
  JwtLocation,
  JwtMetadata,
  JwtProvider,
  JwtRemoteKeys,
  JwtRequirement,
  JwtRouteConfig,
  JwtRule,
} from './filters/jwt.ts';
export {
  CONN_SET_FILTER_STATE_FILTER,
  connSetFilterStateFilterSchema,
  SET_FILTER_STATE_FILTER,
  setFilterStateFilterSchema,
} from './filters/set-filter-state.ts';
export type {
  ConnSetFilterStateConfig,
  FilterStateValue,
  SetFilterStateConfig,
} from './filters/set-filter-state.ts';
export { BUFFER_FILTER, bufferFilterSchema } from './filters/buffer.ts';
export type { BufferFilterConfig } from './filters/buffer.ts';
export { HEALTH_CHECK_FILTER, healthCheckFilterSchema } from './filters/health-check.ts';
export type { HealthCheckFilterConfig } from './filters/health-check.ts';
export { GRPC_WEB_FILTER, grpcWebFilterSchema } from './filters/grpc-web.ts';
export type { GrpcWebFilterConfig } from './filters/grpc-web.ts';
export { CORS_FILTER, CORS_ORIGIN_PATTERN, corsFilterSchema, corsOverrideSchema } from './filters/cors.ts';
export type { CorsFilterConfig, CorsOverride } from './filters/cors.ts';
export {
  CONN_LIMIT_FILTER,
  connLimitFilterSchema,
  CONN_RATE_LIMIT_FILTER,
  connRateLimitFilterSchema,
} from './filters/conn-limits.ts';
export type { ConnLimitFilterConfig, ConnRateLimitFilterConfig } from './filters/conn-limits.ts';
export { IP_ALLOW_FILTER, ipAllowFilterSchema } from './filters/ip-allow.ts';
export type { IpAllowFilterConfig } from './filters/ip-allow.ts';
export { clusterSchema, endpointSchema, endpointSetSchema } from './schema/cluster.ts';
export { listenerSchema } from './schema/listener.ts';
export { udpProxySchema } from './schema/udp.ts';
export { proxyConfigSchema } from './schema/proxy-config.ts';
export { routeConfigSchema } from './schema/route.ts';
export {
  EXT_AUTHZ_CLIENT_HEADERS,
  EXT_AUTHZ_KEPT_HEADERS,
  EXT_AUTHZ_SENT_HEADERS,
  EXT_AUTHZ_FILTER,
  extAuthzFilterSchema,
  extAuthzRouteSchema,
} from './filters/ext-authz.ts';
export type {
  ExtAuthzBody,
  ExtAuthzClusterService,
  ExtAuthzFilterConfig,
  ExtAuthzGrpcService,
  ExtAuthzHttpService,
  ExtAuthzRouteConfig,
} from './filters/ext-authz.ts';
export { ACCESS_LOG_KEYS } from './access-log-keys.ts';
export { CONN_EXT_AUTHZ_FILTER, connExtAuthzFilterSchema } from './filters/conn-ext-authz.ts';
export type { ConnExtAuthzFilterConfig } from './filters/conn-ext-authz.ts';
export {
  EXT_PROC_ATTRIBUTES,
  EXT_PROC_FILTER,
  extProcFilterSchema,
  extProcRouteSchema,
} from './filters/ext-proc.ts';
export type {
  ExtProcAttribute,
  ExtProcBodyMode,
  ExtProcFilterConfig,
  ExtProcMode,
  ExtProcMutationRules,
  ExtProcRouteConfig,
  ExtProcService,
} from './filters/ext-proc.ts';
export { COMPRESSION_FILTER, COMPRESSION_TYPES, compressionFilterSchema } from './filters/compression.ts';
export type { CompressionCoding, CompressionFilterConfig } from './filters/compression.ts';
export {
  ADAPTIVE_CONCURRENCY_FILTER,
  adaptiveConcurrencyFilterSchema,
} from './filters/adaptive-concurrency.ts';
export type { AdaptiveConcurrencyFilterConfig } from './filters/adaptive-concurrency.ts';
export {
  ADMISSION_CONTROL_FILTER,
  ADMISSION_GRPC_SUCCESSES,
  admissionControlFilterSchema,
} from './filters/admission-control.ts';
export type { AdmissionControlFilterConfig } from './filters/admission-control.ts';
export { WASM_FILTER, wasmFilterSchema } from './filters/wasm.ts';
export type { WasmFilterConfig, WasmModule } from './filters/wasm.ts';
