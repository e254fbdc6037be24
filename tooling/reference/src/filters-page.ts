import { ERROR_TABLE, type AnyConnFilter, type AnyHttpFilter } from '@tulle/filter';
import { optionTable } from '@tulle/schema';
import { standardFilters } from '@tulle/standard';
import { anchor, code, page, table } from './markdown.ts';
import { findFilterSources } from './source/filters.ts';
import { findMetrics } from './source/metrics.ts';
import { directoryOf } from './source/program.ts';

const EFFECTS = {
  none: 'none: it decides from the request and its configuration alone, so a dry run may call it',
  local: 'local: it changes something in this process, such as a token taken',
  external: 'external: it calls somebody else',
} as const;

/** When a filter runs, in words. */
function runs(definition: (AnyHttpFilter | AnyConnFilter)['definition']): string {
  if (definition.kind === 'connection') return 'once a connection';
  if (definition.scope === 'attempt')
    return 'for each attempt, inside the retry loop, with an endpoint chosen';
  if (definition.stage === 'before-route') return 'once a stream, before routing';
  return `once a stream, after routing${definition.unrouted === true ? ', and for requests that match no route' : ''}`;
}

/** `docs/reference/filters.md`: the filters that ship. */
export function filtersPage(): string {
  const sources = findFilterSources();
  const { metrics } = findMetrics();
  const filters = standardFilters
    .map(({ definition }) => ({ definition, source: sources.get(definition.id) }))
    .toSorted((a, b) => (a.definition.id < b.definition.id ? -1 : 1));
  const sections = filters.map(({ definition, source }) => {
    if (source === undefined)
      throw new Error(`the sources of ${definition.id} are not below packages/filters`);
    const { packageName, hooks, codes } = source;
    const own = metrics.filter((metric) => metric.packageName === packageName);
    const override = 'routeConfig' in definition ? definition.routeConfig?.jsonSchema : undefined;
    return [
      `## ${definition.id}`,
      definition.summary ?? '',
      table(
        ['', ''],
        [
          ['package', `[\`${packageName}\`](../../${directoryOf(packageName)})`],
          ['runs', runs(definition)],
          [
            'phase in a chain made from resources',
            code(definition.kind === 'connection' ? 'connection' : (definition.phase ?? 'custom')),
          ],
          ['hooks', hooks.map(code).join(', ')],
          ['effects', EFFECTS[definition.effects ?? 'local']],
          [
            'error codes',
            codes
              .map((one) => `[\`${one}\`](errors.md#${one.toLowerCase()}) (${ERROR_TABLE[one].http})`)
              .join(', ') || '–',
          ],
        ],
      ),
      '### Options',
      optionTable(definition.config.jsonSchema),
      ...(override === undefined
        ? definition.kind === 'connection'
          ? []
          : ['A route cannot override it.']
        : JSON.stringify(override) === JSON.stringify(definition.config.jsonSchema)
          ? ['A route may override all of them.']
          : ['#### What a route may override', optionTable(override)]),
      ...(own.length === 0
        ? []
        : [
            '### Metrics',
            table(
              ['metric', 'type', 'labels', 'what it counts'],
              own.map(({ name, type, labels, help }) => [
                code(name),
                type,
                labels.map(code).join(', '),
                help,
              ]),
            ),
          ]),
    ].join('\n\n');
  });
  return page(
    'Filters',
    'the definitions and sources of the standard filters',
    `The filters that ship. Each is a package with examples in its README; [write a filter](../guides/write-a-filter.md) says how to make
your own.`,
    filters
      .map(({ definition: { id, summary } }) => `- [${id}](#${anchor(id)}): ${summary ?? ''}`)
      .join('\n'),
    ...sections,
  );
}
