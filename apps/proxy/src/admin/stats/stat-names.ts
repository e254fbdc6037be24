/** Names that keep `_total`, which is Envoy's own there. */
export const KEEPS_TOTAL: ReadonlySet<string> = new Set([
  'upstream_cx_total',
  'upstream_cx_http1_total',
  'upstream_cx_http2_total',
  'upstream_rq_total',
  'upstream_rq_pending_total',
  'upstream_flow_control_paused_reading_total',
  'downstream_cx_total',
  'downstream_cx_http1_total',
  'downstream_cx_http2_total',
  'downstream_cx_ssl_total',
  'downstream_rq_total',
  'downstream_flow_control_paused_reading_total',
  'membership_total',
  'outlier_detection_ejections_enforced_total',
]);

/** Groups of a cluster's statistics that have a dot in Envoy. */
export const GROUPS: readonly string[] = ['health_check_', 'outlier_detection_'];

/** Envoy's word where it is another one. */
export const RENAMED: Readonly<Record<string, string>> = {
  downstream_cx_handshake_timeout: 'downstream_cx_transport_socket_connect_timeout',
  downstream_cx_no_filter_chain_match: 'no_filter_chain_match',
  downstream_cx_goaway: 'downstream_cx_drain_close',
};

/**
 * What Envoy counts of clusters. Everything else stands under Tulle's own name at `/stats/prometheus?native`: a name of Envoy's must be
 * one that its dashboards know.
 */
export const OF_CLUSTERS: ReadonlySet<string> = new Set([
  ...[
    'attempt',
    'success',
    'failure',
    'passive_failure',
    'network_failure',
    'verify_cluster',
    'healthy',
    'degraded',
  ].map((name) => `health_check_${name}`),
  ...[
    'active',
    'enforced_total',
    'overflow',
    'enforced_consecutive_5xx',
    'enforced_consecutive_gateway_failure',
  ].map((name) => `outlier_detection_ejections_${name}`),
  'lb_healthy_panic',
  'membership_change',
  'membership_degraded',
  'membership_excluded',
  'membership_healthy',
  'membership_total',
  'upstream_cx_active',
  'upstream_cx_close_notify',
  'upstream_cx_connect_attempts_exceeded',
  'upstream_cx_connect_fail',
  'upstream_cx_connect_timeout',
  'upstream_cx_http1_total',
  'upstream_cx_http2_total',
  'upstream_cx_idle_timeout',
  'upstream_cx_max_duration_reached',
  'upstream_cx_max_requests',
  'upstream_cx_none_healthy',
  'upstream_cx_overflow',
  'upstream_cx_protocol_error',
  'upstream_cx_total',
  'upstream_flow_control_paused_reading_total',
  'upstream_rq_active',
  'upstream_rq_active_overflow',
  'upstream_rq_cancelled',
  'upstream_rq_pending_active',
  'upstream_rq_pending_overflow',
  'upstream_rq_pending_total',
  'upstream_rq_per_try_idle_timeout',
  'upstream_rq_per_try_timeout',
  'upstream_rq_retry',
  'upstream_rq_retry_limit_exceeded',
  'upstream_rq_retry_overflow',
  'upstream_rq_retry_success',
  'upstream_rq_rx_reset',
  'upstream_rq_timeout',
  'upstream_rq_total',
  'upstream_rq_tx_reset',
]);

/** Of listeners. */
export const OF_LISTENERS: ReadonlySet<string> = new Set([
  'downstream_cx_active',
  'downstream_cx_destroy',
  'downstream_cx_overflow',
  'downstream_cx_overload_reject',
  'downstream_cx_total',
  'downstream_cx_transport_socket_connect_timeout',
  'no_filter_chain_match',
]);

/** Of HTTP connection managers. */
export const OF_HTTP: ReadonlySet<string> = new Set([
  'downstream_cx_active',
  'downstream_cx_destroy',
  'downstream_cx_destroy_remote',
  'downstream_cx_drain_close',
  'downstream_cx_http1_active',
  'downstream_cx_http1_total',
  'downstream_cx_http2_active',
  'downstream_cx_http2_total',
  'downstream_cx_idle_timeout',
  'downstream_cx_max_duration_reached',
  'downstream_cx_max_requests_reached',
  'downstream_cx_protocol_error',
  'downstream_cx_ssl_active',
  'downstream_cx_ssl_total',
  'downstream_cx_total',
  'downstream_flow_control_paused_reading_total',
  'downstream_rq_header_timeout',
  'downstream_rq_idle_timeout',
  'downstream_rq_max_duration_reached',
  'downstream_rq_rx_reset',
  'downstream_rq_timeout',
  'downstream_rq_too_large',
  'downstream_rq_total',
  'downstream_rq_tx_reset',
]);

/** Why a retry was not made: Envoy counts each in a statistic of its own. */
export const RETRY_REFUSALS: Readonly<Record<string, string>> = {
  budget: 'upstream_rq_retry_overflow',
  limit: 'upstream_rq_retry_limit_exceeded',
};
