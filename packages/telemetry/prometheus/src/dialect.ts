import type { StreamRecord } from '@tulle/telemetry';

/**
 * A vocabulary of metric names and labels on top of the one record. The native one is {@link nativeDialect}; others
 * (those of Istio, Linkerd, Envoy) are further factories of this shape over the same registry.
 */
export interface Dialect {
  readonly name: string;
  /** Counts one record. Called for each stream; must not throw or keep the record. */
  record(record: StreamRecord): void;
  /** Forgets series that no traffic has touched for the idle time. Called before each scrape. */
  expire(nowEpochMs: number): void;
}
