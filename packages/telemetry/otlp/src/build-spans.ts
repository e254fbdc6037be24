import { type AttemptRecord, isInternalName, type StreamRecord } from '@tulle/telemetry';
import {
  CLIENT_ADDRESS,
  CLIENT_PORT,
  cut,
  ERROR_TYPE,
  grpcStatusName,
  HTTP_REQUEST_METHOD,
  HTTP_REQUEST_METHOD_ORIGINAL,
  HTTP_REQUEST_RESEND_COUNT,
  HTTP_RESPONSE_STATUS_CODE,
  HTTP_ROUTE,
  isGrpcServerError,
  knownMethod,
  NETWORK_LOCAL_ADDRESS,
  NETWORK_LOCAL_PORT,
  NETWORK_PEER_ADDRESS,
  NETWORK_PEER_PORT,
  NETWORK_PROTOCOL_NAME,
  NETWORK_PROTOCOL_VERSION,
  NETWORK_TRANSPORT,
  RPC_METHOD,
  RPC_STATUS_CODE,
  RPC_SYSTEM_NAME,
  SERVER_ADDRESS,
  SERVER_PORT,
  URL_FULL,
  URL_PATH,
  URL_QUERY,
  URL_SCHEME,
  USER_AGENT_ORIGINAL,
  type SpanAttributes,
} from './attributes.ts';
import { byteEvents } from './byte-events.ts';
import { istioAttributes } from './istio-attributes.ts';
import type { OtlpOptions, OtlpTraceOptions } from './options.ts';
import { RecordSpan, type SpanScope } from './span.ts';
import { redactQuery, splitHostPort } from './url.ts';

/** Turns a sampled record into spans: one SERVER span for the request, one CLIENT span for each attempt, in that order. */
export type BuildSpans = (record: StreamRecord) => RecordSpan[];

/** What spans of a handler have differently. */
export interface SpanForm {
  /** More attributes, with what they are; none where that is undefined. */
  readonly tagsOf?: (
    record: StreamRecord,
  ) => readonly (readonly [name: string, value: (record: StreamRecord) => string | undefined])[];
  /** Whether spans say when bytes came and went. Default false. */
  readonly events?: boolean;
  /** Longer paths, queries included, are cut in URLs. Default: with everything else. */
  readonly maxPathChars?: number;
  /** Of the request's span. Default `server`. */
  readonly kind?: 'server' | 'client';
}

/** Makes a {@link BuildSpans}. Nothing of a record is kept but text and numbers. */
export function createBuildSpans(
  options: OtlpOptions,
  traces: OtlpTraceOptions,
  scope: SpanScope,
  form: SpanForm = {},
): BuildSpans {
  const { tagsOf = () => [], maxPathChars, kind = 'server' } = form;
  const eventsOf = form.events === true ? byteEvents : () => [];
  const istio = (traces.istioAttributes ?? true) ? istioAttributes(options) : undefined;
  const requestHeaders = (traces.requestHeaders ?? []).map((name) => name.toLowerCase());
  const responseHeaders = (traces.responseHeaders ?? []).map((name) => name.toLowerCase());
  const queryMode = traces.query ?? 'redact';
  const shownQuery = (query: string | undefined): string =>
    query === undefined || queryMode === 'strip'
      ? ''
      : cut(queryMode === 'keep' ? query : redactQuery(query));
  const urlOf = (record: StreamRecord, secure: boolean, path: string): string => {
    const query = shownQuery(record.query);
    const target = query === '' ? path : `${path}?${query}`;
    return cut(
      `${secure ? 'https' : 'http'}://${record.authority}${maxPathChars === undefined ? target : target.slice(0, maxPathChars)}`,
    );
  };

  const common = (record: StreamRecord): SpanAttributes => {
    const method = knownMethod(record.method);
    const { host, port } = splitHostPort(record.authority);
    const attributes: SpanAttributes = {
      [HTTP_REQUEST_METHOD]: method,
      [SERVER_ADDRESS]: cut(host),
      [NETWORK_PROTOCOL_NAME]: 'http',
      [NETWORK_PROTOCOL_VERSION]: record.protocol.slice(5),
    };
    if (method !== record.method) attributes[HTTP_REQUEST_METHOD_ORIGINAL] = cut(record.method);
    if (port >= 0) attributes[SERVER_PORT] = port;
    for (const [name, value] of tagsOf(record)) {
      const text = value(record);
      if (text !== undefined) attributes[name] = cut(text);
    }
    if (record.grpcStatus >= 0) {
      attributes[RPC_SYSTEM_NAME] = 'grpc';
      attributes[RPC_METHOD] = cut(record.path.slice(1));
      attributes[RPC_STATUS_CODE] = grpcStatusName(record.grpcStatus);
    }
    return attributes;
  };

  const server = (record: StreamRecord): RecordSpan => {
    const attributes = common(record);
    attributes[URL_SCHEME] = record.tls ? 'https' : 'http';
    attributes[URL_PATH] = cut(record.path);
    const query = shownQuery(record.query);
    if (query !== '') attributes[URL_QUERY] = query;
    if (record.routePattern !== '') attributes[HTTP_ROUTE] = record.routePattern;
    if (record.status > 0) attributes[HTTP_RESPONSE_STATUS_CODE] = record.status;
    addPeer(attributes, record);
    const agent = record.requestHeader('user-agent');
    if (agent !== undefined) attributes[USER_AGENT_ORIGINAL] = cut(agent);
    for (const name of requestHeaders) addHeader(attributes, 'request', name, record.requestHeader(name));
    for (const name of responseHeaders) addHeader(attributes, 'response', name, record.responseHeader(name));
    const failed = serverFailed(record);
    if (failed) attributes[ERROR_TYPE] = errorType(record.code, record.status, record.grpcStatus);
    if (record.code !== '') attributes['tulle.code'] = record.code;
    istio?.addToServer(attributes, record, urlOf(record, record.tls, record.path));
    return new RecordSpan(
      {
        name: record.operation === '' ? nameOf(record, record.routePattern) : cut(record.operation),
        kind,
        shared: record.spanShared ?? false,
        traceId: record.traceId,
        spanId: record.spanId,
        parentSpanId: record.parentSpanId,
        parentIsRemote: true,
        traceFlags: record.traceFlags,
        traceState: record.traceState,
        startEpochMs: record.startEpochMs,
        endEpochMs: record.startEpochMs + record.durationMs,
        failed,
        attributes,
        events: eventsOf(record),
      },
      scope,
    );
  };

  const client = (record: StreamRecord, attempt: AttemptRecord, index: number): RecordSpan => {
    const attributes = common(record);
    const url = urlOf(record, record.upstreamIdentity !== undefined, record.upstreamPath ?? record.path);
    attributes[URL_FULL] = url;
    if (attempt.status > 0) attributes[HTTP_RESPONSE_STATUS_CODE] = attempt.status;
    if (index > 0) attributes[HTTP_REQUEST_RESEND_COUNT] = index;
    if (attempt.address !== '') {
      const { host, port } = splitHostPort(attempt.address);
      attributes[NETWORK_PEER_ADDRESS] = host;
      if (port >= 0) attributes[NETWORK_PEER_PORT] = port;
    }
    const last = index === record.attempts.length - 1;
    // An attempt's own outcome; what became of the stream afterwards says its last one.
    const grpcFailed = last && record.grpcStatus > 0;
    const failed = attempt.failure !== '' || attempt.status >= 400 || grpcFailed;
    if (!last) {
      delete attributes[RPC_STATUS_CODE];
    }
    if (failed)
      attributes[ERROR_TYPE] = errorType(attempt.failure, attempt.status, last ? record.grpcStatus : -1);
    if (attempt.failure !== '') attributes['tulle.code'] = attempt.failure;
    istio?.addToClient(attributes, record, attempt, url);
    const startEpochMs = record.startEpochMs + attempt.startMs;
    // The delivered attempt goes on while its body is passed on.
    const delivered = last && attempt.failure === '' && record.upstreamServiceMs >= 0;
    return new RecordSpan(
      {
        name: record.upstreamOperation === '' ? nameOf(record, '') : cut(record.upstreamOperation),
        kind: 'client',
        traceId: record.traceId,
        spanId: attempt.spanId,
        parentSpanId: record.spanId,
        parentIsRemote: false,
        traceFlags: record.traceFlags,
        traceState: record.traceState,
        startEpochMs,
        endEpochMs: delivered ? record.startEpochMs + record.durationMs : startEpochMs + attempt.durationMs,
        failed,
        attributes,
      },
      scope,
    );
  };

  return (record) => {
    const spans = [server(record)];
    // Without a span id no request was made: no endpoint could be chosen.
    for (let i = 0; i < record.attempts.length; i++) {
      const attempt = record.attempts[i] as AttemptRecord;
      if (attempt.spanId !== '') spans.push(client(record, attempt, i));
    }
    return spans;
  };
}

function addPeer(attributes: SpanAttributes, record: StreamRecord): void {
  // A Unix socket has no address.
  if (record.remoteAddress === '') {
    attributes[NETWORK_TRANSPORT] = 'unix';
    return;
  }
  // Nor has a connection within the process, which is known by names.
  if (isInternalName(record.remoteAddress)) {
    attributes[NETWORK_TRANSPORT] = 'pipe';
    attributes[NETWORK_PEER_ADDRESS] = record.remoteAddress;
    attributes[NETWORK_LOCAL_ADDRESS] = record.localAddress;
    return;
  }
  attributes[NETWORK_TRANSPORT] = 'tcp';
  attributes[CLIENT_ADDRESS] = record.remoteAddress;
  attributes[CLIENT_PORT] = record.remotePort;
  attributes[NETWORK_PEER_ADDRESS] = record.remoteAddress;
  attributes[NETWORK_PEER_PORT] = record.remotePort;
  attributes[NETWORK_LOCAL_ADDRESS] = record.localAddress;
  attributes[NETWORK_LOCAL_PORT] = record.localPort;
}

function addHeader(
  attributes: SpanAttributes,
  side: 'request' | 'response',
  name: string,
  value: string | undefined,
): void {
  if (value !== undefined) attributes[`http.${side}.header.${name}`] = [cut(value)];
}

/** `{method} {route}`, for gRPC the method's full name; a method that nobody knows is `HTTP`. */
function nameOf(record: StreamRecord, route: string): string {
  if (record.grpcStatus >= 0) return cut(record.path.slice(1));
  const method = knownMethod(record.method);
  const shown = method === '_OTHER' ? 'HTTP' : method;
  return route === '' ? shown : `${shown} ${route}`;
}

/** Of a server span only what is the server's fault is an error; a caller that saw no answer is one. */
function serverFailed(record: StreamRecord): boolean {
  if (record.grpcStatus >= 0) return isGrpcServerError(record.grpcStatus);
  return record.status >= 500 || record.status === 0;
}

function errorType(code: string, status: number, grpcStatus: number): string {
  if (code !== '') return code;
  if (grpcStatus > 0) return grpcStatusName(grpcStatus);
  return status > 0 ? String(status) : '_OTHER';
}
