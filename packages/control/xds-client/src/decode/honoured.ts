/**
 * Decision D8: for each message type, the fields that this proxy honours. Any other field that is set is refused with
 * its path. A value that a listed field may have but that is not honoured is refused where the field is translated.
 */
export const HONOURED: Readonly<Record<string, readonly string[]>> = {
  // Listeners
  'envoy.config.listener.v3.Listener': [
    'name', 'address', 'filter_chains', 'default_filter_chain', 'listener_filters', 'traffic_direction', 'metadata',
    'per_connection_buffer_limit_bytes',
  ],
  'envoy.config.listener.v3.ListenerFilter': ['name', 'typed_config'],
  'envoy.config.listener.v3.FilterChain': ['name', 'filter_chain_match', 'filters', 'transport_socket', 'metadata'],
  'envoy.config.listener.v3.FilterChainMatch': ['server_names', 'transport_protocol', 'source_prefix_ranges'],
  'envoy.config.listener.v3.Filter': ['name', 'typed_config'],
  'envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector': [],
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy': ['stat_prefix', 'cluster', 'weighted_clusters', 'idle_timeout'],
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster': ['clusters'],
  'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight': ['name', 'weight'],
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager': [
    'codec_type', 'stat_prefix', 'rds', 'route_config', 'http_filters', 'common_http_protocol_options',
    'request_headers_timeout', 'stream_idle_timeout', 'max_request_headers_kb', 'upgrade_configs', 'use_remote_address',
    'forward_client_cert_details', 'server_header_transformation', 'server_name', 'normalize_path', 'merge_slashes',
    'path_with_escaped_slashes_action',
  ],
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig': ['upgrade_type', 'enabled'],
  'envoy.extensions.filters.network.http_connection_manager.v3.Rds': ['config_source', 'route_config_name'],
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter': ['name', 'typed_config', 'is_optional'],
  'envoy.config.core.v3.HttpProtocolOptions': ['idle_timeout', 'max_headers_count', 'max_requests_per_connection'],

  // Filters
  'envoy.extensions.filters.http.router.v3.Router': [],
  'envoy.extensions.filters.http.fault.v3.HTTPFault': ['delay', 'abort', 'headers', 'max_active_faults'],
  'envoy.extensions.filters.common.fault.v3.FaultDelay': ['fixed_delay', 'percentage'],
  'envoy.extensions.filters.http.fault.v3.FaultAbort': ['http_status', 'percentage'],
  'envoy.type.v3.FractionalPercent': ['numerator', 'denominator'],
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation': ['mutations'],
  'envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute': ['mutations'],
  'envoy.extensions.filters.http.header_mutation.v3.Mutations': ['request_mutations', 'response_mutations'],
  'envoy.config.common.mutation_rules.v3.HeaderMutation': ['remove', 'append'],
  'envoy.config.route.v3.FilterConfig': ['config', 'is_optional', 'disabled'],
  'xds.type.v3.TypedStruct': ['type_url', 'value'],
  'udpa.type.v1.TypedStruct': ['type_url', 'value'],

  // Routes
  'envoy.config.route.v3.RouteConfiguration': ['name', 'virtual_hosts', 'ignore_port_in_host_matching', 'validate_clusters'],
  'envoy.config.route.v3.VirtualHost': ['name', 'domains', 'routes', 'typed_per_filter_config', 'retry_policy'],
  'envoy.config.route.v3.Route': [
    'name', 'match', 'route', 'redirect', 'direct_response', 'metadata', 'typed_per_filter_config',
    'request_headers_to_add', 'request_headers_to_remove', 'response_headers_to_add', 'response_headers_to_remove',
  ],
  'envoy.config.route.v3.RouteMatch': [
    'prefix', 'path', 'safe_regex', 'path_separated_prefix', 'case_sensitive', 'headers', 'query_parameters',
  ],
  'envoy.config.route.v3.HeaderMatcher': [
    'name', 'exact_match', 'safe_regex_match', 'present_match', 'prefix_match', 'suffix_match', 'contains_match',
    'string_match', 'invert_match',
  ],
  'envoy.config.route.v3.QueryParameterMatcher': ['name', 'string_match', 'present_match'],
  'envoy.type.matcher.v3.StringMatcher': ['exact', 'prefix', 'suffix', 'safe_regex', 'contains', 'ignore_case'],
  'envoy.type.matcher.v3.RegexMatcher': ['regex', 'google_re2'],
  'envoy.type.matcher.v3.RegexMatcher.GoogleRE2': [],
  'envoy.type.matcher.v3.RegexMatchAndSubstitute': ['pattern', 'substitution'],
  'envoy.config.route.v3.RouteAction': [
    'cluster', 'weighted_clusters', 'timeout', 'idle_timeout', 'retry_policy', 'prefix_rewrite', 'regex_rewrite',
    'host_rewrite_literal', 'upgrade_configs',
  ],
  'envoy.config.route.v3.RouteAction.UpgradeConfig': ['upgrade_type', 'enabled'],
  'envoy.config.route.v3.WeightedCluster': ['clusters'],
  'envoy.config.route.v3.WeightedCluster.ClusterWeight': [
    'name', 'weight', 'typed_per_filter_config',
    'request_headers_to_add', 'request_headers_to_remove', 'response_headers_to_add', 'response_headers_to_remove',
  ],
  'envoy.config.route.v3.RetryPolicy': ['retry_on', 'num_retries', 'per_try_timeout', 'retriable_status_codes', 'retry_back_off'],
  'envoy.config.route.v3.RetryPolicy.RetryBackOff': ['base_interval', 'max_interval'],
  'envoy.config.route.v3.RedirectAction': [
    'https_redirect', 'scheme_redirect', 'host_redirect', 'port_redirect', 'path_redirect', 'prefix_rewrite', 'response_code',
  ],
  'envoy.config.route.v3.DirectResponseAction': ['status', 'body'],
  'envoy.config.core.v3.HeaderValueOption': ['header', 'append_action', 'keep_empty_value'],
  'envoy.config.core.v3.HeaderValue': ['key', 'value', 'raw_value'],

  // Clusters and endpoints
  'envoy.config.cluster.v3.Cluster': [
    'name', 'type', 'eds_cluster_config', 'load_assignment', 'connect_timeout', 'dns_refresh_rate', 'lb_policy',
    'least_request_lb_config', 'load_balancing_policy', 'circuit_breakers', 'outlier_detection', 'transport_socket',
    'transport_socket_matches', 'typed_extension_protocol_options', 'metadata',
  ],
  'envoy.config.cluster.v3.Cluster.EdsClusterConfig': ['eds_config', 'service_name'],
  'envoy.config.cluster.v3.Cluster.LeastRequestLbConfig': ['choice_count'],
  'envoy.config.cluster.v3.Cluster.TransportSocketMatch': ['name', 'match', 'transport_socket'],
  'envoy.config.cluster.v3.LoadBalancingPolicy': ['policies'],
  'envoy.config.cluster.v3.LoadBalancingPolicy.Policy': ['typed_extension_config'],
  'envoy.config.core.v3.TypedExtensionConfig': ['name', 'typed_config'],
  'envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin': [],
  'envoy.extensions.load_balancing_policies.random.v3.Random': [],
  'envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest': ['choice_count'],
  'envoy.config.cluster.v3.CircuitBreakers': ['thresholds'],
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds': [
    'priority', 'max_connections', 'max_pending_requests', 'max_requests', 'retry_budget',
  ],
  'envoy.config.cluster.v3.CircuitBreakers.Thresholds.RetryBudget': ['budget_percent'],
  'envoy.type.v3.Percent': ['value'],
  'envoy.config.cluster.v3.OutlierDetection': [
    'consecutive_5xx', 'enforcing_consecutive_5xx', 'interval', 'base_ejection_time', 'max_ejection_time',
    'max_ejection_percent', 'enforcing_success_rate', 'failure_percentage_threshold', 'enforcing_failure_percentage',
    'failure_percentage_request_volume',
  ],
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': ['common_http_protocol_options', 'explicit_http_config'],
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig': ['http_protocol_options', 'http2_protocol_options'],
  'envoy.config.core.v3.Http1ProtocolOptions': [],
  'envoy.config.core.v3.Http2ProtocolOptions': [],
  'envoy.config.endpoint.v3.ClusterLoadAssignment': ['cluster_name', 'endpoints'],
  'envoy.config.endpoint.v3.LocalityLbEndpoints': ['locality', 'priority', 'lb_endpoints'],
  'envoy.config.endpoint.v3.LbEndpoint': ['endpoint', 'health_status', 'metadata', 'load_balancing_weight'],
  'envoy.config.endpoint.v3.Endpoint': ['address'],
  'envoy.config.core.v3.Locality': ['region', 'zone', 'sub_zone'],

  // TLS
  'envoy.config.core.v3.TransportSocket': ['name', 'typed_config'],
  'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': [],
  'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext': ['common_tls_context', 'sni'],
  'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext': ['common_tls_context', 'require_client_certificate'],
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext': [
    'tls_params', 'tls_certificates', 'tls_certificate_sds_secret_configs', 'validation_context',
    'validation_context_sds_secret_config', 'combined_validation_context', 'alpn_protocols',
  ],
  'envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext': [
    'default_validation_context', 'validation_context_sds_secret_config',
  ],
  'envoy.extensions.transport_sockets.tls.v3.TlsParameters': ['tls_minimum_protocol_version', 'tls_maximum_protocol_version'],
  'envoy.extensions.transport_sockets.tls.v3.TlsCertificate': ['certificate_chain', 'private_key'],
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext': [
    'trusted_ca', 'system_root_certs', 'match_typed_subject_alt_names',
  ],
  'envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext.SystemRootCerts': [],
  'envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher': ['san_type', 'matcher'],
  'envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig': ['name', 'sds_config'],

  // Shared
  'envoy.config.core.v3.Address': ['socket_address', 'pipe'],
  'envoy.config.core.v3.SocketAddress': ['protocol', 'address', 'port_value'],
  'envoy.config.core.v3.Pipe': ['path'],
  'envoy.config.core.v3.CidrRange': ['address_prefix', 'prefix_len'],
  'envoy.config.core.v3.DataSource': ['filename', 'inline_string'],
  'envoy.config.core.v3.ConfigSource': ['ads', 'resource_api_version'],
  'envoy.config.core.v3.AggregatedConfigSource': [],
  // Only the namespaces of wire.ts are read; others are notes of somebody else by definition of the field.
  'envoy.config.core.v3.Metadata': ['filter_metadata'],
};
