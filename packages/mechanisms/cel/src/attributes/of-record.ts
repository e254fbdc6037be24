import {
  grpcStatusOfHttp,
  isInternalName,
  type RecordCertificate,
  type RecordConnection,
  type StreamRecord,
} from '@tulle/telemetry';
import { flagBits } from './flag-bits.ts';
import { DIRECTIONS } from './of-stream.ts';
import { type Attribute, type AttributeTable, Json, Lookup, Moment, Span, Unsigned } from './table.ts';

type Attributes = Readonly<Record<string, Attribute<StreamRecord>>>;

const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
const hostPort = (host: string, port: number): string | undefined => {
  if (host === '' || isInternalName(host)) return filled(host);
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
};
/** Where there is an IP address, as in Envoy. */
const portBeside = (host: string, port: number): bigint | undefined =>
  host === '' || isInternalName(host) ? undefined : BigInt(port);
const pathOf = ({ upstreamPath, path }: StreamRecord): string => upstreamPath ?? path;
const whole = ({ query }: StreamRecord, path: string): string =>
  query === undefined ? path : `${path}?${query}`;
const length = (value: string | undefined, otherwise: number): bigint | undefined => {
  if (value === undefined) return BigInt(otherwise);
  return /^\d{1,15}$/.test(value) ? BigInt(value) : undefined;
};

/** As a proxy before this one says, where it is believed. */
const schemeOf = (record: StreamRecord): string => {
  const said = record.requestHeader('x-forwarded-proto')?.toLowerCase();
  return said === 'http' || said === 'https' ? said : record.tls ? 'https' : 'http';
};

/** An attribute of HTTP streams. */
const http =
  (read: Attribute<StreamRecord>): Attribute<StreamRecord> =>
  (record) =>
    record.kind === 'http' ? read(record) : undefined;

function requestField(record: StreamRecord, given: string): string | undefined {
  if (record.kind !== 'http') return undefined;
  const name = given.toLowerCase();
  switch (name) {
    case ':method':
      return record.method;
    case ':authority':
    case 'host':
      return record.authority;
    case ':scheme':
      return schemeOf(record);
    case ':path':
      return whole(record, pathOf(record));
    case 'x-request-id':
      return record.requestId;
    default:
      return record.requestHeader(name);
  }
}

function responseField(record: StreamRecord, given: string): string | undefined {
  const name = given.toLowerCase();
  if (name === ':status') return record.status === 0 ? undefined : String(record.status);
  return record.responseHeader(name);
}

type Side = (record: StreamRecord) => RecordConnection | undefined;

/** What TLS agreed on; subjects are texts even where there is no certificate, as in Envoy. */
function certificates(side: Side, identity: (record: StreamRecord) => string | undefined): Attributes {
  const peer = (record: StreamRecord): RecordCertificate | undefined => side(record)?.tls?.peer;
  const own = (record: StreamRecord): RecordCertificate | undefined => side(record)?.tls?.own;
  return {
    tls_version: (record) => side(record)?.tls?.version,
    subject_local_certificate: (record) => own(record)?.subject,
    subject_peer_certificate: (record) => peer(record)?.subject,
    uri_san_local_certificate: (record) => own(record)?.uris[0],
    uri_san_peer_certificate: (record) => peer(record)?.uris[0] ?? identity(record),
    dns_san_local_certificate: (record) => own(record)?.dns[0],
    dns_san_peer_certificate: (record) => peer(record)?.dns[0],
    sha256_peer_certificate_digest: (record) => peer(record)?.sha256,
  };
}

/** Metadata of one namespace or more, in the form of Envoy's message. */
const namespaces = (read: (namespace: string) => unknown): Lookup =>
  new Lookup((namespace) => {
    const values = read(namespace);
    return values === undefined ? undefined : new Json(values);
  });

const port = (addressOf: string): bigint | undefined => {
  const digits = isInternalName(addressOf) ? undefined : /:(\d+)$/.exec(addressOf)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
};

/**
 * What is known of a stream in texts and logs: once it is over everything, before that what there is. Fields that came in several
 * lines are read by their first, as `%REQ(…)%` does.
 */
export const RECORD_ATTRIBUTES: AttributeTable<StreamRecord> = {
  request: {
    path: http((r) => whole(r, pathOf(r))),
    url_path: http(pathOf),
    query: http(({ query }) => query ?? ''),
    host: http(({ authority }) => authority),
    scheme: http(schemeOf),
    method: http(({ method }) => method),
    protocol: http(({ protocol }) => protocol),
    id: http(({ requestId }) => requestId),
    referer: http((r) => r.requestHeader('referer')),
    useragent: http((r) => r.requestHeader('user-agent')),
    headers: (r) => new Lookup((name) => requestField(r, name)),
    headers_bytes: (r) => BigInt(r.fieldBytes?.request ?? 0),
    time: ({ startEpochMs }) => new Moment(startEpochMs),
    duration: ({ durationMs }) => new Span(durationMs),
    size: (r) => length(r.requestHeader('content-length'), r.bytesReceived),
    total_size: (r) => BigInt(r.bytesReceived + (r.fieldBytes?.request ?? 0)),
  },
  response: {
    code: ({ status }) => (status === 0 ? undefined : BigInt(status)),
    code_details: (r) => filled(r.details) ?? (r.status > 0 && r.code === '' ? 'via_upstream' : undefined),
    flags: ({ flags }) => flagBits(flags),
    // Of what is no call, what a caller of one would take its status for.
    grpc_status: ({ grpcStatus, status }) => {
      if (grpcStatus >= 0) return BigInt(grpcStatus);
      return status === 0 ? undefined : BigInt(grpcStatusOfHttp(status));
    },
    headers: (r) => new Lookup((name) => responseField(r, name)),
    headers_bytes: (r) => BigInt(r.fieldBytes?.response ?? 0),
    trailers: (r) => new Lookup((name) => r.responseTrailer(name.toLowerCase())),
    size: ({ bytesSent }) => BigInt(bytesSent),
    total_size: (r) =>
      BigInt(r.bytesSent + (r.fieldBytes?.response ?? 0) + (r.fieldBytes?.responseTrailers ?? 0)),
  },
  connection: {
    id: (r) => (r.downstream === undefined ? undefined : new Unsigned(r.downstream.id)),
    mtls: ({ peerIdentity }) => peerIdentity !== undefined,
    requested_server_name: ({ serverName }) => serverName ?? '',
    termination_details: (r) => (r.kind === 'tcp' && r.code !== '' ? filled(r.details) : undefined),
    ...certificates(
      (r) => r.downstream,
      (r) => r.peerIdentity,
    ),
  },
  upstream: {
    address: ({ upstreamAddress }) => filled(upstreamAddress),
    port: ({ upstreamAddress }) => port(upstreamAddress),
    local_address: ({ upstream }) => upstream && hostPort(upstream.localAddress, upstream.localPort),
    request_attempt_count: ({ attempts }) => new Unsigned(attempts.length),
    ...certificates(
      (r) => r.upstream,
      (r) => r.upstreamIdentity,
    ),
  },
  source: {
    address: ({ remoteAddress, remotePort }) => hostPort(remoteAddress, remotePort),
    port: ({ remoteAddress, remotePort }) => portBeside(remoteAddress, remotePort),
  },
  destination: {
    address: ({ localAddress, localPort }) => hostPort(localAddress, localPort),
    port: ({ localAddress, localPort }) => portBeside(localAddress, localPort),
  },
  metadata: { filter_metadata: (r) => namespaces((namespace) => r.metadata(namespace)) },
  filter_state: (r) =>
    new Lookup((key) => {
      const value = r.filterState(key);
      // An object has no bytes (Envoy: it is not serialized as a string).
      return typeof value === 'string' ? new TextEncoder().encode(value) : undefined;
    }),
  xds: {
    route_name: ({ routeName }) => filled(routeName),
    cluster_name: ({ cluster }) => filled(cluster),
    filter_chain_name: ({ filterChain }) => filterChain,
    listener_direction: ({ direction }) => DIRECTIONS[direction],
    upstream_host_metadata: ({ upstreamLabels, upstreamAddress }) =>
      upstreamAddress === ''
        ? undefined
        : new Json({
            filter_metadata: Object.keys(upstreamLabels).length === 0 ? {} : { 'envoy.lb': upstreamLabels },
          }),
  },
};
