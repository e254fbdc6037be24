import { ACCESS_LOG_KEYS, type AccessLog, type HandlerTracing } from '@tulle/model';
import type { EncodeForm } from './form.ts';

/**
 * A line a request, with the keys of Tulle's own access log where Envoy has an operator for what they say: one query reads the
 * lines of both.
 */
const LINE = {
  ...ACCESS_LOG_KEYS,
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
