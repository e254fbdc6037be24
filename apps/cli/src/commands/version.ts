import { defineCommand, type Command } from '../cli/command.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { OUTPUT_OPTION, printView, type Format } from '../cli/output.ts';
import { packageVersion } from '../package-version.ts';

export const command: Command = defineCommand({
  summary: 'Show the version of this command and of the Node that runs it',
  options: { client: { type: 'boolean', help: 'only the number' }, ...OUTPUT_OPTION },
  examples: [{ command: 'tulle version', does: 'what runs here' }],
  async run({ io, options }) {
    const version = await packageVersion();
    if (options.client) {
      io.out(`${version}\n`);
      return EXIT.ok;
    }
    const row = { client: version, node: process.versions.node };
    await printView(io, (options.output ?? 'table') as Format, {
      rows: [row],
      document: row,
      name: () => version,
      columns: [
        { header: 'CLIENT', value: (r) => r.client },
        { header: 'NODE', value: (r) => r.node },
      ],
    });
    return EXIT.ok;
  },
});
