import { decodableTypes } from '../../src/decode/context.ts';

const ALL: readonly string[] = [...decodableTypes].flatMap((type) =>
  type.kind === 'message' ? [type.typeName] : [],
);

const matching = (pattern: RegExp, except?: RegExp): readonly string[] =>
  ALL.filter((name) => pattern.test(name) && !(except?.test(name) ?? false));

const TYPED = 'envoy.config.core.v3.TypedExtensionConfig.typed_config';

/** Which types stand in an `Any`, by the field that holds it, or by the field that holds the `TypedExtensionConfig`. */
const TABLE: readonly (readonly [field: RegExp, types: readonly string[]])[] = [
  [
    /^envoy\.config\.listener\.v3\.Filter\.typed_config/,
    matching(/filters\.(?:network|udp)\./, /udp_proxy\.v3\.Route$/),
  ],
  [
    /^envoy\.config\.listener\.v3\.ListenerFilter\.typed_config/,
    matching(/filters\.(?:listener|udp)\./, /Route$/),
  ],
  [
    /HttpFilter\.typed_config|ExtensionConfigSource\.default_config/,
    matching(/filters\.http\..*|TypedStruct$/, /Per?Route(?:Config)?$/),
  ],
  [
    /typed_per_filter_config|route\.v3\.FilterConfig\.config/,
    [
      ...matching(
        /PerRoute(?:Config)?$|CorsPolicy$|filters\.http\.(?:fault|local_ratelimit|buffer|health_check)|route\.v3\.FilterConfig$|TypedStruct$/,
      ),
    ],
  ],
  [/TransportSocket\.typed_config/, matching(/transport_sockets\./)],
  [/ProxyProtocol(?:UpstreamTransport)?\.transport_socket/, matching(/transport_sockets\./)],
  [/CustomClusterType\.typed_config/, matching(/extensions\.clusters\./)],
  [/LoadBalancingPolicy\.Policy\.typed_extension_config/, matching(/load_balancing_policies|TypedStruct$/)],
  [/typed_dns_resolver_config/, matching(/dns_resolver/)],
  [/typed_extension_protocol_options/, matching(/HttpProtocolOptions$/)],
  [/accesslog\.v3\.AccessLog\.typed_config/, matching(/access_loggers\./, /filters/)],
  [/accesslog\.v3\.ExtensionFilter\.typed_config/, matching(/access_loggers\.filters/)],
  [/formatters$/, matching(/extensions\.formatter/)],
  [/Tracing\.Http\.typed_config/, matching(/config\.trace/)],
  [/OpenTelemetryConfig\.sampler|ParentBasedSamplerConfig\.wrapped_sampler/, matching(/samplers/)],
  [/OpenTelemetryConfig\.resource_detectors/, matching(/resource_detectors/)],
  [/early_header_mutation/, matching(/early_header_mutation/)],
  [/stateful_formatter/, matching(/header_formatters/)],
  [/RequestIDExtension/, matching(/request_id/)],
  [/RetryHostPredicate/, matching(/retry\.host/)],
  [/RetryPriority/, matching(/retry\.priority/)],
  [/InternalRedirectPolicy\.predicates/, matching(/internal_redirect/)],
  [/path_match_policy|Permission\.uri_template/, matching(/path\.match/)],
  [/path_rewrite_policy/, matching(/path\.rewrite/)],
  [/RateLimit\.Action\.extension/, matching(/rate_limit_descriptors/)],
  [/compressor_library/, matching(/compression\./)],
  [/SinglePredicate\.input|MatcherTree\.input/, matching(/_inputs|CelMatchInput|matcher.*Input$/)],
  [
    /SinglePredicate\.custom_match|MatcherTree\.custom_match/,
    matching(/input_matchers|CelMatcher|IPMatcher/),
  ],
  [
    /OnMatch\.action/,
    matching(/route_components|route\.v3\.Route|rbac\.v3\.Action|udp_proxy\.v3\.Route|StringValue/),
  ],
  [/VmConfig\.configuration|PluginConfig\.configuration/, matching(/google\.protobuf/)],
  [/typed_filter_metadata/, matching(/google\.protobuf/)],
];

/**
 * @param field full name of the field that is an `Any`
 * @param above full name of the field that holds its message
 */
export function candidatesFor(field: string, above: string): readonly string[] {
  const asked = field === TYPED ? above : field;
  return TABLE.find(([pattern]) => pattern.test(asked))?.[1] ?? ALL;
}
