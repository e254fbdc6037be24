import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { logTypeOf, type TagOf } from '@tulle/record-format';
import type { StreamRecord } from '@tulle/telemetry';
import type { AddressSchema } from './gen/envoy/config/core/v3/address_pb.js';
import { RequestMethod } from './gen/envoy/config/core/v3/base_pb.js';
import {
  type AccessLogCommonSchema,
  AccessLogType,
  HTTPAccessLogEntry_HTTPVersion as Version,
  HTTPAccessLogEntrySchema,
  type ResponseFlagsSchema,
  ResponseFlags_Unauthorized_Reason as Reason,
  TCPAccessLogEntrySchema,
} from './gen/envoy/data/accesslog/v3/accesslog_pb.js';
import { filterStateObjects } from './filter-state.ts';

/** What entries hold beside the usual. */
export interface EntryOptions {
  /** Names in lower case. */
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly tags: readonly TagOf[];
  /** Keys. */
  readonly filterState: readonly string[];
}

const VERSIONS: Readonly<Record<string, Version>> = {
  'HTTP/1.0': Version.HTTP10,
  'HTTP/1.1': Version.HTTP11,
  'HTTP/2': Version.HTTP2,
};

/** An `HTTPAccessLogEntry`, encoded. */
export function httpEntry(record: StreamRecord, options: EntryOptions): Uint8Array {
  const path = record.upstreamPath ?? record.path;
  const withQuery = (one: string): string => (record.query === undefined ? one : `${one}?${record.query}`);
  const header = (name: string): string => record.requestHeader(name) ?? '';
  return toBinary(
    HTTPAccessLogEntrySchema,
    create(HTTPAccessLogEntrySchema, {
      commonProperties: common(record, options),
      protocolVersion: VERSIONS[record.protocol] ?? Version.PROTOCOL_UNSPECIFIED,
      request: {
        requestMethod:
          RequestMethod[record.method as keyof typeof RequestMethod] ?? RequestMethod.METHOD_UNSPECIFIED,
        scheme: record.tls ? 'https' : 'http',
        authority: record.authority,
        path: withQuery(path),
        userAgent: header('user-agent'),
        referer: header('referer'),
        forwardedFor: header('x-forwarded-for'),
        requestId: record.requestId,
        originalPath: record.upstreamPath === undefined ? '' : withQuery(record.path),
        requestBodyBytes: BigInt(record.bytesReceived),
        requestHeaders: chosen(options.requestHeaders, (name) => record.requestHeader(name)),
      },
      response: {
        ...(record.status === 0 ? {} : { responseCode: record.status }),
        responseBodyBytes: BigInt(record.bytesSent),
        responseHeaders: chosen(options.responseHeaders, (name) => record.responseHeader(name)),
        responseCodeDetails: record.details,
      },
    }),
  );
}

/** A `TCPAccessLogEntry`, encoded. */
export function tcpEntry(record: StreamRecord, options: EntryOptions): Uint8Array {
  return toBinary(
    TCPAccessLogEntrySchema,
    create(TCPAccessLogEntrySchema, {
      commonProperties: common(record, options),
      connectionProperties: {
        receivedBytes: BigInt(record.bytesReceived),
        sentBytes: BigInt(record.bytesSent),
      },
    }),
  );
}

function common(
  record: StreamRecord,
  { tags, filterState }: EntryOptions,
): MessageInitShape<typeof AccessLogCommonSchema> {
  const last = record.attempts[record.attempts.length - 1];
  const caller = address(record.remoteAddress, record.remotePort);
  const local = address(record.localAddress, record.localPort);
  const endpoint = hostPort(record.upstreamAddress);
  const seconds = Math.floor(record.startEpochMs / 1000);
  return {
    ...(caller && { downstreamRemoteAddress: caller, downstreamDirectRemoteAddress: caller }),
    ...(local && { downstreamLocalAddress: local }),
    ...(endpoint && { upstreamRemoteAddress: endpoint }),
    ...(record.tls && {
      tlsProperties: {
        tlsSniHostname: record.serverName ?? '',
        ...(record.peerIdentity !== undefined && {
          peerCertificateProperties: {
            subjectAltName: [{ san: { case: 'uri', value: record.peerIdentity } }],
          },
        }),
      },
    }),
    startTime: {
      seconds: BigInt(seconds),
      nanos: Math.round((record.startEpochMs - seconds * 1000) * 1e6),
    },
    ...(last !== undefined && { timeToFirstUpstreamTxByte: duration(last.startMs) }),
    ...(last !== undefined &&
      last.status !== 0 && { timeToFirstUpstreamRxByte: duration(last.startMs + last.durationMs) }),
    ...(record.firstByteMs >= 0 && { timeToFirstDownstreamTxByte: duration(record.firstByteMs) }),
    timeToLastDownstreamTxByte: duration(record.durationMs),
    duration: duration(record.durationMs),
    upstreamCluster: record.cluster,
    ...(record.flags.length > 0 && { responseFlags: flagsOf(record.flags) }),
    upstreamTransportFailureReason: last !== undefined && last.status === 0 ? last.failure : '',
    routeName: record.routeName,
    customTags: Object.fromEntries(
      tags.flatMap(([name, value]): [string, string][] => {
        const text = value(record);
        return text === undefined ? [] : [[name, text]];
      }),
    ),
    ...(filterState.length > 0 && { filterStateObjects: filterStateObjects(record, filterState) }),
    upstreamRequestAttemptCount: record.attempts.length,
    connectionTerminationDetails: record.kind === 'tcp' && record.code !== '' ? record.details : '',
    streamId: record.requestId,
    accessLogType: AccessLogType[logTypeOf(record)],
  };
}

function duration(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

type AddressInit = MessageInitShape<typeof AddressSchema>;

/** `envoy://listener/id`: a connection within the process. */
const INTERNAL = /^envoy:\/\/([^/]*)\/(.*)$/s;

function address(host: string, port: number): AddressInit | undefined {
  if (host === '') return undefined;
  const internal = INTERNAL.exec(host);
  if (internal !== null) {
    const [, value = '', endpointId = ''] = internal;
    return {
      address: {
        case: 'envoyInternalAddress',
        value: { addressNameSpecifier: { case: 'serverListenerName', value }, endpointId },
      },
    };
  }
  return {
    address: {
      case: 'socketAddress',
      value: { address: host, portSpecifier: { case: 'portValue', value: port } },
    },
  };
}

/** `host:port`, IPv6 in brackets, or the path of a Unix socket. */
function hostPort(text: string): AddressInit | undefined {
  if (text === '') return undefined;
  if (INTERNAL.test(text)) return address(text, 0);
  const colon = text.lastIndexOf(':');
  if (colon < 0 || text.startsWith('/')) return { address: { case: 'pipe', value: { path: text } } };
  return address(text.slice(0, colon).replace(/^\[|\]$/g, ''), Number(text.slice(colon + 1)));
}

function chosen(
  names: readonly string[],
  value: (name: string) => string | undefined,
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const text = value(name);
      return text === undefined ? [] : [[name, text]];
    }),
  );
}

type Flags = Exclude<MessageInitShape<typeof ResponseFlagsSchema>, { readonly $typeName: string }>;

/** Short flags, as the message names them (`envoy.data.accesslog.v3.ResponseFlags`); newer ones it has no name for. */
const FLAGS: Readonly<Record<string, Exclude<keyof Flags, 'unauthorizedDetails'>>> = {
  LH: 'failedLocalHealthcheck',
  UH: 'noHealthyUpstream',
  UT: 'upstreamRequestTimeout',
  LR: 'localReset',
  UR: 'upstreamRemoteReset',
  UF: 'upstreamConnectionFailure',
  UC: 'upstreamConnectionTermination',
  UO: 'upstreamOverflow',
  NR: 'noRouteFound',
  DI: 'delayInjected',
  FI: 'faultInjected',
  RL: 'rateLimited',
  RLSE: 'rateLimitServiceError',
  DC: 'downstreamConnectionTermination',
  URX: 'upstreamRetryLimitExceeded',
  SI: 'streamIdleTimeout',
  IH: 'invalidEnvoyRequestHeaders',
  DPE: 'downstreamProtocolError',
  UMSDR: 'upstreamMaxStreamDurationReached',
  RFCF: 'responseFromCacheFilter',
  NFCF: 'noFilterConfigFound',
  DT: 'durationTimeout',
  UPE: 'upstreamProtocolError',
  NC: 'noClusterFound',
  OM: 'overloadManager',
  DF: 'dnsResolutionFailure',
  DR: 'downstreamRemoteReset',
};

function flagsOf(flags: readonly string[]): Flags {
  const set: Record<string, unknown> = {};
  for (const flag of flags) {
    const name = FLAGS[flag];
    if (name !== undefined) set[name] = true;
    if (flag === 'UAEX') set['unauthorizedDetails'] = { reason: Reason.EXTERNAL_SERVICE };
  }
  return set;
}
