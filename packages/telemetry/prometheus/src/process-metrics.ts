import type { Meter } from '@tulle/telemetry';

/** The names that every Prometheus client library uses for its process, read at scrape. */
export function observeProcess(meter: Meter): void {
  const startSeconds = Date.now() / 1000 - process.uptime();
  meter.observed(
    'process_start_time_seconds',
    { help: 'Start of the process since the Unix epoch.' },
    () => startSeconds,
  );
  meter.observed('process_resident_memory_bytes', { help: 'Resident memory.' }, () =>
    process.memoryUsage.rss(),
  );
  meter.observed('process_cpu_seconds_total', { help: 'User and system CPU time spent.' }, () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  meter.observed(
    'nodejs_heap_size_used_bytes',
    { help: 'JavaScript heap in use.' },
    () => process.memoryUsage().heapUsed,
  );
}
