import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { adminClient, localProxiesNamed } from '../proxies/local-proxies.ts';

export const command: Command = defineCommand({
  summary: 'Print the metrics of a proxy of this machine, as Prometheus reads them',
  args: [{ name: 'PROXY', help: 'workload or instance, or either with .namespace, or node id' }],
  options: {
    grep: { type: 'string', value: 'TEXT', help: 'only metrics whose name has this in it' },
  },
  examples: [
    { command: 'tulle metrics web', does: 'everything that it counts' },
    { command: 'tulle metrics web --grep requests', does: 'what it counts of requests' },
  ],
  async run({ io, options, args, signal }) {
    const { grep = '' } = options;
    for (const proxy of await localProxiesNamed(io, args[0] as string)) {
      const page = await adminClient(proxy, signal).text('/stats/prometheus');
      if (page === undefined)
        throw new CliError(
          EXIT.failed,
          `${proxy.instance}.${proxy.namespace} keeps no metrics: its profile leaves them out`,
          'start it with --with metrics',
        );
      const lines = page.split('\n').filter((line) => nameOf(line).includes(grep));
      io.out(lines.map((line) => (line === '' ? '' : `${line}\n`)).join(''));
    }
    return EXIT.ok;
  },
});

/** Name of the metric of a sample, or of a line about one. */
const nameOf = (line: string): string =>
  (line.startsWith('# ') ? line.split(' ')[2] : line.split(/[{ ]/)[0]) ?? '';
