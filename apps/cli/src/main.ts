import { COMMANDS } from './commands.ts';
import { dispatch } from './cli/dispatch.ts';
import { processIo, type Io } from './cli/io.ts';

export { COMMANDS } from './commands.ts';
export { COMMON_OPTIONS } from './cli/parse.ts';
export type { Command, CommandEntry, OptionSpec, OptionSpecs } from './cli/command.ts';
export type { Io } from './cli/io.ts';

/** Runs `tulle` with arguments; `bin/tulle.mjs` calls it. @returns the exit code */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  return dispatch(COMMANDS, argv, io);
}
