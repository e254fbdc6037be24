import type { Engine } from '../../engine.ts';
import type { Counter, Meter } from '@tulle/telemetry';

/** Counters of a cluster's health checks, made only where there are any; names as Envoy's operators know them. */
export class HealthCheckMetrics {
  readonly attempts: Counter;
  readonly successes: Counter;
  readonly failures: Counter;
  readonly networkFailures: Counter;
  readonly #stop: () => void;

  /** @param check name of the check, where a cluster has several @param healthy how many endpoints passed it */
  constructor(meter: Meter, cluster: string, check: string | undefined, healthy: () => number) {
    const labels = check === undefined ? { cluster } : { cluster, check };
    const counter = (what: string, help: string): Counter =>
      meter.counter(`tulle_cluster_health_check_${what}_total`, { help, labels });
    this.attempts = counter('attempt', 'Health checks begun');
    this.successes = counter('success', 'Health checks that an endpoint passed');
    this.failures = counter('failure', 'Health checks that an endpoint failed');
    this.networkFailures = counter(
      'network_failure',
      'Health checks failed for want of a connection, of a whole answer, or of time',
    );
    this.#stop = observed(meter, labels, healthy);
  }

  close(): void {
    this.#stop();
  }
}

/** How many endpoints passed all checks of a cluster that has several. @returns ends it */
export function observeHealthy(cluster: {
  readonly engine: Engine;
  readonly name: string;
  readonly own: { readonly endpoints: readonly { readonly check: string }[] };
}): () => void {
  return observed(cluster.engine.meter, { cluster: cluster.name }, () =>
    cluster.own.endpoints.reduce((sum, { check }) => sum + (check === 'passed' ? 1 : 0), 0),
  );
}

function observed(meter: Meter, labels: Readonly<Record<string, string>>, healthy: () => number): () => void {
  return meter.observed(
    'tulle_cluster_health_check_healthy',
    { help: 'Endpoints that passed their health check', labels },
    healthy,
  );
}
