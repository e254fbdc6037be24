import type { Counter, Histogram, Meter } from '@tulle/telemetry';
import type { AckReport, ResourceKind } from '../provider.ts';

/** Instruments of the service. */
export interface AdsMetrics {
  /** Streams that were not admitted. */
  readonly refused: Counter;
  /** Streams that ended because a bound or the protocol was broken. */
  readonly faults: Counter;
  /** Requests for types that are not served. */
  readonly unknownTypes: Counter;
  /** Times a stream had to wait because its client reads slowly. */
  readonly backpressure: Counter;
  /** Secrets sent, and responses with them that clients took or refused. */
  readonly secretsSent: Counter;
  readonly secretAcks: Counter;
  readonly secretNacks: Counter;
  sent(kind: ResourceKind, resources: number, bytes: number): void;
  answered(report: AckReport): void;
  close(): void;
}

const KINDS: readonly ResourceKind[] = ['cluster', 'endpoint', 'listener', 'route'];
const TYPES = { cluster: 'cds', endpoint: 'eds', listener: 'lds', route: 'rds' } as const;

export function createAdsMetrics(meter: Meter, streams: () => number): AdsMetrics {
  const byKind = <T>(make: (labels: { readonly kind: ResourceKind }) => T): Record<ResourceKind, T> =>
    Object.fromEntries(KINDS.map((kind) => [kind, make({ kind })])) as Record<ResourceKind, T>;
  const counter = (name: string, help: string) => byKind((labels) => meter.counter(name, { help, labels }));
  const resources = counter('tulle_xds_server_resources_sent_total', 'Resources sent to proxies');
  const bytes = counter('tulle_xds_server_sent_bytes_total', 'Bytes of responses sent to proxies');
  const acks = counter('tulle_xds_server_acks_total', 'Responses that proxies took');
  const nacks = counter('tulle_xds_server_nacks_total', 'Responses or parts of them that proxies refused');
  const sizes = byKind(({ kind }) =>
    meter.histogram('pilot_xds_config_size_bytes', {
      help: 'Size of a response to a proxy, under the name that dashboards of Istio ask for',
      labels: { type: TYPES[kind] },
      buckets: [1, 10_000, 1_000_000, 4_000_000, 10_000_000, 40_000_000],
    }),
  );
  const seconds: Histogram = meter.histogram('tulle_xds_server_ack_seconds', {
    help: 'Time from sending a response to its answer',
  });
  const stop = meter.observed('tulle_xds_server_streams', { help: 'Open ADS streams' }, streams);
  return {
    refused: meter.counter('tulle_xds_server_refused_streams_total', {
      help: 'ADS streams that were not admitted',
    }),
    faults: meter.counter('tulle_xds_server_stream_faults_total', {
      help: 'ADS streams ended because a bound or the protocol was broken',
    }),
    unknownTypes: meter.counter('tulle_xds_server_unknown_types_total', {
      help: 'Requests for types that are not served',
    }),
    secretsSent: meter.counter('tulle_xds_server_secrets_sent_total', {
      help: 'Trust bundles sent to clients as secrets',
    }),
    secretAcks: meter.counter('tulle_xds_server_secret_acks_total', {
      help: 'Responses with secrets that clients took',
    }),
    secretNacks: meter.counter('tulle_xds_server_secret_nacks_total', {
      help: 'Responses with secrets that clients refused',
    }),
    backpressure: meter.counter('tulle_xds_server_backpressure_total', {
      help: 'Times a stream waited for a slow proxy',
    }),
    sent(kind, count, size) {
      resources[kind].add(count);
      bytes[kind].add(size);
      sizes[kind].observe(size);
    },
    answered(report) {
      (report.ok ? acks : nacks)[report.kind].add();
      if (report.nonce !== '') seconds.observe((report.ackedAtMs - report.sentAtMs) / 1000);
    },
    close: stop,
  };
}
