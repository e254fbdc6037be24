import type { AdminPage, TelemetryPlugin } from '@tulle/telemetry';
import {
  CONTENT_TYPES,
  createRegistry,
  DEFAULT_BUCKETS,
  renderText,
  type Registry,
  type TextFormat,
} from '@tulle/metrics';
import type { SelfLabels } from '@tulle/parties';
import { nativeDialect } from './native-dialect.ts';
import { observeProcess } from './process-metrics.ts';

/** Options of {@link prometheus}. */
export interface PrometheusOptions {
  /** The proxy's own workload: source of what it sends, destination of what it receives. Default: `unknown`. */
  readonly self?: SelfLabels;
  /** Series kept at most. Default 10,000, see `RegistryOptions` of `@tulle/metrics`. */
  readonly maxSeries?: number;
  /**
   * Traffic series that nothing has touched for so long are forgotten at the next scrape, so that callers and versions
   * that are gone do not fill the bound. Default 600,000 (10 min, as Linkerd's proxy). 0 keeps them.
   */
  readonly idleSeriesMs?: number;
  /** Upper bounds of the duration histograms, seconds, ascending. Default 0.5 ms to 10 s in 14 steps. */
  readonly buckets?: readonly number[];
  /** Report `process_*` of this process. Default true. */
  readonly processMetrics?: boolean;
  /** Version shown by `tulle_build_info`; absent: no such metric. */
  readonly buildVersion?: string;
  /** Path of the text page. Default `/stats/prometheus`; OpenMetrics is beside it at `/stats/openmetrics`. */
  readonly path?: string;
  /** Wall clock for the idle time; tests bring their own. Default `Date.now`. */
  readonly epochMs?: () => number;
}

/** The exporter: a plugin with its meter, sink and pages always there. */
export interface PrometheusPlugin extends TelemetryPlugin {
  readonly meter: Registry;
  readonly sink: NonNullable<TelemetryPlugin['sink']>;
  readonly adminPages: readonly AdminPage[];
}

/**
 * Metrics in Prometheus text: `createProxy({ telemetry: [prometheus()] })`, then scrape `/stats/prometheus` of the
 * admin interface. Also the proxy's meter: what the engine and its filters count is on the same page.
 */
export function prometheus(options: PrometheusOptions = {}): PrometheusPlugin {
  const registry = createRegistry(options.maxSeries === undefined ? {} : { maxSeries: options.maxSeries });
  const idleSeriesMs = options.idleSeriesMs ?? 600_000;
  const epochMs = options.epochMs ?? Date.now;
  const dialect = nativeDialect(registry, {
    self: options.self ?? {},
    buckets: options.buckets ?? DEFAULT_BUCKETS,
    idleSeriesMs,
  });
  if (idleSeriesMs > 0) registry.beforeRead(() => dialect.expire(epochMs()));
  if (options.processMetrics ?? true) observeProcess(registry);
  if (options.buildVersion !== undefined) {
    registry
      .gauge('tulle_build_info', {
        help: 'Always 1; the label says which build runs.',
        labels: { version: options.buildVersion },
      })
      .set(1);
  }
  const page = (path: string, format: TextFormat, help: string): AdminPage => ({
    path,
    contentType: CONTENT_TYPES[format],
    help,
    render() {
      registry.prepare();
      return renderText(registry, format);
    },
  });
  return {
    name: 'prometheus',
    meter: registry,
    sink: { name: 'prometheus', record: (record) => dialect.record(record) },
    adminPages: [
      page(options.path ?? '/stats/prometheus', 'prometheus', 'metrics in Prometheus text format 0.0.4'),
      page('/stats/openmetrics', 'openmetrics', 'the same metrics as OpenMetrics 1.0'),
    ],
  };
}
