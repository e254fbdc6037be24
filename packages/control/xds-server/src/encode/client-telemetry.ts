import type { AccessLog, HandlerTracing } from '@tulle/model';
import type { EncodeForm } from './form.ts';

/**
 * A line a request, with the keys of Tulle's own access log where Envoy has an operator for what they say: one query reads the
 * lines of both.
 */
const LINE = {
  start_time: '%START_TIME%',
  route_name: '%ROUTE_NAME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  grpc_status: '%GRPC_STATUS_NUMBER%',
  downstream_peer_identity: '%DOWNSTREAM_PEER_URI_SAN%',
  upstream_peer_identity: '%UPSTREAM_PEER_URI_SAN%',
  attempts: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
  trace_id: '%TRACE_ID%',
};

/** What a client writes of each request or connection because it asked for it, beside what the configuration says. */
export function requestedLogs({ telemetry }: EncodeForm): readonly AccessLog[] {
  const path = telemetry?.accessLogFile;
  return path === undefined
    ? []
    : [{ name: 'tulle.requested', to: { kind: 'file', path }, format: { json: LINE } }];
}

/** How a client traces because it asked for it, where the configuration says nothing. */
export function requestedTracing({ telemetry }: EncodeForm): HandlerTracing | undefined {
  if (telemetry?.tracing === undefined) return undefined;
  const { cluster, url, serviceName, ratio } = telemetry.tracing;
  return {
    // The parent's decision holds; of traces that begin here so many.
    randomSamplingPercent: ratio * 100,
    provider: {
      kind: 'otlp',
      service: { http: { url, cluster } },
      serviceName,
      timeoutMs: 10_000, // as OTEL_EXPORTER_OTLP_TIMEOUT
    },
  };
}
