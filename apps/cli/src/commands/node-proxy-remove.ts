import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { keyOf, liftingCommand, liftLeftRules, readWorkload, type NodeWorkload } from '@tulle/node-proxy';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { nodeProxyRunDirectory, WORKLOADS_OPTION, workloadsDirectory } from './node-proxy-directory.ts';

export const command: Command = defineCommand({
  summary: "Take a workload from this node's proxy",
  details:
    'It leaves the mesh, and its network is as it was; also where the proxy has ended that refuses its connections\n' +
    'meanwhile (--if-proxy-dies closed). That needs root.',
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
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new CliError(
        EXIT.failed,
        `there is no ${file}`,
        `tulle node-proxy list shows what there is; ${leftBehind('NETWORK')}`,
      );
    }
    let workload: NodeWorkload;
    try {
      workload = readWorkload(text, file);
    } catch (error) {
      rmSync(file);
      // What it said before may have been served.
      io.err(`warning: ${error instanceof Error ? error.message : String(error)}\n`);
      io.err(`hint:    ${leftBehind('NETWORK')}\n`);
      return EXIT.ok;
    }
    // First, so that whoever is interrupted can say it again: only the file tells of which network.
    const fault = await liftLeftRules(workload, nodeProxyRunDirectory(io)).then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    rmSync(file);
    if (fault === undefined) return EXIT.ok;
    throw new CliError(
      EXIT.failed,
      `${file} is removed, but what its proxy left in its network could not be lifted: ${fault.message}`,
      `as root: ${liftingCommand(workload.network)}`,
      { cause: fault },
    );
  },
});

const leftBehind = (network: string): string =>
  `where no proxy runs and the workload's network is closed still, as root: ${liftingCommand(network)}`;
