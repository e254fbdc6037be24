import type { CommandEntry } from './cli/command.ts';

const entry = (
  name: string,
  summary: string,
  load: () => Promise<{ readonly command: Awaited<ReturnType<CommandEntry['load']>> }>,
): CommandEntry => ({
  name,
  summary,
  load: async () => (await load()).command,
});

/** Every command, in the order of the help. Each is loaded when it is used, so that `tulle --help` is quick. */
export const COMMANDS: readonly CommandEntry[] = [
  entry(
    'analyze',
    'check resource files without a control plane',
    async () => import('./commands/analyze.ts'),
  ),
];
