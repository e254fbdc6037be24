import { didYouMean } from '@tulle/schema';
import { GRPC_STATUS_NAMES, type StreamRecord } from '@tulle/telemetry';
import type { FormatIssue } from './format-parser.ts';
import { CEL_OPERATORS } from './operators/cel.ts';
import { coalesce } from './operators/coalesce.ts';
import { CONNECTION_OPERATORS } from './operators/connections.ts';
import { DURATION_OPERATORS } from './operators/durations.ts';
import { FIELD_OPERATORS } from './operators/fields.ts';
import { logTypeOf } from './log-type.ts';
import { METADATA_OPERATORS } from './operators/metadata.ts';
import {
  type Compile,
  type Getter,
  named,
  type OperatorContext,
  type Operators,
  plain,
} from './operators/operator.ts';
import { longFlag } from './response-flags.ts';
import { compileTime } from './time-format.ts';

export type { Getter, JsonValue, OperatorContext } from './operators/operator.ts';

/** What stands unquoted in a line may have no blank: Envoy writes `_` for them. */
const unblanked = (text: string): string => text.replace(/\s+/g, '_');

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

/** A moment of the stream, in UTC or where the proxy stands. @param endMs from its start, or to its end */
const time =
  (operator: string, atEnd: boolean, zone: 'utc' | 'local'): Compile =>
  (argument, at, issues) => {
    // Directives are counted from behind the parenthesis.
    const text = compileTime(argument, at + operator.length + 2, issues, zone);
    return (r) => text(atEnd ? r.startEpochMs + r.durationMs : r.startEpochMs);
  };

/** An endpoint answered, and nothing went wrong behind that. */
const byEndpoint = ({ kind, code, upstreamServiceMs }: StreamRecord): boolean =>
  kind === 'http' && code === '' && upstreamServiceMs >= 0;

/** Operators by name. */
const OPERATORS: Operators = {
  START_TIME: time('START_TIME', false, 'utc'),
  START_TIME_LOCAL: time('START_TIME_LOCAL', false, 'local'),
  // Records are made when their stream is over.
  EMIT_TIME: time('EMIT_TIME', true, 'utc'),
  EMIT_TIME_LOCAL: time('EMIT_TIME_LOCAL', true, 'local'),
  ...DURATION_OPERATORS,
  // A listener's own record is of kind tcp, and says what was spoken there.
  PROTOCOL: plain((r) => (r.protocol === 'TCP' || r.protocol === 'UDP' ? undefined : r.protocol)),
  RESPONSE_CODE: plain((r) => r.status),
  RESPONSE_CODE_DETAILS: plain((r) =>
    r.details === '' && byEndpoint(r) ? 'via_upstream' : unblanked(r.details),
  ),
  CONNECTION_TERMINATION_DETAILS: plain((r) =>
    r.kind === 'tcp' && r.code !== '' ? unblanked(r.details) : undefined,
  ),
  // No flag is a value too: `-`, also in JSON.
  RESPONSE_FLAGS: plain((r) => (r.flags.length === 0 ? '-' : r.flags.join(','))),
  RESPONSE_FLAGS_LONG: plain((r) => (r.flags.length === 0 ? '-' : r.flags.map(longFlag).join(','))),
  BYTES_RECEIVED: plain((r) => r.bytesReceived),
  BYTES_SENT: plain((r) => r.bytesSent),
  ...FIELD_OPERATORS,
  ...CONNECTION_OPERATORS,
  ...METADATA_OPERATORS,
  ...CEL_OPERATORS,
  ...coalesce((operator, issues, context) => compileOperator(operator, issues, context)),
  ROUTE_NAME: plain((r) => r.routeName),
  GRPC_STATUS: grpcStatus,
  GRPC_STATUS_NUMBER: plain((r) => (r.grpcStatus < 0 ? undefined : r.grpcStatus)),
  ACCESS_LOG_TYPE: plain(logTypeOf),
  // Another one each time that it is asked for, as Envoy's.
  UNIQUE_ID: plain(() => globalThis.crypto.randomUUID()),
  STREAM_ID: plain((r) => r.requestId),
  TRACE_ID: plain((r) => r.traceId),
  SPAN_ID: plain((r) => r.spanId),
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
  LISTENER: plain((r) => r.listener),
  DIRECTION: plain((r) => r.direction),
  CODE: plain((r) => r.code),
  RETRY_REFUSED: plain((r) => r.retryRefused),
  UPSTREAM_LABEL: named('%UPSTREAM_LABEL(version)%', (label) => (r) => r.upstreamLabels[label]),
};

/** Operators of Envoy that have nothing here to be filled with. */
const NOT_HERE: ReadonlySet<string> = new Set(
  (
    'CUSTOM_FLAGS CLUSTER_METADATA UPSTREAM_FILTER_STATE ROUNDTRIP_DURATION ' +
    'DOWNSTREAM_HEADER_BYTES_RECEIVED DOWNSTREAM_HEADER_BYTES_SENT DOWNSTREAM_WIRE_BYTES_RECEIVED ' +
    'DOWNSTREAM_WIRE_BYTES_SENT UPSTREAM_WIRE_BYTES_RECEIVED UPSTREAM_WIRE_BYTES_SENT UPSTREAM_HEADER_BYTES_RECEIVED ' +
    'UPSTREAM_HEADER_BYTES_SENT DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT ' +
    'UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT ' +
    'UPSTREAM_HOST_NAMES_ATTEMPTED UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT UPSTREAM_CONNECTION_IDS_ATTEMPTED ' +
    'UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID UPSTREAM_SERVER_NAME UPSTREAM_LOCAL_CLOSE_REASON ' +
    'UPSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_TLS_SESSION_ID UPSTREAM_TLS_GROUP ' +
    'DOWNSTREAM_DIRECT_LOCAL_ADDRESS DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_LOCAL_PORT ' +
    'DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID DOWNSTREAM_CX_RTT ' +
    'DOWNSTREAM_TLS_SESSION_ID DOWNSTREAM_TLS_GROUP DOWNSTREAM_LOCAL_OTHERNAME_SAN DOWNSTREAM_PEER_OTHERNAME_SAN ' +
    'DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1 DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256 DOWNSTREAM_PEER_CHAIN_SERIALS ' +
    'DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256 DOWNSTREAM_PEER_ISSUER_SERIAL DOWNSTREAM_TRANSPORT_FAILURE_REASON ' +
    'DOWNSTREAM_HANDSHAKE_DURATION DOWNSTREAM_DETECTED_CLOSE_TYPE DOWNSTREAM_LOCAL_CLOSE_REASON TLS_JA3_FINGERPRINT ' +
    'TLS_JA4_FINGERPRINT VIRTUAL_CLUSTER_NAME LOCAL_REPLY_BODY BYTES_RETRANSMITTED PACKETS_RETRANSMITTED'
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
