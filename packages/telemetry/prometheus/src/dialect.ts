import type { StreamRecord } from '@tulle/telemetry';

/**
 * A vocabulary of metric names and labels on top of the one record: `nativeDialect`, `istioDialect`; others are further
 * factories of this shape over the same registry.
 */
export interface Dialect {
  readonly name: string;
  /** Counts one record. Called for each stream; must not throw or keep the record. */
  record(record: StreamRecord): void;
  /** Shows a sampled record as an exemplar of its duration; called after {@link record}. */
  exemplify(record: StreamRecord): void;
  /** Whether a metric is one of this vocabulary. */
  owns(metric: string): boolean;
  /** Forgets series that no traffic has touched for the idle time. Called before each scrape. */
  expire(nowEpochMs: number): void;
}
