import type { StreamRecord } from '@tulle/telemetry';
import type { SpanEvent } from './span.ts';

/** When bytes came and went, in Envoy's names (its `verbose` tracing). What did not happen is left out. */
export function byteEvents(record: StreamRecord): readonly SpanEvent[] {
  const { times, startEpochMs, firstByteMs, durationMs } = record;
  if (times === undefined) return [];
  const events: (readonly [name: string, atMs: number])[] = [
    ['last_downstream_rx_byte_received', times.requestEndMs],
    ['first_upstream_tx_byte_sent', times.connectedMs],
    ['last_upstream_tx_byte_sent', times.requestSentMs],
    ['first_upstream_rx_byte_received', times.responseHeadMs],
    ['first_downstream_tx_byte_sent', firstByteMs],
    ['last_downstream_tx_byte_sent', firstByteMs < 0 ? -1 : durationMs],
  ];
  return events
    .filter(([, atMs]) => atMs >= 0)
    .toSorted(([, one], [, other]) => one - other)
    .map(([name, atMs]) => ({ name, epochMs: startEpochMs + atMs }));
}
