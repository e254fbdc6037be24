import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { adminClient, localProxiesNamed } from '../proxies/local-proxies.ts';

export const command: Command = defineCommand({
  summary: 'Turn the log of a proxy of this machine up or down, while it runs',
  details:
    'The log goes to the standard error of whoever started the proxy, a JSON line each. It is back where it was when the\nprocess that moves bytes is replaced.',
  args: [
    { name: 'PROXY', help: 'workload or instance, or either with .namespace, or node id' },
    { name: 'LEVEL', help: 'from which level on', choices: ['debug', 'info', 'warn', 'error'] },
  ],
  options: {},
  examples: [{ command: 'tulle log-level web debug', does: 'see what web does' }],
  async run({ io, args, signal }) {
    const [wanted = '', level = ''] = args;
    for (const proxy of await localProxiesNamed(io, wanted)) {
      const admin = adminClient(proxy, signal);
      await admin.text(`/logging?level=${level}`, 'POST'); // the front tells every process
      io.out(`${proxy.instance}.${proxy.namespace}: ${level}\n`);
    }
    return EXIT.ok;
  },
});
