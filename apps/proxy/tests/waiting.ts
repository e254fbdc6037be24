/**
 * Configurations of the corpus that this proxy refuses today, each with the path that it names. What is refused no more does not belong
 * here: the test says so.
 */
export const WAITING: Readonly<Record<string, string>> = {
  admission: 'static_resources.listeners[0].filter_chains[0].filters[0].typed_config',
  'ext-authz-http':
    'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.transport_api_version',
  'health-check':
    'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config',
  'original-dst': 'static_resources.listeners[0].listener_filters[0].typed_config',
  'strict-dns':
    'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[0].route.auto_host_rewrite',
};
