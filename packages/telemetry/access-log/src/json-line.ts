import { type AttemptRecord, isInternalName, type StreamRecord } from '@tulle/telemetry';
import { jsonNumber, jsonText } from '@tulle/record-format';
import { LineBuffer } from './line-buffer.ts';
import { Stretch } from './stretch.ts';

/** How a line is made. */
export interface JsonLineOptions {
  /** Longer text fields are cut. */
  readonly maxFieldChars: number;
  /** Whether the query of a path is written. */
  readonly query: 'keep' | 'strip';
}

/** Writes a record as one line, with its line end. */
export type LineWriter = (out: LineBuffer, record: StreamRecord) => void;

const encoded = (json: string): Uint8Array => Buffer.from(json, 'latin1');

const START: Uint8Array = encoded('{"start_time":"');
const SENT: Uint8Array = encoded(',"bytes_sent":');
const DURATION: Uint8Array = encoded(',"duration":');
const NO_SERVICE_TIME: Uint8Array = encoded(',"upstream_service_time":null');
const SERVICE_TIME: Uint8Array = encoded(',"upstream_service_time":');
const FORWARDED_FOR: Uint8Array = encoded(',"x_forwarded_for":');
const USER_AGENT: Uint8Array = encoded(',"user_agent":');
const REQUEST_ID: Uint8Array = encoded(',"request_id":');
const AUTHORITY: Uint8Array = encoded(',"authority":');
const TRACE_ID: Uint8Array = encoded(',"trace_id":');
const SPAN_ID: Uint8Array = encoded(',"span_id":');
const END: Uint8Array = encoded('}\n');
const NULL: Uint8Array = encoded('null');

/**
 * Renders records as JSON lines with the keys of Istio's JSON access log, unset = `null`, then Tulle's own: direction,
 * listener, error code, proven identities, attempts, trace id. Of these, what only some requests have is left out where it
 * is unset: a fifth of a usual line.
 *
 * Two thirds of a line are the same for every request of a route to an endpoint. Those stretches are put together once
 * and copied after that; only what differs from request to request is written byte by byte.
 */
export function createLineWriter(options: JsonLineOptions): LineWriter {
  const { maxFieldChars } = options;
  const keepQuery = options.query === 'keep';
  const text = (value: string | undefined): string =>
    value === undefined || value === '' ? 'null' : jsonText(value, maxFieldChars);
  /** A key of Tulle's own with its value; nothing where it is unset. */
  const set = (key: string, value: string | undefined): string =>
    value === undefined || value === '' ? '' : `,"${key}":${text(value)}`;
  const address = (host: string, port: number): string =>
    host === ''
      ? 'null'
      : isInternalName(host)
        ? text(host)
        : text(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

  const route = new Stretch();
  const outcome = new Stretch();
  const upstream = new Stretch();
  const transport = new Stretch();
  const peers = new Stretch();

  const attempt = (a: AttemptRecord): string =>
    `{"upstream_host":${text(a.address)},"upstream_cluster":${text(a.cluster)},"response_code":${a.status},"grpc_status":${a.grpcStatus < 0 ? 'null' : a.grpcStatus},"code":${text(a.failure)}` +
    `,"duration":${jsonNumber(a.durationMs)},"reused":${a.reused}}`;

  const peersText = (r: StreamRecord): string =>
    set('downstream_peer_identity', r.peerIdentity) +
    set('upstream_peer_identity', r.upstreamIdentity) +
    set('upstream_service', r.upstreamLabels['service']) +
    set('upstream_version', r.upstreamLabels['version']) +
    `,"attempts":${r.attempts.length}${r.attempts.length > 1 ? `,"attempt_details":[${r.attempts.map(attempt).join(',')}]` : ''}` +
    set('retry_refused', r.retryRefused);

  return (out, r) => {
    const tcp = r.kind === 'tcp';

    out.raw(START);
    out.time(r.startEpochMs);
    out.raw(
      route.find(r.routeName, r.method) ??
        route.keep(`","route_name":${text(r.routeName)},"method":${text(r.method)},"path":`),
    );
    if (tcp) out.raw(NULL);
    else if (r.query === undefined || !keepQuery) out.text(r.path);
    else out.joined(r.path, '?', r.query);

    const flags = r.flags.length === 0 ? '' : r.flags.join(',');
    out.raw(
      outcome.find(r.status, r.protocol, r.details, flags, r.code) ??
        outcome.keep(
          `,"protocol":${r.protocol === 'TCP' ? 'null' : `"${r.protocol}"`},"response_code":${r.status},"response_flags":${flags === '' ? '"-"' : text(flags)}` +
            `,"response_code_details":${text(r.details)},"connection_termination_details":${tcp && r.code !== '' ? text(r.details) : 'null'}` +
            ',"bytes_received":',
        ),
    );
    out.integer(r.bytesReceived);
    out.raw(SENT);
    out.integer(r.bytesSent);
    out.raw(DURATION);
    out.milliseconds(r.durationMs);
    if (r.upstreamServiceMs < 0) out.raw(NO_SERVICE_TIME);
    else {
      out.raw(SERVICE_TIME);
      out.milliseconds(r.upstreamServiceMs);
    }
    out.raw(FORWARDED_FOR);
    out.text(r.requestHeader('x-forwarded-for'));
    out.raw(USER_AGENT);
    out.text(r.requestHeader('user-agent'));
    out.raw(REQUEST_ID);
    out.text(r.requestId);

    out.raw(AUTHORITY);
    out.text(r.authority);

    out.raw(
      upstream.find(r.upstreamAddress, r.cluster, r.localAddress, r.localPort) ??
        upstream.keep(
          `,"upstream_host":${text(r.upstreamAddress)},"upstream_cluster":${text(r.cluster)},"upstream_local_address":null` +
            `,"downstream_local_address":${address(r.localAddress, r.localPort)},"downstream_remote_address":`,
        ),
    );
    out.address(r.remoteAddress, r.remotePort);

    const { attempts } = r;
    const last = attempts[attempts.length - 1];
    const failure = last !== undefined && last.status === 0 ? last.failure : '';
    out.raw(
      transport.find(r.listener, r.direction, r.serverName, r.code, failure, r.grpcStatus, r.kind) ??
        transport.keep(
          `,"requested_server_name":${text(r.serverName)},"upstream_transport_failure_reason":${text(failure)}` +
            // Tulle's own keys.
            `,"kind":"${r.kind}","direction":"${r.direction}","listener":${text(r.listener)}${set('code', r.code)}` +
            `${r.grpcStatus < 0 ? '' : `,"grpc_status":${r.grpcStatus}`},"first_byte":`,
        ),
    );
    if (r.firstByteMs < 0) out.raw(NULL);
    else out.milliseconds(r.firstByteMs);

    const service = r.upstreamLabels['service'];
    const version = r.upstreamLabels['version'];
    const tries = attempts.length;
    // Attempts that were repeated are shown with their times: seldom, and never twice the same.
    if (tries > 1) out.raw(Buffer.from(peersText(r)));
    else
      out.raw(
        peers.find(
          r.peerIdentity ?? r.upstreamIdentity ?? service,
          r.peerIdentity,
          r.upstreamIdentity,
          service,
          version,
          r.retryRefused,
          tries,
        ) ?? peers.keep(peersText(r)),
      );
    out.raw(TRACE_ID);
    out.text(r.traceId);
    out.raw(SPAN_ID);
    out.text(r.spanId);
    out.raw(END);
  };
}

/** The same line as a string, for sinks of one's own. */
export function createJsonLine(options: JsonLineOptions): (record: StreamRecord) => string {
  const write = createLineWriter(options);
  const out = new LineBuffer(options.maxFieldChars, 4096);
  return (record) => {
    out.length = 0;
    write(out, record);
    return out.bytes.toString('utf8', 0, out.length);
  };
}
