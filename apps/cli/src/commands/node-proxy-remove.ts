import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { keyOf } from '@tulle/node-proxy';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { WORKLOADS_OPTION, workloadsDirectory } from './node-proxy-directory.ts';

export const command: Command = defineCommand({
  summary: "Take a workload from this node's proxy",
  details: 'It leaves the mesh, and its network is as it was.',
  args: [{ name: 'NAME', help: 'of the workload' }],
  options: {
    namespace: { type: 'string', short: 'n', value: 'NAME', help: 'namespace', defaultText: 'default' },
    ...WORKLOADS_OPTION,
  },
  examples: [{ command: 'tulle node-proxy remove web', does: 'default/web' }],
  async run({ io, options, args }) {
    const [name = ''] = args;
    const key = keyOf({ name, namespace: options.namespace ?? 'default' });
    const file = join(workloadsDirectory(io, options.workloads), `${key}.json`);
    if (statSync(file, { throwIfNoEntry: false }) === undefined)
      throw new CliError(EXIT.failed, `there is no ${file}`, 'tulle node-proxy list shows what there is');
    rmSync(file);
    return Promise.resolve(EXIT.ok);
  },
});
