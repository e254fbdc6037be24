import { didYouMean } from '@tulle/schema';
import { GRPC_STATUS_NAMES, type AttemptRecord, type StreamRecord } from '@tulle/telemetry';
import type { FormatIssue } from './format-parser.ts';
import { longFlag } from './response-flags.ts';
import { compileTime } from './time-format.ts';

/** What an operator stands for in one record; `undefined` and `''`: unset. */
export type Getter = (record: StreamRecord) => string | number | undefined;

/** How formats are filled. */
export interface OperatorContext {
  /** Whether the query of a path is shown. */
  readonly query: 'keep' | 'strip';
  /** What `HOSTNAME` and `ENVIRONMENT` stand for; absent: they are refused. */
  readonly host?: { readonly name: string; variable(name: string): string | undefined };
  /** Operators beside those that there are. */
  readonly more?: Readonly<Record<string, Getter>>;
}

type Compile = (
  argument: string | undefined,
  at: number,
  issues: FormatIssue[],
  context: OperatorContext,
) => Getter;

/** An operator that takes no argument. */
const plain =
  (get: Getter): Compile =>
  (argument, at, issues) => {
    if (argument !== undefined) issues.push({ at, message: 'this operator takes no argument' });
    return get;
  };

/** An operator that needs one. */
const named =
  (example: string, make: (argument: string, context: OperatorContext) => Getter): Compile =>
  (argument, at, issues, context) => {
    if (argument === undefined || argument === '')
      issues.push({ at, message: `this operator needs an argument, e.g. ${example}` });
    return make(argument ?? '', context);
  };

const ms = (value: number): number | undefined => (value < 0 ? undefined : Math.floor(value));
const hostPort = (host: string, port: number): string =>
  host === '' ? '' : host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
const withQuery = (path: string, query: string | undefined, { query: mode }: OperatorContext): string =>
  query === undefined || mode === 'strip' ? path : `${path}?${query}`;
const lastAttempt = (record: StreamRecord): AttemptRecord | undefined =>
  record.attempts[record.attempts.length - 1];
/** What stands unquoted in a line may have no blank: Envoy writes `_` for them. */
const unblanked = (text: string): string => text.replace(/\s+/g, '_');
const splitPort = (address: string): readonly [host: string, port: string] => {
  const colon = address.lastIndexOf(':');
  return colon < 0
    ? [address, '']
    : [address.slice(0, colon).replace(/^\[|\]$/g, ''), address.slice(colon + 1)];
};

/** A request field or pseudo field: `:METHOD`, `:PATH` as sent upstream, `X-ENVOY-ORIGINAL-PATH` where it was rewritten. */
function requestField(name: string, context: OperatorContext): Getter {
  switch (name) {
    case ':method':
      return (r) => r.method;
    case ':authority':
    case 'host':
      return (r) => r.authority;
    case ':scheme':
      return (r) => (r.kind === 'tcp' ? undefined : schemeOf(r));
    case ':path':
      return (r) => (r.kind === 'tcp' ? undefined : withQuery(r.upstreamPath ?? r.path, r.query, context));
    case 'x-envoy-original-path':
      return (r) => (r.upstreamPath === undefined ? undefined : withQuery(r.path, r.query, context));
    case 'x-request-id':
      return (r) => r.requestId;
    default:
      return (r) => r.requestHeader(name);
  }
}

/** As a proxy before this one says: where it is not believed, the field has been put by this one. */
function schemeOf(record: StreamRecord): string {
  const said = record.requestHeader('x-forwarded-proto')?.toLowerCase();
  return said === 'http' || said === 'https' ? said : record.tls ? 'https' : 'http';
}

function responseField(name: string): Getter {
  if (name === ':status') return (r) => (r.status === 0 ? undefined : r.status);
  // Envoy sets this field; here it is known without being sent.
  if (name === 'x-envoy-upstream-service-time')
    return (r) => ms(r.upstreamServiceMs) ?? r.responseHeader(name);
  return (r) => r.responseHeader(name);
}

/** `X?Y`: Y where X is unset. */
const fields =
  (example: string, field: (name: string, context: OperatorContext) => Getter): Compile =>
  (argument, at, issues, context) => {
    const names = (argument ?? '').split('?').map((name) => name.trim().toLowerCase());
    if (names.length > 2 || names.some((name) => !/^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)))
      issues.push({ at, message: `give a field name, or two as in ${example}` });
    const [first = '', second] = names;
    const get = field(first, context);
    if (second === undefined) return get;
    const instead = field(second, context);
    return (record) => {
      const value = get(record);
      return value === undefined || value === '' ? instead(record) : value;
    };
  };

/** `PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH)`: with or without query, before or after rewriting. */
const path: Compile = (argument, at, issues, context) => {
  const [query = 'WQ', which = 'ORIG_OR_PATH'] = (argument ?? '').split(':').map((part) => part || undefined);
  if (!/^(?:(?:WQ|NQ)?(?::(?:ORIG|PATH|ORIG_OR_PATH))?)$/.test(argument ?? ''))
    issues.push({ at, message: 'give WQ or NQ, then ORIG, PATH or ORIG_OR_PATH, e.g. %PATH(NQ:ORIG)%' });
  return (r) => {
    if (r.kind === 'tcp') return undefined;
    const shown = which === 'PATH' ? (r.upstreamPath ?? r.path) : r.path;
    return query === 'NQ' ? shown : withQuery(shown, r.query, context);
  };
};

const grpcStatus: Compile = (argument, at, issues) => {
  if (!['CAMEL_STRING', 'SNAKE_STRING', 'NUMBER', undefined, ''].includes(argument))
    issues.push({ at, message: 'give CAMEL_STRING, SNAKE_STRING or NUMBER' });
  return ({ grpcStatus: status }) => {
    if (status < 0) return undefined;
    const name = GRPC_STATUS_NAMES[status];
    if (argument === 'NUMBER' || name === undefined) return status;
    return argument === 'SNAKE_STRING' ? name : CAMEL_STATUS[status];
  };
};

/** Envoy's spelling: `InvalidArgument`, but `OK` and `Canceled`. */
const CAMEL_STATUS: readonly string[] = GRPC_STATUS_NAMES.map((name, i) =>
  i === 0
    ? 'OK'
    : i === 1
      ? 'Canceled'
      : name.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
);

function queryParameter(name: string, context: OperatorContext): Getter {
  return (r) => {
    if (r.query === undefined || context.query === 'strip') return undefined;
    for (const pair of r.query.split('&')) {
      const equals = pair.indexOf('=');
      if ((equals < 0 ? pair : pair.slice(0, equals)) === name)
        return equals < 0 ? '' : pair.slice(equals + 1);
    }
    return undefined;
  };
}

/** Operators by name. */
const OPERATORS: Readonly<Record<string, Compile>> = {
  START_TIME: (argument, at, issues) => {
    // Directives are counted from behind the parenthesis.
    const time = compileTime(argument, at + '%START_TIME('.length, issues);
    return (r) => time(r.startEpochMs);
  },
  // Records are made when their stream is over.
  EMIT_TIME: (argument, at, issues) => {
    const time = compileTime(argument, at + '%EMIT_TIME('.length, issues);
    return (r) => time(r.startEpochMs + r.durationMs);
  },
  DURATION: plain((r) => ms(r.durationMs)),
  RESPONSE_DURATION: plain((r) => ms(r.firstByteMs)),
  RESPONSE_TX_DURATION: plain((r) => (r.firstByteMs < 0 ? undefined : ms(r.durationMs - r.firstByteMs))),
  PROTOCOL: plain((r) => (r.kind === 'tcp' ? undefined : r.protocol)),
  RESPONSE_CODE: plain((r) => r.status),
  RESPONSE_CODE_DETAILS: plain((r) => unblanked(r.details)),
  CONNECTION_TERMINATION_DETAILS: plain((r) =>
    r.kind === 'tcp' && r.code !== '' ? unblanked(r.details) : undefined,
  ),
  // No flag is a value too: `-`, also in JSON.
  RESPONSE_FLAGS: plain((r) => (r.flags.length === 0 ? '-' : r.flags.join(','))),
  RESPONSE_FLAGS_LONG: plain((r) => (r.flags.length === 0 ? '-' : r.flags.map(longFlag).join(','))),
  BYTES_RECEIVED: plain((r) => r.bytesReceived),
  BYTES_SENT: plain((r) => r.bytesSent),
  REQ: fields('%REQ(X-FORWARDED-FOR)%, %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', requestField),
  RESP: fields('%RESP(CONTENT-TYPE)%', responseField),
  PATH: path,
  QUERY_PARAM: named('%QUERY_PARAM(page)%', queryParameter),
  UPSTREAM_HOST: plain((r) => r.upstreamAddress),
  UPSTREAM_REMOTE_ADDRESS: plain((r) => r.upstreamAddress),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((r) => splitPort(r.upstreamAddress)[0]),
  UPSTREAM_REMOTE_PORT: plain((r) => splitPort(r.upstreamAddress)[1]),
  UPSTREAM_CLUSTER: plain((r) => r.cluster),
  UPSTREAM_CLUSTER_RAW: plain((r) => r.cluster),
  UPSTREAM_LOCAL_ADDRESS: plain(() => undefined),
  UPSTREAM_TRANSPORT_FAILURE_REASON: plain((r) => {
    const last = lastAttempt(r);
    return last !== undefined && last.status === 0 ? last.failure : undefined;
  }),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain((r) => r.attempts.length),
  UPSTREAM_PEER_URI_SAN: plain((r) => r.upstreamIdentity),
  DOWNSTREAM_REMOTE_ADDRESS: plain((r) => hostPort(r.remoteAddress, r.remotePort)),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain((r) => r.remoteAddress),
  DOWNSTREAM_REMOTE_PORT: plain((r) => (r.remoteAddress === '' ? undefined : r.remotePort)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: plain((r) => hostPort(r.remoteAddress, r.remotePort)),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: plain((r) => r.remoteAddress),
  DOWNSTREAM_DIRECT_REMOTE_PORT: plain((r) => (r.remoteAddress === '' ? undefined : r.remotePort)),
  DOWNSTREAM_LOCAL_ADDRESS: plain((r) => hostPort(r.localAddress, r.localPort)),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: plain((r) => r.localAddress),
  DOWNSTREAM_LOCAL_PORT: plain((r) => (r.localAddress === '' ? undefined : r.localPort)),
  DOWNSTREAM_PEER_URI_SAN: plain((r) => r.peerIdentity),
  REQUESTED_SERVER_NAME: plain((r) => r.serverName),
  ROUTE_NAME: plain((r) => r.routeName),
  GRPC_STATUS: grpcStatus,
  GRPC_STATUS_NUMBER: plain((r) => (r.grpcStatus < 0 ? undefined : r.grpcStatus)),
  ACCESS_LOG_TYPE: plain((r) => (r.kind === 'tcp' ? 'TcpConnectionEnd' : 'DownstreamEnd')),
  UPSTREAM_HOSTS_ATTEMPTED: plain((r) =>
    r.attempts
      .map(({ address }) => address)
      .filter((address) => address !== '')
      .join(','),
  ),
  STREAM_ID: plain((r) => r.requestId),
  TRACE_ID: plain((r) => r.traceId),
  HOSTNAME: (argument, at, issues, { host }) => {
    if (host === undefined) issues.push({ at, message: '%HOSTNAME% is of no use here; leave it out' });
    return plain(() => host?.name)(argument, at, issues, { query: 'keep' });
  },
  ENVIRONMENT: (argument, at, issues, context) => {
    if (context.host === undefined)
      issues.push({ at, message: '%ENVIRONMENT% would show what is nobody’s business here; leave it out' });
    return named('%ENVIRONMENT(REGION)%', (name) => {
      const value = context.host?.variable(name);
      return () => value;
    })(argument, at, issues, context);
  },
  // Tulle's own.
  SPAN_ID: plain((r) => r.spanId),
  LISTENER: plain((r) => r.listener),
  DIRECTION: plain((r) => r.direction),
  CODE: plain((r) => r.code),
  RETRY_REFUSED: plain((r) => r.retryRefused),
  UPSTREAM_LABEL: named('%UPSTREAM_LABEL(version)%', (label) => (r) => r.upstreamLabels[label]),
};

/** Operators of Envoy that have nothing here to be filled with. */
const NOT_HERE: ReadonlySet<string> = new Set(
  (
    'CEL COMMON_DURATION CUSTOM_FLAGS DYNAMIC_METADATA CLUSTER_METADATA UPSTREAM_METADATA METADATA FILTER_STATE ' +
    'UPSTREAM_FILTER_STATE FILTER_CHAIN_NAME TRAILER END_TIME CONNECTION_ID UNIQUE_ID ' +
    'REQUEST_DURATION REQUEST_TX_DURATION ROUNDTRIP_DURATION REQUEST_HEADERS_BYTES RESPONSE_HEADERS_BYTES ' +
    'RESPONSE_TRAILERS_BYTES DOWNSTREAM_HEADER_BYTES_RECEIVED DOWNSTREAM_HEADER_BYTES_SENT DOWNSTREAM_WIRE_BYTES_RECEIVED ' +
    'DOWNSTREAM_WIRE_BYTES_SENT UPSTREAM_WIRE_BYTES_RECEIVED UPSTREAM_WIRE_BYTES_SENT UPSTREAM_HEADER_BYTES_RECEIVED ' +
    'UPSTREAM_HEADER_BYTES_SENT UPSTREAM_PROTOCOL UPSTREAM_CONNECTION_ID UPSTREAM_CONNECTION_POOL_READY_DURATION ' +
    'UPSTREAM_HOST_NAME UPSTREAM_HOST_NAME_WITHOUT_PORT UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT ' +
    'UPSTREAM_LOCAL_PORT UPSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_TLS_CIPHER UPSTREAM_TLS_VERSION UPSTREAM_TLS_SESSION_ID ' +
    'UPSTREAM_PEER_ISSUER UPSTREAM_PEER_CERT UPSTREAM_PEER_SUBJECT UPSTREAM_PEER_CERT_V_START UPSTREAM_PEER_CERT_V_END ' +
    'DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_VERSION DOWNSTREAM_TLS_SESSION_ID DOWNSTREAM_PEER_FINGERPRINT_1 ' +
    'DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_SERIAL DOWNSTREAM_PEER_ISSUER DOWNSTREAM_PEER_CERT ' +
    'DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_DNS_SAN DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_CERT_V_START ' +
    'DOWNSTREAM_PEER_CERT_V_END DOWNSTREAM_LOCAL_URI_SAN DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_TRANSPORT_FAILURE_REASON ' +
    'DOWNSTREAM_HANDSHAKE_DURATION DOWNSTREAM_DETECTED_CLOSE_TYPE DOWNSTREAM_LOCAL_CLOSE_REASON TLS_JA3_FINGERPRINT ' +
    'TLS_JA4_FINGERPRINT VIRTUAL_CLUSTER_NAME VIRTUAL_HOST_NAME LOCAL_REPLY_BODY BYTES_RETRANSMITTED PACKETS_RETRANSMITTED'
  ).split(' '),
);

/** Names of all operators. */
export const OPERATOR_NAMES: readonly string[] = Object.freeze(Object.keys(OPERATORS));

/** Compiles one operator; what is wrong goes to `issues`. */
export function compileOperator(
  operator: { readonly name: string; readonly argument: string | undefined; readonly at: number },
  issues: FormatIssue[],
  context: OperatorContext,
): Getter {
  const { name, argument, at } = operator;
  const more = context.more?.[name];
  if (more !== undefined) return plain(more)(argument, at, issues, context);
  const compile = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (compile !== undefined) return compile(argument, at, issues, context);
  const meant = didYouMean(name, OPERATOR_NAMES);
  issues.push({
    at,
    message: NOT_HERE.has(name)
      ? `%${name}% is an operator of Envoy that Tulle has nothing to fill with; leave it out`
      : `there is no operator %${name}%${meant === undefined ? '' : `; did you mean %${meant}%?`}`,
  });
  return () => undefined;
}
