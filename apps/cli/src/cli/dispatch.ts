import { isTulleError } from '@tulle/filter';
import { FlagError } from '@tulle/sidecar/flags';
import { closest } from './closest.ts';
import type { CommandEntry, Invocation } from './command.ts';
import { CliError, EXIT } from './exit-codes.ts';
import { commandHelp, overviewHelp } from './help.ts';
import { paint, type Io } from './io.ts';
import { parseCommandLine } from './parse.ts';

/** Finds the command of a command line, runs it and turns what it throws into message and exit code. */
export async function dispatch(
  entries: readonly CommandEntry[],
  argv: readonly string[],
  io: Io,
): Promise<number> {
  try {
    return await find(entries, argv, io);
  } catch (error) {
    const p = paint(io, 'err');
    if (error instanceof CliError || error instanceof FlagError) {
      io.err(
        `${p.red('error:')} ${error.message}\n${error.hint === undefined ? '' : `${p.dim('hint:')}  ${error.hint}\n`}`,
      );
      return error instanceof CliError ? error.exitCode : EXIT.usage;
    }
    if (isTulleError(error) && error.code !== 'TULLE_INTERNAL') {
      io.err(`${p.red('error:')} ${error.message}\n${p.dim('hint:')}  ${error.row.hint}\n`);
      return error.code === 'TULLE_CONFIG_INVALID' ? EXIT.invalid : EXIT.failed;
    }
    if (error instanceof Error && 'syscall' in error) {
      // The machine said no: a port is taken, an address is not here, a file may not be read.
      io.err(`${p.red('error:')} ${error.message}\n`);
      return EXIT.failed;
    }
    const shown = error instanceof Error ? (error.stack ?? error.message) : String(error);
    io.err(
      `${p.red('error:')} ${shown}\n${p.dim('hint:')}  this is a defect of tulle; please report it at https://github.com/tulle-mesh/tulle/issues\n`,
    );
    return EXIT.failed;
  }
}

async function find(entries: readonly CommandEntry[], argv: readonly string[], io: Io): Promise<number> {
  const [first = ''] = argv;
  if (first === '' || first === '-h' || first === '--help' || first === 'help') {
    const topic = argv.slice(1).filter((word) => !word.startsWith('-'));
    if (first === 'help' && topic.length > 0) return find(entries, [...topic, '--help'], io);
    io.out(overviewHelp(entries, paint(io, 'out')));
    return first === '' ? EXIT.usage : EXIT.ok;
  }
  if (first === '--version' || first === '-V')
    return find(entries, ['version', '--client', ...argv.slice(1)], io);
  const two = entries.find((e) => e.name === `${first} ${argv[1] ?? ''}`);
  const entry = two ?? entries.find((e) => e.name === first);
  if (entry === undefined) {
    const group = entries.filter((e) => e.name.startsWith(`${first} `));
    if (group.length > 0) {
      const [, second] = argv;
      if (second === undefined || second.startsWith('-')) {
        io.out(overviewHelp(entries, paint(io, 'out'), first));
        return second === undefined ? EXIT.usage : EXIT.ok;
      }
      const guess = closest(
        second,
        group.map((e) => e.name.slice(first.length + 1)),
      );
      throw new CliError(
        EXIT.usage,
        `unknown command ${JSON.stringify(`${first} ${second}`)}`,
        guess === undefined ? `see tulle ${first} --help` : `did you mean tulle ${first} ${guess}?`,
      );
    }
    const guess = closest(first, [...new Set(entries.map((e) => e.name.split(' ')[0] as string))]);
    throw new CliError(
      EXIT.usage,
      `unknown command ${JSON.stringify(first)}`,
      guess === undefined ? 'see tulle --help' : `did you mean tulle ${guess}?`,
    );
  }
  const command = await entry.load();
  const {
    options: parsed,
    args,
    rest,
    help,
  } = parseCommandLine(command, argv.slice(entry.name.split(' ').length), io.env);
  if (help) {
    io.out(commandHelp(entry.name, command, paint(io, 'out')));
    return EXIT.ok;
  }
  const options = parsed as Invocation['options'];
  const abort = new AbortController();
  if (command.ownSignals === true)
    return command.run({ io, options, args, rest, signal: abort.signal, commands: entries });
  const onSignal = (): void => abort.abort(new CliError(EXIT.interrupted, 'interrupted'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    return await command.run({ io, options, args, rest, signal: abort.signal, commands: entries });
  } catch (error) {
    if (abort.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
