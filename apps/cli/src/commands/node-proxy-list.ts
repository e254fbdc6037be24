import { join } from 'node:path';
import type { NodeProxyStatus } from '@tulle/node-proxy';
import { apiClient } from '../api/api-client.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import type { View } from '../cli/output.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';
import { nodeProxyRunDirectory } from './node-proxy-directory.ts';

type Row = NodeProxyStatus['workloads'][number];

export const command: Command = defineCommand({
  summary: "Show the workloads of this node's proxy",
  options: { ...LIST_OPTIONS },
  examples: [{ command: 'tulle node-proxy list', does: 'each with its identity and how it stands' }],
  async run({ io, options, signal }) {
    await showView(io, options, signal, async () => {
      const admin = `unix:${join(nodeProxyRunDirectory(io), 'admin.sock')}`;
      const status = await apiClient(admin, signal, {
        who: "this node's proxy",
        hint: 'start it: tulle node-proxy',
      }).must<NodeProxyStatus>('GET', '/node-proxy');
      for (const fault of status.faults) io.err(`warning: ${fault}\n`);
      const view: View<Row> = {
        rows: status.workloads,
        name: ({ spiffeId }) => spiffeId,
        columns: [
          { header: 'WORKLOAD', value: ({ namespace, name }) => `${namespace}/${name}` },
          { header: 'STATE', value: ({ state }) => state },
          { header: 'ADDRESS', value: ({ address }) => address },
          { header: 'PORTS', value: ({ ports }) => ports.join(', ') || '-' },
          { header: 'NETWORK', value: ({ network }) => network },
          { header: 'IDENTITY', value: ({ spiffeId }) => spiffeId },
        ],
        empty: 'No workloads. `tulle node-proxy add` gives it one.',
      };
      return { view };
    });
    return EXIT.ok;
  },
});
