import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { adminClient, localProxiesNamed } from '../proxies/local-proxies.ts';

export const command: Command = defineCommand({
  summary: 'Print the metrics of a proxy of this machine, as Prometheus reads them',
  args: [{ name: 'PROXY', help: 'workload or instance, or either with .namespace, or node id' }],
  options: {
    worker: {
      type: 'string',
      value: 'N',
      help: 'one process of several (--workers), counted from 0; each: all together, gauges with a label that tells them apart',
      defaultText: 'all together',
    },
    grep: { type: 'string', value: 'TEXT', help: 'only metrics whose name has this in it' },
  },
  examples: [
    { command: 'tulle metrics web', does: 'everything that it counts' },
    { command: 'tulle metrics web --grep requests', does: 'what it counts of requests' },
    {
      command: 'tulle metrics web --worker each --grep process_resident',
      does: 'memory of each of its processes',
    },
  ],
  async run({ io, options, args, signal }) {
    const { grep = '', worker } = options;
    if (worker !== undefined && !/^(?:\d{1,3}|each)$/.test(worker))
      throw new CliError(
        EXIT.usage,
        `--worker ${JSON.stringify(worker)} is no number`,
        'e.g. --worker 0, or each',
      );
    const path = `/stats/prometheus${worker === undefined ? '' : `?worker=${worker}`}`;
    for (const proxy of await localProxiesNamed(io, args[0] as string)) {
      const page = await adminClient(proxy, signal).text(path);
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
