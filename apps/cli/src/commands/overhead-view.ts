import type { View } from '../cli/output.ts';
import type { Overhead } from '../metrics/overhead.ts';
import { rate, rounded } from './figures.ts';

const mebibytes = (bytes: number | undefined): string | undefined =>
  bytes === undefined ? undefined : `${(bytes / 1024 / 1024).toFixed(0)}MiB`;

/** What the mesh costs workloads, a row each. */
export function overheadView(windowSeconds: number, rows: readonly Overhead[]): View<Overhead> {
  const item = (row: Overhead): object => ({
    namespace: row.namespace,
    name: row.workload,
    mode: row.mode,
    shared_by: row.sharedBy ?? null,
    instances: row.instances,
    rps: rounded(row.rps, 3),
    cpu_cores: rounded(row.cpuCores, 6),
    cpu_us_per_request: rounded(row.cpuMicrosPerRequest, 3),
    memory_bytes: rounded(row.memoryBytes, 0),
    supervisor_memory_bytes: rounded(row.supervisorMemoryBytes, 0),
    added_ms_p50: rounded(row.addedMsP50, 4),
    added_ms_p99: rounded(row.addedMsP99, 4),
  });
  return {
    rows,
    item,
    document: (shown: readonly Overhead[]) => ({ windowSeconds, items: shown.map(item) }),
    name: (row) => `${row.workload}.${row.namespace}`,
    empty: 'No proxy of that name runs on this machine.',
    footer:
      'CPU/REQ is of the processes that move bytes; ADDED is time inside one proxy, without the endpoint that answers. Of a node proxy, each workload has an even share.',
    columns: [
      { header: 'NAME', value: (row) => row.workload },
      { header: 'NAMESPACE', value: (row) => row.namespace },
      {
        header: 'MODE',
        value: ({ mode, sharedBy }) => (sharedBy === undefined ? mode : `${mode} 1/${sharedBy}`),
      },
      { header: 'PROXIES', value: (row) => row.instances },
      { header: 'RPS', value: (row) => rate(row.rps) },
      {
        header: 'CPU',
        value: ({ cpuCores }) => (cpuCores === undefined ? undefined : `${(cpuCores * 100).toFixed(1)}%`),
      },
      {
        header: 'CPU/REQ',
        value: ({ cpuMicrosPerRequest: us }) => (us === undefined ? undefined : `${Math.round(us)}us`),
      },
      { header: 'MEMORY', value: (row) => mebibytes(row.memoryBytes) },
      { header: 'SUPERVISOR', value: (row) => mebibytes(row.supervisorMemoryBytes), wide: true },
      {
        header: 'ADDED_P50',
        value: ({ addedMsP50: ms }) => (ms === undefined ? undefined : `${ms.toFixed(2)}ms`),
      },
      {
        header: 'ADDED_P99',
        value: ({ addedMsP99: ms }) => (ms === undefined ? undefined : `${ms.toFixed(2)}ms`),
      },
    ],
  };
}
