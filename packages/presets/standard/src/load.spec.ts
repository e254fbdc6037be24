import { expect, it } from 'vitest';
import { standardFilters } from './index.ts';
import { loadStandardFilters, loadStandardTelemetry, STANDARD_FILTER_IDS } from './load.ts';

it('knows every filter that ships without loading it, and loads what is asked for', async () => {
  expect(STANDARD_FILTER_IDS.toSorted()).toEqual(
    standardFilters.map(({ definition }) => definition.id).toSorted(),
  );
  const loaded = await loadStandardFilters();
  expect(loaded.map(({ definition }) => definition.id)).toEqual(STANDARD_FILTER_IDS);
  // Their versions are not told, so that nobody has to load one for them.
  for (const { definition } of loaded) expect(definition.version).toBeUndefined();
  expect(await loadStandardFilters(['tulle.http.jwt'])).toEqual([
    loaded[STANDARD_FILTER_IDS.indexOf('tulle.http.jwt')],
  ]);
});

it('has the exporters that are asked for, alone or counting in one place', async () => {
  expect((await loadStandardTelemetry({})).map(({ name }) => name)).toEqual(['access-loggers', 'tracers']);
  const accessLog = { to: { fd: 1 } };
  const otlp = { env: {}, endpoint: 'http://127.0.0.1:9', timeoutMs: 100 };
  const all = await loadStandardTelemetry({ prometheus: { processMetrics: false }, accessLog, otlp });
  const page = [...(all[0]?.adminPages?.[0]?.render(new URLSearchParams()) ?? [])].join('');
  expect(page).toContain('tulle_access_log_lines_total 0');
  expect(page).toContain('tulle_otlp_spans_queued 0');
  const alone = await loadStandardTelemetry({ accessLog, otlp });
  expect(alone.map(({ name }) => name)).toEqual(['access-log', 'otlp', 'access-loggers', 'tracers']);
  expect(alone.some(({ meter }) => meter !== undefined)).toBe(false);
  for (const plugin of [...all, ...alone]) await plugin.sink?.close?.();
});
