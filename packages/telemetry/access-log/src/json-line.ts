import type { AttemptRecord, StreamRecord } from '@tulle/telemetry';
import { createTimeText, jsonNumber, jsonText } from './json-text.ts';

/** How a line is made. */
export interface JsonLineOptions {
  /** Longer text fields are cut. */
  readonly maxFieldChars: number;
  /** Whether the query of a path is written. */
  readonly query: 'keep' | 'strip';
}

/**
 * Renders records as JSON lines with the keys of Istio's JSON access log, unset = `null`, then Tulle's own: direction,
 * listener, error code, proven identities, attempts, trace id.
 */
export function createJsonLine(options: JsonLineOptions): (record: StreamRecord) => string {
  const { maxFieldChars } = options;
  const time = createTimeText();
  const text = (value: string | undefined): string =>
    value === undefined || value === '' ? 'null' : jsonText(value, maxFieldChars);
  const address = (host: string, port: number): string =>
    host === '' ? 'null' : text(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
  const attempt = (a: AttemptRecord): string =>
    `{"upstream_host":${text(a.address)},"upstream_cluster":${text(a.cluster)},"response_code":${a.status},"code":${text(a.failure)}` +
    `,"duration":${jsonNumber(a.durationMs)},"reused":${a.reused}}`;

  return (r) => {
    const tcp = r.kind === 'tcp';
    const path = r.query === undefined || options.query === 'strip' ? r.path : `${r.path}?${r.query}`;
    const last = r.attempts[r.attempts.length - 1];
    return (
      `{"start_time":"${time(r.startEpochMs)}","route_name":${text(r.routeName)},"method":${text(r.method)},"path":${tcp ? 'null' : text(path)}` +
      `,"protocol":${tcp ? 'null' : `"${r.protocol}"`},"response_code":${r.status},"response_flags":${r.flags.length === 0 ? '"-"' : text(r.flags.join(','))}` +
      `,"response_code_details":${text(r.details)},"connection_termination_details":${tcp && r.code !== '' ? text(r.details) : 'null'}` +
      `,"bytes_received":${jsonNumber(r.bytesReceived)},"bytes_sent":${jsonNumber(r.bytesSent)},"duration":${jsonNumber(r.durationMs)}` +
      `,"upstream_service_time":${r.upstreamServiceMs < 0 ? 'null' : jsonNumber(r.upstreamServiceMs)}` +
      `,"x_forwarded_for":${text(r.requestHeader('x-forwarded-for'))},"user_agent":${text(r.requestHeader('user-agent'))}` +
      `,"request_id":${text(r.requestId)},"authority":${text(r.authority)},"upstream_host":${text(r.upstreamAddress)}` +
      `,"upstream_cluster":${text(r.cluster)},"upstream_local_address":null` +
      `,"downstream_local_address":${address(r.localAddress, r.localPort)},"downstream_remote_address":${address(r.remoteAddress, r.remotePort)}` +
      `,"requested_server_name":${text(r.serverName)}` +
      `,"upstream_transport_failure_reason":${last !== undefined && last.status === 0 ? text(last.failure) : 'null'}` +
      // Tulle's own keys.
      `,"kind":"${r.kind}","direction":"${r.direction}","listener":${text(r.listener)},"code":${text(r.code)}` +
      `,"grpc_status":${r.grpcStatus < 0 ? 'null' : r.grpcStatus},"first_byte":${r.firstByteMs < 0 ? 'null' : jsonNumber(r.firstByteMs)}` +
      `,"downstream_peer_identity":${text(r.peerIdentity)},"upstream_peer_identity":${text(r.upstreamIdentity)}` +
      `,"upstream_service":${text(r.upstreamLabels['service'])},"upstream_version":${text(r.upstreamLabels['version'])}` +
      `,"attempts":${r.attempts.length},"attempt_details":${r.attempts.length > 1 ? `[${r.attempts.map(attempt).join(',')}]` : 'null'}` +
      `,"retry_refused":${text(r.retryRefused)},"trace_id":${text(r.traceId)},"span_id":${text(r.spanId)}}\n`
    );
  };
}
