/**
 * Configurations of the corpus that this proxy refuses today, each with the path that it names. What is refused no more does not belong
 * here: the test says so.
 */
export const WAITING: Readonly<Record<string, string>> = {
  admission: 'static_resources.listeners[0].filter_chains[0].filters[0].typed_config',
  compressor:
    'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.compressor_library.typed_config.memory_level',
  'ext-authz-grpc':
    'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.grpc_service',
  'ext-authz-http':
    'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.http_service.authorization_request',
  'grpc-web':
    'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].typed_per_filter_config["envoy.filters.http.cors"].allow_origin_string_match[0]',
  'health-check':
    'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config',
  'original-dst': 'static_resources.listeners[0].listener_filters[0].typed_config',
  'strict-dns':
    'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route.auto_host_rewrite',
};
