/** Where resources are discovered: the part of {@link HONOURED} about it. */
export const HONOURED_OF_SOURCES: Readonly<Record<string, readonly string[]>> = {
  'envoy.config.core.v3.ConfigSource': [
    'ads',
    'self',
    'path',
    'path_config_source',
    'api_config_source',
    'initial_fetch_timeout',
    'resource_api_version',
  ],
  'envoy.config.core.v3.ExtensionConfigSource': [
    'config_source',
    'default_config',
    'apply_default_config_without_warming',
    'type_urls',
  ],
  'envoy.config.core.v3.AggregatedConfigSource': [],
  'envoy.config.core.v3.SelfConfigSource': ['transport_api_version'],
  'envoy.config.core.v3.PathConfigSource': ['path', 'watched_directory'],
  'envoy.config.core.v3.WatchedDirectory': ['path'],
  // The node is said once a stream whatever is asked; requests are few here by themselves.
  'envoy.config.core.v3.ApiConfigSource': [
    'api_type',
    'transport_api_version',
    'grpc_services',
    'set_node_on_first_message_only',
    'rate_limit_settings',
    'cluster_names',
    'refresh_delay',
    'request_timeout',
  ],
  'envoy.config.core.v3.RateLimitSettings': ['max_tokens', 'fill_rate'],
  'envoy.config.core.v3.GrpcService.EnvoyGrpc': ['cluster_name', 'authority'],
};
