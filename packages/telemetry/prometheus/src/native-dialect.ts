import type { AttemptRecord, Counter, Histogram, Labels, StreamRecord } from '@tulle/telemetry';
import type { Registry } from '@tulle/metrics';
import { createParties, type Destination, type SelfLabels, type Source } from '@tulle/parties';
import type { Dialect } from './dialect.ts';
import { exemplifyDuration } from './exemplar.ts';

/** How the native dialect counts. */
export interface NativeDialectOptions {
  readonly self: SelfLabels;
  /** Bounds of the duration histograms in seconds. */
  readonly buckets: readonly number[];
  /** Series without traffic for so long are forgotten. */
  readonly idleSeriesMs: number;
}

/** Series of one (listener, route, cluster, source, destination). */
interface Traffic {
  readonly labels: Labels;
  lastEpochMs: number;
  success: Histogram | undefined;
  failure: Histogram | undefined;
  readonly received: Counter;
  readonly sent: Counter;
  /** By status, gRPC status and security in one number; by text when there are flags or an error code. */
  readonly plain: Map<number, Counter>;
  readonly flagged: Map<string, Counter>;
}

/** Series of the attempts against one cluster. */
interface Attempts {
  lastEpochMs: number;
  readonly duration: Histogram;
  readonly answered: Map<number, Counter>;
  readonly failed: Map<string, Counter>;
  readonly retries: Counter;
  readonly refused: Map<string, Counter>;
}

/** Highest status of grpc/doc/statuscodes.md. */
const MAX_GRPC_STATUS = 16;

/** Seconds. A proxy that works adds less than a millisecond, so these are finer than those of requests. */
const ADDED_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

const SECURITY = ['none', 'tls', 'mutual_tls'] as const;

const HELP = {
  tulle_requests_total: 'Requests completed, by who called whom and how it ended.',
  tulle_request_duration_seconds: 'First byte of the request to last byte of the response.',
  tulle_proxy_added_latency_seconds:
    'Time of a request inside the proxy until its response begins, without that of the endpoint that answered: filters, waiting, attempts that failed before. What happens within one turn of the event loop counts as nothing.',
  tulle_request_body_bytes_total: 'Request body bytes received from callers.',
  tulle_response_body_bytes_total: 'Response body bytes sent to callers.',
  tulle_tcp_connections_total: 'TCP connections that have ended, by who called whom and how.',
  tulle_tcp_connection_duration_seconds: 'Life of a proxied TCP connection.',
  tulle_tcp_received_bytes_total: 'Bytes received from callers over TCP.',
  tulle_tcp_sent_bytes_total: 'Bytes sent to callers over TCP.',
  tulle_upstream_attempts_total: 'Tries against single endpoints; one request may take several.',
  tulle_upstream_attempt_duration_seconds: 'One try, from its start to its response head or failure.',
  tulle_upstream_retries_total: 'Tries after the first.',
  tulle_upstream_retries_refused_total:
    'Retries that were wanted and not made, by reason (budget, limit, unsafe, replay, timeout).',
} as const;
type Name = keyof typeof HELP;

/**
 * Rate, errors, duration for every (route, caller, called service and version). A stream is a `failure` by its gRPC
 * status where it has one, else from HTTP 500 up, or when the caller saw no status at all (as Linkerd classifies).
 */
export function nativeDialect(registry: Registry, options: NativeDialectOptions): Dialect {
  const parties = createParties(options.self);
  // A tree rather than one joined key: each level is a lookup of a string or object that already exists.
  const tree = new Map<string, Map<string, Map<string, Map<Destination, Map<Source, Traffic>>>>>();
  const clusters = new Map<string, Attempts>();
  const added = new Map<StreamRecord['direction'], Histogram>();

  const counter = (name: Name, labels: Labels): Counter =>
    registry.counter(name, { help: HELP[name], labels });
  const histogram = (name: Name, labels: Labels): Histogram =>
    registry.histogram(name, { help: HELP[name], labels, buckets: options.buckets });

  const addedIn = (direction: StreamRecord['direction']): Histogram => {
    let found = added.get(direction);
    if (found === undefined) {
      const name = 'tulle_proxy_added_latency_seconds';
      found = registry.histogram(name, { help: HELP[name], labels: { direction }, buckets: ADDED_BUCKETS });
      if (registry.holds(found)) added.set(direction, found);
    }
    return found;
  };

  const newTraffic = (record: StreamRecord, source: Source, destination: Destination): Traffic => {
    const labels: Labels = {
      direction: record.direction,
      listener: record.listener,
      route: record.routeName,
      cluster: record.cluster,
      source_workload: source.workload,
      source_namespace: source.namespace,
      destination_service: destination.service,
      destination_workload: destination.workload,
      destination_namespace: destination.namespace,
      destination_version: destination.version,
    };
    const tcp = record.kind === 'tcp';
    return {
      labels,
      lastEpochMs: 0,
      success: undefined,
      failure: undefined,
      received: counter(tcp ? 'tulle_tcp_received_bytes_total' : 'tulle_request_body_bytes_total', labels),
      sent: counter(tcp ? 'tulle_tcp_sent_bytes_total' : 'tulle_response_body_bytes_total', labels),
      plain: new Map(),
      flagged: new Map(),
    };
  };

  const newOutcome = (traffic: Traffic, record: StreamRecord, failed: boolean, security: number): Counter => {
    const ending = {
      outcome: failed ? 'failure' : 'success',
      flags: record.flags.join(','),
      code: record.code,
      connection_security: SECURITY[security] as string,
    };
    if (record.kind === 'tcp')
      return counter('tulle_tcp_connections_total', { ...traffic.labels, ...ending });
    return counter('tulle_requests_total', {
      ...traffic.labels,
      ...ending,
      response_code: String(record.status),
      grpc_status: record.grpcStatus < 0 ? '' : String(record.grpcStatus),
      protocol: record.grpcStatus < 0 ? 'http' : 'grpc',
    });
  };

  const outcome = (traffic: Traffic, record: StreamRecord, failed: boolean): Counter => {
    const security = securityOf(record);
    if (record.code === '' && record.flags.length === 0 && record.grpcStatus <= MAX_GRPC_STATUS) {
      const number = (record.status * 32 + record.grpcStatus + 1) * 4 + security;
      return (
        traffic.plain.get(number) ??
        keep(traffic.plain, number, newOutcome(traffic, record, failed, security))
      );
    }
    const key = `${record.status}|${record.grpcStatus}|${security}|${record.code}|${record.flags.join(',')}`;
    return (
      traffic.flagged.get(key) ?? keep(traffic.flagged, key, newOutcome(traffic, record, failed, security))
    );
  };

  /** An instrument past the bound is not remembered, so that the next request asks again. */
  const keep = <K>(map: Map<K, Counter>, key: K, made: Counter): Counter => {
    if (registry.holds(made)) map.set(key, made);
    return made;
  };

  const duration = (traffic: Traffic, record: StreamRecord, failed: boolean): Histogram => {
    const known = failed ? traffic.failure : traffic.success;
    if (known !== undefined) return known;
    const name =
      record.kind === 'tcp' ? 'tulle_tcp_connection_duration_seconds' : 'tulle_request_duration_seconds';
    const made = histogram(name, { ...traffic.labels, outcome: failed ? 'failure' : 'success' });
    if (registry.holds(made)) {
      if (failed) traffic.failure = made;
      else traffic.success = made;
    }
    return made;
  };

  const countAttempt = (attempt: AttemptRecord, first: boolean, epochMs: number): Attempts | undefined => {
    const { cluster } = attempt;
    let of = clusters.get(cluster);
    if (of === undefined) {
      if (registry.full) {
        registry.dropped(1);
        return undefined;
      }
      of = {
        lastEpochMs: 0,
        duration: histogram('tulle_upstream_attempt_duration_seconds', { cluster }),
        answered: new Map(),
        failed: new Map(),
        retries: counter('tulle_upstream_retries_total', { cluster }),
        refused: new Map(),
      };
      clusters.set(cluster, of);
    }
    of.lastEpochMs = epochMs;
    of.duration.observe(attempt.durationMs / 1000);
    if (!first) of.retries.add(1);
    const answered = attempt.failure === '';
    const result = answered
      ? (of.answered.get(attempt.status) ??
        keep(
          of.answered,
          attempt.status,
          counter('tulle_upstream_attempts_total', {
            cluster,
            response_code: String(attempt.status),
            failure: '',
          }),
        ))
      : (of.failed.get(attempt.failure) ??
        keep(
          of.failed,
          attempt.failure,
          counter('tulle_upstream_attempts_total', { cluster, response_code: '', failure: attempt.failure }),
        ));
    result.add(1);
    return of;
  };

  return {
    name: 'native',
    record(record) {
      if (record.protocol === 'UDP') return; // of no connection, and counted by its listener
      const source = parties.source(record);
      const destination = parties.destination(record);
      const leaves = child(
        child(child(child(tree, record.listener), record.routeName), record.cluster),
        destination,
      );
      let traffic = leaves.get(source);
      if (traffic === undefined) {
        if (registry.full) {
          registry.dropped(1);
          return;
        }
        leaves.set(source, (traffic = newTraffic(record, source, destination)));
      }
      const epochMs = record.startEpochMs + record.durationMs;
      traffic.lastEpochMs = epochMs;
      const failed = isFailure(record);
      outcome(traffic, record, failed).add(1);
      if (record.bytesReceived > 0) traffic.received.add(record.bytesReceived);
      if (record.bytesSent > 0) traffic.sent.add(record.bytesSent);
      duration(traffic, record, failed).observe(record.durationMs / 1000);
      if (record.upstreamServiceMs >= 0 && record.firstByteMs >= 0)
        addedIn(record.direction).observe(Math.max(0, record.firstByteMs - record.upstreamServiceMs) / 1000);

      const { attempts } = record;
      let last: Attempts | undefined;
      for (let i = 0; i < attempts.length; i++)
        last = countAttempt(attempts[i] as AttemptRecord, i === 0, epochMs);
      if (last !== undefined && record.retryRefused !== '') {
        const { cluster } = attempts[attempts.length - 1] as AttemptRecord;
        const reason = record.retryRefused;
        const refused =
          last.refused.get(reason) ??
          keep(last.refused, reason, counter('tulle_upstream_retries_refused_total', { cluster, reason }));
        refused.add(1);
      }
    },
    exemplify(record) {
      const traffic = tree
        .get(record.listener)
        ?.get(record.routeName)
        ?.get(record.cluster)
        ?.get(parties.destination(record))
        ?.get(parties.source(record));
      const histogram = isFailure(record) ? traffic?.failure : traffic?.success;
      if (histogram !== undefined) exemplifyDuration(registry, histogram, record, record.durationMs / 1000);
    },
    owns: (metric) => Object.hasOwn(HELP, metric),
    expire(nowEpochMs) {
      const before = nowEpochMs - options.idleSeriesMs;
      for (const [listener, routes] of tree) {
        for (const [route, byCluster] of routes) {
          for (const [cluster, byDestination] of byCluster) {
            for (const [destination, leaves] of byDestination) {
              for (const [source, traffic] of leaves) {
                if (traffic.lastEpochMs >= before) continue;
                leaves.delete(source);
                forgetTraffic(registry, traffic);
              }
              if (leaves.size === 0) byDestination.delete(destination);
            }
            if (byDestination.size === 0) byCluster.delete(cluster);
          }
          if (byCluster.size === 0) routes.delete(route);
        }
        if (routes.size === 0) tree.delete(listener);
      }
      for (const [cluster, of] of clusters) {
        if (of.lastEpochMs >= before) continue;
        clusters.delete(cluster);
        registry.forget('tulle_upstream_attempt_duration_seconds', of.duration);
        registry.forget('tulle_upstream_retries_total', of.retries);
        for (const c of [...of.answered.values(), ...of.failed.values()])
          registry.forget('tulle_upstream_attempts_total', c);
        for (const c of of.refused.values()) registry.forget('tulle_upstream_retries_refused_total', c);
      }
    },
  };
}

function child<K, C, V>(map: Map<K, Map<C, V>>, key: K): Map<C, V> {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = new Map<C, V>()));
  return found;
}

function isFailure(record: StreamRecord): boolean {
  if (record.kind === 'tcp') return record.code !== '';
  if (record.grpcStatus >= 0) return record.grpcStatus !== 0;
  return record.status >= 500 || record.status === 0;
}

/** Of the hop between two workloads: towards the caller on the inbound side, towards the endpoint on the outbound one. */
function securityOf(record: StreamRecord): number {
  if (record.direction === 'outbound') return record.upstreamIdentity === undefined ? 0 : 2;
  return record.peerIdentity !== undefined ? 2 : record.tls ? 1 : 0;
}

function forgetTraffic(registry: Registry, traffic: Traffic): void {
  // A name that does not hold the instrument ignores it, so both kinds may be asked.
  for (const c of [...traffic.plain.values(), ...traffic.flagged.values()]) {
    registry.forget('tulle_requests_total', c);
    registry.forget('tulle_tcp_connections_total', c);
  }
  for (const h of [traffic.success, traffic.failure]) {
    if (h === undefined) continue;
    registry.forget('tulle_request_duration_seconds', h);
    registry.forget('tulle_tcp_connection_duration_seconds', h);
  }
  registry.forget('tulle_request_body_bytes_total', traffic.received);
  registry.forget('tulle_tcp_received_bytes_total', traffic.received);
  registry.forget('tulle_response_body_bytes_total', traffic.sent);
  registry.forget('tulle_tcp_sent_bytes_total', traffic.sent);
}
