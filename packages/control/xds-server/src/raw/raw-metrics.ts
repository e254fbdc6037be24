import type { Counter, Meter } from '@tulle/telemetry';
import { SHORT_TYPES, shortTypeOf } from './resource-types.ts';

/** Instruments of an xDS server of raw resources. */
export interface RawMetrics {
  sent(typeUrl: string, resources: number, bytes: number): void;
  answered(typeUrl: string, ok: boolean): void;
  refused(): void;
  fault(): void;
  backpressure(): void;
  close(): void;
}

/** Types without a word of their own are one: a client may name types without end. */
const OTHER = 'other';

export function createRawMetrics(meter: Meter, streams: () => number, nodes: () => number): RawMetrics {
  const byType = (name: string, help: string): ((typeUrl: string) => Counter) => {
    const counters = new Map(
      [...SHORT_TYPES, OTHER].map((type) => [type, meter.counter(name, { help, labels: { type } })]),
    );
    return (typeUrl) => (counters.get(shortTypeOf(typeUrl)) ?? counters.get(OTHER)) as Counter;
  };
  const resources = byType('tulle_xds_raw_resources_sent_total', 'Resources sent as they were put');
  const bytes = byType(
    'tulle_xds_raw_sent_bytes_total',
    'Bytes of responses with resources as they were put',
  );
  const acks = byType('tulle_xds_raw_acks_total', 'Responses that clients took');
  const nacks = byType('tulle_xds_raw_nacks_total', 'Responses that clients refused');
  const refused = meter.counter('tulle_xds_raw_refused_streams_total', {
    help: 'Streams for resources as they were put that were not admitted',
  });
  const faults = meter.counter('tulle_xds_raw_stream_faults_total', {
    help: 'Streams for resources as they were put that ended because a bound or the protocol was broken',
  });
  const waits = meter.counter('tulle_xds_raw_backpressure_total', {
    help: 'Times a stream for resources as they were put waited for a slow client',
  });
  const stop = [
    meter.observed('tulle_xds_raw_streams', { help: 'Open streams for resources as they were put' }, streams),
    meter.observed('tulle_xds_raw_nodes', { help: 'Nodes with a set of resources' }, nodes),
  ];
  return {
    sent(typeUrl, count, size) {
      resources(typeUrl).add(count);
      bytes(typeUrl).add(size);
    },
    answered: (typeUrl, ok) => (ok ? acks : nacks)(typeUrl).add(),
    refused: () => refused.add(),
    fault: () => faults.add(),
    backpressure: () => waits.add(),
    close: () => stop.forEach((one) => one()),
  };
}
