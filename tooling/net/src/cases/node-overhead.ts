import { deepStrictEqual as same, ok, strictEqual as is } from 'node:assert/strict';
import type { Case } from '@tulle/interop/suite';
import type { Nodes } from '../nodes.ts';

interface Row {
  readonly name: string;
  readonly mode: string;
  readonly shared_by: number;
  readonly rps: number | null;
  readonly cpu_cores: number;
  readonly memory_bytes: number;
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
      ok(mib > 50 && mib < 2000, `${mib} MiB`);
      const table = await look('d');
      ok(new RegExp(`^d +default +node-proxy 1/${items.length} +1 +- `, 'm').test(table), table);
      return `${(mib / items.length).toFixed(0)} MiB (RSS) for each of ${items.length}`;
    },
  },
];
