import type { Registry } from '@tulle/metrics';
import type { Histogram, StreamRecord } from '@tulle/telemetry';

/** Shows a sampled stream as an exemplar: whoever wonders about a bucket finds a trace in it. */
export function exemplifyDuration(
  registry: Registry,
  histogram: Histogram,
  record: StreamRecord,
  value: number,
): void {
  const labels = { trace_id: record.traceId, span_id: record.spanId };
  registry.exemplify(histogram, value, labels, record.startEpochMs + record.durationMs);
}
