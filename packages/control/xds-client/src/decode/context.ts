import { createRegistry, type DescMessage, type Message, type Registry } from '@bufbuild/protobuf';
import {
  type Any,
  anyUnpack,
  BytesValueSchema,
  StringValueSchema,
  StructSchema,
} from '@bufbuild/protobuf/wkt';
import type { ConfigIssue } from '@tulle/filter';
import type { Forwarding, TraceProvider } from '@tulle/model';
import { TcpProtocolOptionsSchema } from '@tulle/xds-proto/envoy/extensions/upstreams/tcp/v3/tcp_protocol_options';
import { HttpProtocolOptionsSchema } from '@tulle/xds-proto/envoy/extensions/upstreams/http/v3/http_protocol_options';
import { FileAccessLogSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/file/v3/file';
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/access_loggers/grpc/v3/als';
import { OpenTelemetryAccessLogConfigSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/open_telemetry/v3/logs_service';
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '@tulle/xds-proto/envoy/extensions/access_loggers/stream/v3/stream';
import { OpenTelemetryConfigSchema } from '@tulle/xds-proto/envoy/config/trace/v3/opentelemetry';
import { ZipkinConfigSchema } from '@tulle/xds-proto/envoy/config/trace/v3/zipkin';
import { EnvironmentResourceDetectorConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector';
import { StaticConfigResourceDetectorConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector';
import { ParentBasedSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler';
import { TraceIdRatioBasedSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler';
import { AlwaysOnSamplerConfigSchema } from '@tulle/xds-proto/envoy/extensions/tracers/opentelemetry/samplers/v3/always_on_sampler';
import {
  FilterConfigSchema,
  RouteListSchema,
  RouteSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { BrotliSchema } from '@tulle/xds-proto/envoy/extensions/compression/brotli/compressor/v3/brotli';
import { GzipSchema } from '@tulle/xds-proto/envoy/extensions/compression/gzip/compressor/v3/gzip';
import { ZstdSchema } from '@tulle/xds-proto/envoy/extensions/compression/zstd/compressor/v3/zstd';
import { AdaptiveConcurrencySchema } from '@tulle/xds-proto/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency';
import { AdmissionControlSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/admission_control/v3/admission_control';
import {
  BufferPerRouteSchema,
  BufferSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/buffer/v3/buffer';
import {
  CompressorPerRouteSchema,
  CompressorSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/compressor/v3/compressor';
import { CorsPolicySchema, CorsSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/cors/v3/cors';
import {
  JwtAuthenticationSchema,
  PerRouteConfigSchema as JwtPerRouteSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/jwt_authn/v3/config';
import { LocalRateLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit';
import { LocalRateLimitSchema as ListenerRateLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit';
import { ConnectionLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/connection_limit/v3/connection_limit';
import { LocalRateLimitSchema as NetworkRateLimitSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit';
import { ExtAuthzSchema as NetworkExtAuthzSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/ext_authz/v3/ext_authz';
import { DescriptorSchema } from '@tulle/xds-proto/envoy/extensions/rate_limit_descriptors/expr/v3/expr';
import { RBACSchema as NetworkRbacSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/rbac/v3/rbac';
import {
  ExtAuthzPerRouteSchema,
  ExtAuthzSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_authz/v3/ext_authz';
import {
  ExternalProcessorSchema,
  ExtProcPerRouteSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ext_proc/v3/ext_proc';
import { HealthCheckEventFileSinkSchema } from '@tulle/xds-proto/envoy/extensions/health_check/event_sinks/file/v3/file';
import { HealthCheckSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/health_check/v3/health_check';
import { HTTPFaultSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import { GrpcWebSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/grpc_web/v3/grpc_web';
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/header_mutation/v3/header_mutation';
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/ratelimit/v3/rate_limit';
import { RBACPerRouteSchema, RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { DefaultEarlyDataPolicySchema } from '@tulle/xds-proto/envoy/extensions/early_data/v3/default_early_data_policy';
import { CustomHeaderConfigSchema } from '@tulle/xds-proto/envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header';
import { XffConfigSchema } from '@tulle/xds-proto/envoy/extensions/http/original_ip_detection/xff/v3/xff';
import { RouterSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/router/v3/router';
import { HttpInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/http_inspector/v3/http_inspector';
import { OriginalDstSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/original_dst/v3/original_dst';
import { ProxyProtocolSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol';
import { TlsInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { ConfigSchema as SetFilterStateSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state';
import { ConfigSchema as NetworkSetFilterStateSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/set_filter_state/v3/set_filter_state';
import { TcpProxySchema } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { RouteSchema as UdpRouteSchema } from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/route';
import { UdpProxyConfigSchema } from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy';
import { ClientSideWeightedRoundRobinSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin';
import { LeastRequestSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { MaglevSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/maglev/v3/maglev';
import { RingHashSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash';
import { OverrideHostSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/override_host/v3/override_host';
import { PickFirstSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/pick_first/v3/pick_first';
import { SubsetSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/subset/v3/subset';
import { WrrLocalitySchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality';
import { ClusterProvidedSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided';
import { RandomSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/random/v3/random';
import { DnsClusterSchema } from '@tulle/xds-proto/envoy/extensions/clusters/dns/v3/dns_cluster';
import { ClusterConfigSchema as AggregateSchema } from '@tulle/xds-proto/envoy/extensions/clusters/aggregate/v3/cluster';
import { ClusterConfigSchema as ForwardProxySchema } from '@tulle/xds-proto/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster';
import { CaresDnsResolverConfigSchema as CaresSchema } from '@tulle/xds-proto/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver';
import { GetAddrInfoDnsResolverConfigSchema as GetAddrInfoSchema } from '@tulle/xds-proto/envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver';
import {
  FilterConfigSchema as ForwardProxyFilterSchema,
  PerRouteConfigSchema as ForwardProxyPerRouteSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy';
import {
  OnDemandSchema,
  PerRouteConfigSchema as OnDemandPerRouteSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/on_demand/v3/on_demand';
import { RoundRobinSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin';
import {
  DynamicMetadataInputSchema,
  FilterStateInputSchema,
} from '@tulle/xds-proto/envoy/extensions/matching/common_inputs/network/v3/network_inputs';
import { UriSanInputSchema } from '@tulle/xds-proto/envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs';
import { IpSchema } from '@tulle/xds-proto/envoy/extensions/matching/input_matchers/ip/v3/ip';
import { MetadataSchema as MetadataMatchSchema } from '@tulle/xds-proto/envoy/extensions/matching/input_matchers/metadata/v3/metadata';
import { ActionSchema as RbacActionSchema } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import { CelMatcherSchema } from '@tulle/xds-proto/xds/type/matcher/v3/cel';
import { HttpAttributesCelMatchInputSchema } from '@tulle/xds-proto/xds/type/matcher/v3/http_inputs';
import { IPMatcherSchema } from '@tulle/xds-proto/xds/type/matcher/v3/ip';
import { HttpRequestHeaderMatchInputSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/http_inputs';
import { HeaderMutationSchema as EarlyHeaderMutationSchema } from '@tulle/xds-proto/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation';
import { PreviousPrioritiesConfigSchema } from '@tulle/xds-proto/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config';
import { AllowListedRoutesConfigSchema } from '@tulle/xds-proto/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config';
import { PreviousRoutesConfigSchema } from '@tulle/xds-proto/envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config';
import { SafeCrossSchemeConfigSchema } from '@tulle/xds-proto/envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config';
import { OmitCanaryHostsPredicateSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts';
import { OmitHostMetadataConfigSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config';
import { PreviousHostsPredicateSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts';
import { MetadataSchema } from '@tulle/xds-proto/envoy/extensions/formatter/metadata/v3/metadata';
import { CelSchema } from '@tulle/xds-proto/envoy/extensions/formatter/cel/v3/cel';
import { ExpressionFilterSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/filters/cel/v3/cel';
import { ReqWithoutQuerySchema } from '@tulle/xds-proto/envoy/extensions/formatter/req_without_query/v3/req_without_query';
import { PreserveCaseFormatterConfigSchema } from '@tulle/xds-proto/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case';
import { UuidRequestIdConfigSchema } from '@tulle/xds-proto/envoy/extensions/request_id/uuid/v3/uuid';
import { UriTemplateRewriteConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite';
import { UriTemplateMatchConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/match/uri_template/v3/uri_template_match';
import { InternalUpstreamTransportSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream';
import { ProxyProtocolUpstreamTransportSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol';
import { RawBufferSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer';
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { TypedStructSchema as UdpaTypedStructSchema } from '@tulle/xds-proto/udpa/type/v1/typed_struct';
import { WasmSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/wasm/v3/wasm';
import { TypedStructSchema } from '@tulle/xds-proto/xds/type/v3/typed_struct';
import type { DiscoverySource, Need } from './discovery-source.ts';
import { checkFields, type FieldRules } from './field-walk.ts';
import { NETWORK_INPUTS } from './network-inputs.ts';

/** What may stand in an `Any`. */
export const decodableTypes: Registry = createRegistry(
  HttpConnectionManagerSchema,
  TcpProxySchema,
  UdpProxyConfigSchema,
  UdpRouteSchema,
  TlsInspectorSchema,
  HttpInspectorSchema,
  OriginalDstSchema,
  ProxyProtocolSchema,
  RouterSchema,
  ProxyProtocolUpstreamTransportSchema,
  InternalUpstreamTransportSchema,
  ClientSideWeightedRoundRobinSchema,
  HTTPFaultSchema,
  HeaderMutationSchema,
  HeaderMutationPerRouteSchema,
  AdaptiveConcurrencySchema,
  AdmissionControlSchema,
  LocalRateLimitSchema,
  CorsSchema,
  CorsPolicySchema,
  GrpcWebSchema,
  BufferSchema,
  BufferPerRouteSchema,
  CompressorSchema,
  CompressorPerRouteSchema,
  GzipSchema,
  BrotliSchema,
  ZstdSchema,
  NetworkRbacSchema,
  NetworkExtAuthzSchema,
  NetworkRateLimitSchema,
  ListenerRateLimitSchema,
  ConnectionLimitSchema,
  RBACSchema,
  RateLimitSchema,
  RateLimitPerRouteSchema,
  DescriptorSchema,
  RBACPerRouteSchema,
  UriTemplateMatchConfigSchema,
  ExtAuthzSchema,
  ExtAuthzPerRouteSchema,
  ExternalProcessorSchema,
  ExtProcPerRouteSchema,
  WasmSchema,
  StringValueSchema,
  BytesValueSchema,
  StructSchema,
  HealthCheckSchema,
  HealthCheckEventFileSinkSchema,
  SetFilterStateSchema,
  NetworkSetFilterStateSchema,
  OnDemandSchema,
  OnDemandPerRouteSchema,
  JwtAuthenticationSchema,
  JwtPerRouteSchema,
  FilterConfigSchema,
  TypedStructSchema,
  UdpaTypedStructSchema,
  AggregateSchema,
  DnsClusterSchema,
  ForwardProxySchema,
  ForwardProxyFilterSchema,
  ForwardProxyPerRouteSchema,
  CaresSchema,
  GetAddrInfoSchema,
  RoundRobinSchema,
  ClusterProvidedSchema,
  RandomSchema,
  RingHashSchema,
  MaglevSchema,
  LeastRequestSchema,
  PickFirstSchema,
  OverrideHostSchema,
  SubsetSchema,
  WrrLocalitySchema,
  HttpProtocolOptionsSchema,
  TcpProtocolOptionsSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  RawBufferSchema,
  FileAccessLogSchema,
  OpenTelemetryAccessLogConfigSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  OpenTelemetryConfigSchema,
  ZipkinConfigSchema,
  EnvironmentResourceDetectorConfigSchema,
  StaticConfigResourceDetectorConfigSchema,
  AlwaysOnSamplerConfigSchema,
  ParentBasedSamplerConfigSchema,
  TraceIdRatioBasedSamplerConfigSchema,
  StdoutAccessLogSchema,
  StderrAccessLogSchema,
  ReqWithoutQuerySchema,
  CelSchema,
  ExpressionFilterSchema,
  MetadataSchema,
  UriTemplateRewriteConfigSchema,
  PreserveCaseFormatterConfigSchema,
  UuidRequestIdConfigSchema,
  OmitCanaryHostsPredicateSchema,
  OmitHostMetadataConfigSchema,
  PreviousHostsPredicateSchema,
  PreviousPrioritiesConfigSchema,
  EarlyHeaderMutationSchema,
  RouteSchema,
  RouteListSchema,
  HttpRequestHeaderMatchInputSchema,
  ...NETWORK_INPUTS.map(([schema]) => schema),
  FilterStateInputSchema,
  IPMatcherSchema,
  DynamicMetadataInputSchema,
  UriSanInputSchema,
  IpSchema,
  MetadataMatchSchema,
  CelMatcherSchema,
  HttpAttributesCelMatchInputSchema,
  RbacActionSchema,
  AllowListedRoutesConfigSchema,
  PreviousRoutesConfigSchema,
  SafeCrossSchemeConfigSchema,
  DefaultEarlyDataPolicySchema,
  XffConfigSchema,
  CustomHeaderConfigSchema,
);

/** Issues past this number are counted, not kept: a resource that is wrong everywhere must not fill memory. */
const MAX_ISSUES = 50;

/** One resource's translation: collects what is wrong with it instead of stopping at the first. */
export interface DecodeContext {
  /** What is wrong so far; a resource with any is refused. */
  readonly issues: readonly ConfigIssue[];
  /** What it names and has to be discovered. */
  readonly needs: readonly Need[];
  /** Where the resource itself came from; `undefined`: nothing but ADS is allowed as a source of others. */
  readonly origin: DiscoverySource | undefined;
  need(need: Need): void;
  /** Where things are looked for when requests need them. */
  readonly sources: readonly DiscoverySource[];
  looksIn(source: DiscoverySource): void;
  /** The config of a filter that was discovered; `undefined`: it is not here. */
  extension(name: string): Any | undefined;
  /** Where spans of handlers go that have tracing and say nothing of that; `undefined`: nowhere. */
  readonly tracer: TraceProvider | undefined;
  /** File that is told of ejections; `undefined`: none. */
  readonly ejectionLog: string | undefined;
  /** Who this proxy says it is; `undefined`: nobody. */
  readonly node: Forwarding['node'];
  /** Where names of an authority are to be had (`xdstp://authority/…`). */
  authority(name: string): DiscoverySource | undefined;
  /** @param path of the protobuf field, e.g. `filter_chains[0].filters[1]` */
  refuse(path: string, message: string): void;
  /** Checks every field that is set in `message` against the list of its type. */
  check(desc: DescMessage, message: Message, path: string): void;
  /** Whether this proxy knows the type of an `Any`. */
  knows(any: Any | undefined): boolean;
  /** Opens and checks an `Any`. @returns `undefined` after an issue: absent, of an unknown type, or malformed */
  open(any: Any | undefined, path: string): Message | undefined;
}

/** @param origin see {@link DecodeContext.origin} */
export function createDecodeContext(
  rules: FieldRules,
  origin?: DiscoverySource,
  authorities?: ReadonlyMap<string, DiscoverySource>,
  extension: DecodeContext['extension'] = () => undefined,
  tracer?: TraceProvider,
  node?: DecodeContext['node'],
  ejectionLog?: string,
): DecodeContext {
  const issues: ConfigIssue[] = [];
  const needs: Need[] = [];
  const sources: DiscoverySource[] = [];
  let dropped = 0;
  const refuse = (path: string, message: string): void => {
    if (issues.length < MAX_ISSUES) issues.push({ path, message });
    else issues[MAX_ISSUES] = { path: '', message: `and ${++dropped} more` };
  };
  const check = (desc: DescMessage, message: Message, path: string): void =>
    checkFields(desc, message, path, rules, refuse);
  return {
    issues,
    needs,
    origin,
    need: (need) => void needs.push(need),
    sources,
    looksIn: (source) => void sources.push(source),
    extension,
    tracer,
    ejectionLog,
    node,
    authority: (name) => authorities?.get(name) ?? authorities?.get('*'),
    refuse,
    check,
    knows: (any) => decodableTypes.getMessage(typeNameOf(any)) !== undefined,
    open(any, path) {
      if (!any) {
        refuse(path, 'is missing');
        return undefined;
      }
      const typeName = typeNameOf(any);
      const desc = decodableTypes.getMessage(typeName);
      if (!desc) {
        refuse(path, `the type ${typeName === '' ? '(none)' : typeName} is not supported by this proxy`);
        return undefined;
      }
      const message = unpack(any, path, refuse);
      if (!message) return undefined;
      check(desc, message, path);
      return rules.watch ? rules.watch(desc, message, path) : message;
    },
  };
}

/** Full name of the message in an `Any`. */
export function typeNameOf(any: Any | undefined): string {
  return any?.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1) ?? '';
}

function unpack(
  any: Any,
  path: string,
  refuse: (path: string, message: string) => void,
): Message | undefined {
  try {
    return anyUnpack(any, decodableTypes);
  } catch (cause) {
    refuse(path, `is no valid ${typeNameOf(any)}: ${cause instanceof Error ? cause.message : String(cause)}`);
    return undefined;
  }
}
