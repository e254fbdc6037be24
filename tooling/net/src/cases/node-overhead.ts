import { deepStrictEqual as same, ok, strictEqual as is } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Case } from '@tulle/interop/suite';
import type { Nodes } from '../nodes.ts';
import { enginesOf } from '../process-tree.ts';

interface Row {
  readonly name: string;
  readonly mode: string;
  readonly shared_by: number;
  readonly rps: number | null;
  readonly cpu_cores: number;
  readonly memory_bytes: number;
}

function residentMiB(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

export const nodeOverhead: readonly Case<Nodes>[] = [
  {
    name: 'tulle stat --overhead tells what a node proxy costs each of its workloads',
    async run(nodes) {
      const look = async (...more: string[]): Promise<string> =>
        nodes.toEnd(nodes.two, ['stat', '--overhead', '--window', '0', ...more]);
      const { items } = JSON.parse(await look('-o', 'json')) as { readonly items: readonly Row[] };
      const served = items.map(({ name }) => name);
      for (const name of ['d', 'e', 'f']) ok(served.includes(name), served.join());
      for (const row of items) {
        same([row.mode, row.shared_by, row.rps], ['node-proxy', items.length, null]);
        ok(row.cpu_cores > 0 && row.cpu_cores < 2, JSON.stringify(row));
        is(row.memory_bytes, items[0]?.memory_bytes);
      }
      const mib = (items.length * (items[0]?.memory_bytes ?? 0)) / 1024 ** 2;
      // All of them together cost what the kernel says of its processes, give or take what comes and goes.
      const { pid } = nodes.two.proxy;
      const ofProcesses = [pid, ...enginesOf(pid)].reduce((sum, one) => sum + residentMiB(one), 0);
      ok(Math.abs(mib / ofProcesses - 1) < 0.25, `${mib} MiB told, ${ofProcesses} MiB of its processes`);
      const table = await look('d');
      ok(new RegExp(`^d +default +node-proxy 1/${items.length} +1 +- `, 'm').test(table), table);
      return `${(mib / items.length).toFixed(0)} MiB (RSS) for each of ${items.length}`;
    },
  },
];
