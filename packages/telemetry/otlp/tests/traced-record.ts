import type { StreamRecord } from '@tulle/telemetry';
import { streamRecord } from '@tulle/testkit';

/** A completed request that spans are made of: one of its own, one of its attempt. */
export function tracedRecord(change: Partial<StreamRecord> = {}): StreamRecord {
  const record = streamRecord();
  return {
    ...record,
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    sampled: true,
    traceFlags: 3,
    attempts: record.attempts.map((attempt) => ({ ...attempt, spanId: '00f067aa0ba902b7' })),
    ...change,
  };
}
