import type { Counter, Meter } from '@tulle/telemetry';

/** Counters of a cluster's health checks, made only where there are any; names as Envoy's operators know them. */
export class HealthCheckMetrics {
  readonly attempts: Counter;
  readonly successes: Counter;
  readonly failures: Counter;
  readonly networkFailures: Counter;
  readonly #stop: () => void;

  constructor(meter: Meter, cluster: string, healthy: () => number) {
    const labels = { cluster };
    const counter = (what: string, help: string): Counter =>
      meter.counter(`tulle_cluster_health_check_${what}_total`, { help, labels });
    this.attempts = counter('attempt', 'Health checks begun');
    this.successes = counter('success', 'Health checks that an endpoint passed');
    this.failures = counter('failure', 'Health checks that an endpoint failed');
    this.networkFailures = counter(
      'network_failure',
      'Health checks failed for want of a connection, of a whole answer, or of time',
    );
    this.#stop = meter.observed(
      'tulle_cluster_health_check_healthy',
      { help: 'Endpoints that passed their health check', labels },
      healthy,
    );
  }

  close(): void {
    this.#stop();
  }
}
