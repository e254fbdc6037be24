import type { AdminPage, StreamRecord, TelemetryPlugin } from '@tulle/telemetry';
import {
  CONTENT_TYPES,
  createRegistry,
  DEFAULT_BUCKETS,
  renderText,
  type Registry,
  type TextFormat,
} from '@tulle/metrics';
import type { SelfLabels } from '@tulle/parties';
import type { Dialect } from './dialect.ts';
import { istioDialect } from './istio-dialect.ts';
import { nativeDialect } from './native-dialect.ts';
import { observeProcess } from './process-metrics.ts';

/** Vocabularies that requests can be counted in. */
export type DialectName = 'native' | 'istio';

/** Options of {@link prometheus}. */
export interface PrometheusOptions {
  /** The proxy's own workload: source of what it sends, destination of what it receives. Default: `unknown`. */
  readonly self?: SelfLabels;
  /**
   * Names and labels under which requests are counted; each costs its share of every request. Default `['native']`.
   * `istio` is what Istio's dashboards and Kiali read.
   */
  readonly dialects?: readonly DialectName[];
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
  /**
   * Path of the metrics page. Default `/stats/prometheus`. It is OpenMetrics for a scraper that prefers that, else text;
   * `/stats/openmetrics` is OpenMetrics always. With several dialects, `<path>/<dialect>` leaves the other ones out.
   */
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
  const self = options.self ?? {};
  const buckets = options.buckets ?? DEFAULT_BUCKETS;
  const dialects = [...new Set(options.dialects ?? ['native'])].map((name): Dialect =>
    name === 'istio'
      ? istioDialect(registry, { self, idleSeriesMs })
      : nativeDialect(registry, { self, buckets, idleSeriesMs }),
  );
  if (idleSeriesMs > 0)
    registry.beforeRead(() => {
      for (const dialect of dialects) dialect.expire(epochMs());
    });
  if (options.processMetrics ?? true) observeProcess(registry);
  if (options.buildVersion !== undefined)
    showBuild(
      registry,
      options.buildVersion,
      dialects.some(({ name }) => name === 'istio'),
    );
  const path = options.path ?? '/stats/prometheus';
  return {
    name: 'prometheus',
    meter: registry,
    sink: {
      name: 'prometheus',
      record: dialects.length === 1 ? recordIn(dialects[0] as Dialect) : recordInAll(dialects),
    },
    adminPages: [
      page(registry, path, 'metrics for Prometheus'),
      {
        ...form(registry, 'openmetrics'),
        path: '/stats/openmetrics',
        help: 'the same metrics as OpenMetrics 1.0',
      },
      ...(dialects.length < 2 ? [] : dialects).map((dialect) =>
        page(
          registry,
          `${path}/${dialect.name}`,
          `the same, of the request metrics only the ${dialect.name} ones`,
          (metric) => !dialects.some((other) => other !== dialect && other.owns(metric)),
        ),
      ),
    ],
  };
}

const recordIn =
  (dialect: Dialect) =>
  (record: StreamRecord): undefined => {
    dialect.record(record);
    if (record.sampled) dialect.exemplify(record);
  };

const recordInAll =
  (dialects: readonly Dialect[]) =>
  (record: StreamRecord): undefined => {
    for (const dialect of dialects) dialect.record(record);
    if (record.sampled) for (const dialect of dialects) dialect.exemplify(record);
  };

function form(
  registry: Registry,
  format: TextFormat,
  include?: (metric: string) => boolean,
): Pick<AdminPage, 'contentType' | 'render'> {
  return {
    contentType: CONTENT_TYPES[format],
    render() {
      registry.prepare();
      return renderText(registry, format, include);
    },
  };
}

function page(
  registry: Registry,
  path: string,
  help: string,
  include?: (metric: string) => boolean,
): AdminPage {
  return {
    ...form(registry, 'prometheus', include),
    path,
    help,
    alternatives: [form(registry, 'openmetrics', include)],
  };
}

function showBuild(registry: Registry, version: string, istio: boolean): void {
  registry
    .gauge('tulle_build_info', {
      help: 'Always 1; the label says which build runs.',
      labels: { version },
    })
    .set(1);
  if (istio)
    registry
      .gauge('istio_build', {
        help: 'Always 1; the labels say which build of what runs.',
        labels: { component: 'proxy', tag: version },
      })
      .set(1);
}
