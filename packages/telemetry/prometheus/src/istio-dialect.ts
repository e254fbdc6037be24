import type { Registry } from '@tulle/metrics';
import type { SelfLabels } from '@tulle/parties';
import type { Counter, Histogram, Labels, StreamRecord } from '@tulle/telemetry';
import type { Dialect } from './dialect.ts';
import { exemplifyDuration } from './exemplar.ts';
import { createIstioParties, type IstioParty } from './istio-parties.ts';

/** Bounds of Istio's histograms, milliseconds and bytes alike: Envoy's defaults, which its dashboards expect. */
export const ISTIO_BUCKETS: readonly number[] = Object.freeze([
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
]);

/** How the Istio dialect counts. */
export interface IstioDialectOptions {
  readonly self: SelfLabels;
  /** Series without traffic for so long are forgotten. */
  readonly idleSeriesMs: number;
}

const HELP = {
  istio_requests_total: 'Requests completed.',
  istio_request_duration_milliseconds: 'First byte of the request to last byte of the response.',
  istio_request_bytes: 'Bodies of requests.',
  istio_response_bytes: 'Bodies of responses.',
  istio_request_messages_total: 'Messages of gRPC calls sent by their callers.',
  istio_response_messages_total: 'Messages of gRPC calls sent by services.',
  istio_tcp_sent_bytes_total: 'Bytes sent to callers over TCP.',
  istio_tcp_received_bytes_total: 'Bytes received from callers over TCP.',
  istio_tcp_connections_opened_total: 'TCP connections opened.',
  istio_tcp_connections_closed_total: 'TCP connections closed.',
} as const;
type Name = keyof typeof HELP;

/** Series of one (reporter, source, destination, outcome). */
interface Series {
  lastEpochMs: number;
  readonly instruments: readonly (readonly [name: Name, made: Counter | Histogram])[];
}

interface HttpSeries extends Series {
  readonly requests: Counter;
  readonly duration: Histogram;
  readonly requestBytes: Histogram;
  readonly responseBytes: Histogram;
  /** gRPC only. */
  readonly messages: { readonly request: Counter; readonly response: Counter } | undefined;
}

interface TcpSeries extends Series {
  readonly opened: Counter;
  readonly closed: Counter;
  readonly sent: Counter;
  readonly received: Counter;
}

/** By outcome: `<status> <gRPC status> <security> <flags>` for HTTP, `<security> <flags>` for TCP. */
interface Traffic {
  readonly http: Map<string, HttpSeries>;
  readonly tcp: Map<string, TcpSeries>;
}

/**
 * Istio's standard metrics, for its dashboards and for Kiali: every label is there, `unknown` where nobody knows. A proxy
 * reports as `destination` what it received for its workload and as `source` everything else. Messages of
 * gRPC count when their call is over, and a TCP connection as opened when it has closed: the record is made at its end.
 */
export function istioDialect(registry: Registry, options: IstioDialectOptions): Dialect {
  const parties = createIstioParties(options.self);
  const reporters = {
    source: new Map<IstioParty, Map<IstioParty, Traffic>>(),
    destination: new Map<IstioParty, Map<IstioParty, Traffic>>(),
  };

  const counter = (name: Name, labels: Labels): Counter =>
    registry.counter(name, { help: HELP[name], labels });
  const histogram = (name: Name, labels: Labels): Histogram =>
    registry.histogram(name, { help: HELP[name], labels, buckets: ISTIO_BUCKETS });

  const labelsOf = (record: StreamRecord, source: IstioParty, destination: IstioParty): Labels => ({
    reporter: reporterOf(record),
    ...source.labels,
    ...destination.labels,
    request_protocol: record.kind === 'tcp' ? 'tcp' : record.grpcStatus >= 0 ? 'grpc' : 'http',
    ...(record.kind === 'tcp'
      ? {}
      : {
          response_code: String(record.status),
          grpc_response_status: record.grpcStatus < 0 ? '' : String(record.grpcStatus),
        }),
    response_flags: flagsOf(record),
    connection_security_policy: securityOf(record),
  });

  const newHttp = (labels: Labels): HttpSeries => {
    const requests = counter('istio_requests_total', labels);
    const duration = histogram('istio_request_duration_milliseconds', labels);
    const requestBytes = histogram('istio_request_bytes', labels);
    const responseBytes = histogram('istio_response_bytes', labels);
    const messages =
      labels['request_protocol'] === 'grpc'
        ? {
            request: counter('istio_request_messages_total', labels),
            response: counter('istio_response_messages_total', labels),
          }
        : undefined;
    return {
      lastEpochMs: 0,
      messages,
      requests,
      duration,
      requestBytes,
      responseBytes,
      instruments: [
        ['istio_requests_total', requests],
        ['istio_request_duration_milliseconds', duration],
        ['istio_request_bytes', requestBytes],
        ['istio_response_bytes', responseBytes],
        ...(messages === undefined
          ? []
          : ([
              ['istio_request_messages_total', messages.request],
              ['istio_response_messages_total', messages.response],
            ] as const)),
      ],
    };
  };

  const newTcp = (labels: Labels): TcpSeries => {
    const opened = counter('istio_tcp_connections_opened_total', labels);
    const closed = counter('istio_tcp_connections_closed_total', labels);
    const sent = counter('istio_tcp_sent_bytes_total', labels);
    const received = counter('istio_tcp_received_bytes_total', labels);
    return {
      lastEpochMs: 0,
      opened,
      closed,
      sent,
      received,
      instruments: [
        ['istio_tcp_connections_opened_total', opened],
        ['istio_tcp_connections_closed_total', closed],
        ['istio_tcp_sent_bytes_total', sent],
        ['istio_tcp_received_bytes_total', received],
      ],
    };
  };

  const trafficOf = (record: StreamRecord): Traffic | undefined => {
    const sources = reporters[reporterOf(record)];
    const source = parties.source(record);
    const destination = parties.destination(record);
    let destinations = sources.get(source);
    let traffic = destinations?.get(destination);
    if (traffic !== undefined) return traffic;
    if (registry.full) return undefined;
    if (destinations === undefined) sources.set(source, (destinations = new Map<IstioParty, Traffic>()));
    destinations.set(destination, (traffic = { http: new Map(), tcp: new Map() }));
    return traffic;
  };

  const labelsIn = (record: StreamRecord): Labels =>
    labelsOf(record, parties.source(record), parties.destination(record));

  /** The series of the record's outcome; made when it is the first. `undefined`: the registry is full. */
  const httpOf = (record: StreamRecord): HttpSeries | undefined => {
    const traffic = trafficOf(record);
    if (traffic === undefined) return undefined;
    const key = `${record.status} ${record.grpcStatus} ${securityOf(record)} ${flagsOf(record)}`;
    let series = traffic.http.get(key);
    if (series === undefined && !registry.full) traffic.http.set(key, (series = newHttp(labelsIn(record))));
    return series;
  };

  const tcpOf = (record: StreamRecord): TcpSeries | undefined => {
    const traffic = trafficOf(record);
    if (traffic === undefined) return undefined;
    const key = `${securityOf(record)} ${flagsOf(record)}`;
    let series = traffic.tcp.get(key);
    if (series === undefined && !registry.full) traffic.tcp.set(key, (series = newTcp(labelsIn(record))));
    return series;
  };

  const forget = ({ instruments }: Series): void => {
    for (const [name, made] of instruments) registry.forget(name, made);
  };

  return {
    name: 'istio',
    record(record) {
      const epochMs = record.startEpochMs + record.durationMs;
      if (record.kind === 'tcp') {
        if (record.protocol === 'UDP') return; // of no connection, and counted by its listener
        const series = tcpOf(record);
        if (series === undefined) return registry.dropped(1);
        series.lastEpochMs = epochMs;
        series.opened.add();
        series.closed.add();
        series.sent.add(record.bytesSent);
        series.received.add(record.bytesReceived);
        return;
      }
      const series = httpOf(record);
      if (series === undefined) return registry.dropped(1);
      series.lastEpochMs = epochMs;
      series.requests.add();
      series.duration.observe(record.durationMs);
      series.requestBytes.observe(record.bytesReceived);
      series.responseBytes.observe(record.bytesSent);
      if (series.messages === undefined) return;
      series.messages.request.add(record.requestMessages);
      series.messages.response.add(record.responseMessages);
    },
    exemplify(record) {
      if (record.kind === 'tcp') return;
      const duration = httpOf(record)?.duration;
      if (duration !== undefined) exemplifyDuration(registry, duration, record, record.durationMs);
    },
    owns: (metric) => Object.hasOwn(HELP, metric),
    expire(nowEpochMs) {
      const before = nowEpochMs - options.idleSeriesMs;
      for (const sources of Object.values(reporters)) {
        for (const [source, destinations] of sources) {
          for (const [destination, traffic] of destinations) {
            for (const kept of [traffic.http, traffic.tcp])
              for (const [key, series] of kept) {
                if (series.lastEpochMs >= before) continue;
                kept.delete(key);
                forget(series);
              }
            if (traffic.http.size + traffic.tcp.size === 0) destinations.delete(destination);
          }
          if (destinations.size === 0) sources.delete(source);
        }
      }
    },
  };
}

const reporterOf = (record: StreamRecord): 'source' | 'destination' =>
  record.direction === 'inbound' ? 'destination' : 'source';

const flagsOf = (record: StreamRecord): string =>
  record.flags.length === 0
    ? '-'
    : record.flags.length === 1
      ? (record.flags[0] as string)
      : record.flags.join(',');

/** Of the hop between two workloads: towards the caller on the inbound side, towards the endpoint on the other. */
function securityOf(record: StreamRecord): 'mutual_tls' | 'none' {
  const proven = record.direction === 'inbound' ? record.peerIdentity : record.upstreamIdentity;
  return proven === undefined ? 'none' : 'mutual_tls';
}
