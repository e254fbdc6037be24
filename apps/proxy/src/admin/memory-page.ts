import { parseMetrics } from './stats/metrics-text.ts';

/**
 * `envoy.admin.v3.Memory`, of all engine processes together: what is in use of the JavaScript heap, and resident memory; there is no tcmalloc
 * to ask for more.
 * @param metrics page of metrics
 */
export function memoryPage(metrics: string): unknown {
  const families = parseMetrics(metrics);
  const sumOf = (name: string): string =>
    String(
      families
        .filter((family) => family.name === name)
        .flatMap(({ samples }) => samples)
        .reduce((sum, { value }) => sum + value, 0),
    );
  const resident = sumOf('process_resident_memory_bytes');
  return {
    allocated: sumOf('nodejs_heap_size_used_bytes'),
    heap_size: resident,
    pageheap_unmapped: '0',
    pageheap_free: '0',
    total_thread_cache: '0',
    total_physical_bytes: resident,
  };
}
