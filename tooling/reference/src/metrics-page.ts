import { code, page, table } from './markdown.ts';
import { directoryOf } from './source/program.ts';
import { findMetrics } from './source/metrics.ts';

/** `docs/reference/metrics.md`: every metric of the sources, by the package that makes it. */
export function metricsPage(): string {
  const { metrics, unresolved } = findMetrics();
  const packages = Map.groupBy(metrics, (metric) => metric.packageName);
  const parts = [...packages.keys()].toSorted().map((name) =>
    [
      `## ${name}`,
      `Made in [${directoryOf(name)}](../../${directoryOf(name)}).`,
      table(
        ['metric', 'type', 'labels', 'what it counts'],
        (packages.get(name) ?? []).map((metric) => [
          code(metric.name),
          metric.type,
          metric.labels.map(code).join(', ') || '–',
          metric.help.replace(/\.$/, ''),
        ]),
      ),
    ].join('\n\n'),
  );
  return page(
    'Metrics',
    'the calls of the meter in the sources',
    `A proxy with a metrics exporter shows them on its admin interface at \`/stats/prometheus\`, the control plane at \`/metrics\` of
its API. A histogram has the usual \`_bucket\`, \`_sum\` and \`_count\`. Names follow Prometheus: base units, \`_total\` for what only
grows; those of clusters and listeners are Envoy's with another prefix.`,
    ...parts,
    ...(unresolved.length === 0
      ? []
      : [`Named at run time only, so not listed: ${unresolved.map((place) => code(place)).join(', ')}.`]),
  );
}
