import { readFileSync, readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ERROR_TABLE } from '@tulle/filter';
import { standardFilters } from '@tulle/standard';
import { BOUND_METRICS } from './bound-metrics.ts';
import { metricOf } from './bounds-page.ts';
import { pages } from './pages.ts';
import { findBounds } from './source/bounds.ts';
import { findMetrics } from './source/metrics.ts';

const directory = new URL('../../../docs/reference/', import.meta.url);

describe('the generated reference', () => {
  let made: ReadonlyMap<string, string>;
  beforeAll(async () => {
    made = await pages();
  }, 120_000); // reads and resolves the whole source: some five seconds alone, more beside other tests

  it.each([
    'bounds.md',
    'errors.md',
    'filters.md',
    'gateway-api.md',
    'metrics.md',
    'resources.md',
    'tulle.md',
  ])('docs/reference/%s is what the code says (else run `pnpm reference`)', (name) => {
    expect(readFileSync(new URL(name, directory), 'utf8')).toBe(made.get(name));
  });

  it('is all that is in docs/reference', () => {
    expect(readdirSync(directory).toSorted()).toEqual([...made.keys()]);
  });

  it('documents every error code, and every standard filter with hooks', () => {
    for (const code of Object.keys(ERROR_TABLE)) expect(made.get('errors.md')).toContain(`### ${code}\n`);
    const filters = made.get('filters.md') ?? '';
    for (const { definition } of standardFilters) expect(filters).toContain(`\n## ${definition.id}\n`);
    expect(filters).not.toContain('| hooks |  |');
  });

  it('has a name and a help for every metric of the sources', () => {
    const { metrics, unresolved } = findMetrics();
    // A WebAssembly module names its own.
    expect(unresolved).toEqual(['packages/filters/wasm/src/imports/metrics.ts']);
    expect(metrics.filter(({ help }) => help === '')).toEqual([]);
    // Made in three ways: directly, through a helper with a template, through a class's method.
    for (const name of [
      'tulle_ca_issued_total',
      'tulle_cluster_upstream_rq_total',
      'tulle_cluster_membership_healthy',
    ])
      expect(metrics.map((metric) => metric.name)).toContain(name);
    expect(metrics.find(({ name }) => name === 'tulle_tls_refused_total')?.labels).toEqual([
      'reason',
      'side',
    ]);
  });

  it('names only bounds and metrics that there are', () => {
    const bounds = new Set(findBounds().map((bound) => `${bound.owner}.${bound.name}`));
    const metrics = new Set(findMetrics().metrics.map(({ name }) => name));
    for (const bound of Object.keys(BOUND_METRICS)) expect(bounds).toContain(bound);
    const named = findBounds().flatMap((bound) => metricOf(bound).replace(/\{.*/, '') || []);
    for (const metric of new Set(named)) expect(metrics).toContain(metric);
  });
});
