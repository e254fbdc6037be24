import type { Meter } from '@tulle/telemetry';
import type { BatchWriterCounts } from './batch-writer.ts';

/** @returns what ends it */
export function observeCounts(
  meter: Meter | undefined,
  output: string,
  counts: Omit<BatchWriterCounts, 'lastError'>,
): (() => void)[] {
  if (meter === undefined) return [];
  const count = (name: string, help: string, read: () => number): (() => void) =>
    meter.observed(`tulle_access_log_${name}_total`, { help, labels: { output } }, read);
  return [
    count('lines', 'Lines taken by the access log.', () => counts.lines),
    count('dropped', 'Lines not written: queue full, or the target refused them.', () => counts.dropped),
    count('errors', 'Writes of the access log that failed.', () => counts.errors),
  ];
}

/**
 * Of a log that a service keeps.
 * @param logger what its statistics are called
 */
export function observeDelivery(
  meter: Meter | undefined,
  output: string,
  logger: string,
  counts: Omit<BatchWriterCounts, 'lastError'> & { readonly delivered: number },
): (() => void)[] {
  if (meter === undefined) return [];
  const count = (name: string, help: string, read: () => number): (() => void) =>
    meter.observed(`tulle_access_log_service_${name}_total`, { help, labels: { output, logger } }, read);
  return [
    ...observeCounts(meter, output, counts),
    count('delivered', 'Records that the service took.', () => counts.delivered),
    count(
      'dropped',
      'Records not delivered: too many waited, or the service refused them.',
      () => counts.dropped,
    ),
  ];
}
