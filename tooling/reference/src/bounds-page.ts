import { BOUND_METRICS } from './bound-metrics.ts';
import { code, page, table } from './markdown.ts';
import { type Bound, findBounds } from './source/bounds.ts';

const METRIC_IN_DOC = /\s*Metric `([^`]+)`\.?/;

/** The metric that counts when a bound bites, or `''`. */
export function metricOf(bound: Bound): string {
  return METRIC_IN_DOC.exec(bound.doc)?.[1] ?? BOUND_METRICS[`${bound.owner}.${bound.name}`] ?? '';
}

/** `docs/reference/bounds.md`: what is bounded, by which option, from which value on, and how one sees it. */
export function boundsPage(): string {
  const packages = Map.groupBy(findBounds(), (bound) => bound.packageName);
  const parts = [...packages.keys()].toSorted().map((name) => {
    const bounds = packages.get(name) ?? [];
    const options = bounds.filter((bound) => bound.owner !== '');
    const fixed = bounds.filter((bound) => bound.owner === '');
    return [
      `## ${name}`,
      ...(options.length === 0
        ? []
        : [
            table(
              ['option', 'of', 'meaning, default and why', 'metric'],
              options.map((bound) => [
                code(bound.name),
                code(bound.owner),
                bound.doc.replace(METRIC_IN_DOC, ''),
                code(metricOf(bound)),
              ]),
            ),
          ]),
      ...(fixed.length === 0
        ? []
        : [
            table(
              ['fixed', 'value and why'],
              fixed.map((bound) => [code(bound.name), bound.doc]),
            ),
          ]),
    ].join('\n\n');
  });
  return page(
    'Bounds',
    'the docstrings of options and constants',
    `Whatever can grow or last has a bound: queues, buffers, header blocks, tables, timers. An *option* says it by name, with its default;
a *fixed* one is a constant of the sources. The metric counts, or shows, that the bound bites; \`–\` where there is none. Milliseconds
and bytes are in the names.`,
    ...parts,
  );
}
