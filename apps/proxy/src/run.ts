import { formatAddress } from '@tulle/model';
import { VERSION } from './admin/server-info.ts';
import { dryRun } from './dry-run.ts';
import { type EnvoyProxy, startEnvoyProxy } from './envoy-proxy.ts';
import { type EnvoyFlags, envoyOptions } from './flags.ts';
import { BootstrapError, loadBootstrap } from './load-bootstrap.ts';
import { startConfig } from './merge-config.ts';
import type { EnvoyProxyOptions } from './options.ts';

/** What runs may end for so long, or over --drain-time-s where that is longer. */
const STOP_DRAIN_MS = 10_000;

/** Where a program writes. */
export interface ProgramIo {
  out(text: string): void;
  err(text: string): void;
}

/** Exit codes (decision D23): usage is the flags' matter. */
const [OK, FAILED, INVALID, FINDINGS] = [0, 1, 65, 79] as const;

/**
 * Does what the flags say, from the first line to the exit code: 0; 1 where an address or file cannot be had; 65 for a bootstrap that cannot be
 * used; 79 for one that validates, with fields that are read over since the operator lets them pass.
 * @throws FlagError where a flag cannot be what it is
 */
export async function runEnvoyProxy(flags: EnvoyFlags, io: ProgramIo): Promise<number> {
  if (flags.version) {
    io.out(`tulle proxy  version: ${VERSION}\n`);
    return OK;
  }
  const { options, mode, notes } = envoyOptions(flags);
  const say = (line: string): void => io.err(`note: ${line}\n`);
  for (const note of notes) say(note);
  try {
    return mode === 'validate' ? await validate(options, io, say) : await serve({ ...options, say }, io);
  } catch (error) {
    if (!(error instanceof BootstrapError)) {
      io.err(`error: ${error instanceof Error ? error.message : String(error)}\n`);
      return FAILED;
    }
    for (const line of error.message.split('\n')) io.err(`error: ${line}\n`);
    return INVALID;
  }
}

async function validate(
  options: EnvoyProxyOptions,
  io: ProgramIo,
  say: (line: string) => void,
): Promise<number> {
  const { translation, notes, findings } = loadBootstrap(options);
  const issues = await dryRun(startConfig(translation));
  if (issues.length > 0)
    throw new BootstrapError(issues.map(({ path, message }) => translation.locate(path, message)));
  for (const note of notes) say(note);
  for (const finding of findings) io.err(`finding: ${finding}\n`);
  io.out(`configuration '${options.configPath ?? '--config-yaml'}' OK\n`);
  return findings.length > 0 ? FINDINGS : OK;
}

async function serve(options: EnvoyProxyOptions, io: ProgramIo): Promise<number> {
  const proxy = await startEnvoyProxy(options);
  const where = proxy.listening().map(formatAddress).join(', ');
  io.err(
    `listens on ${where === '' ? 'nothing yet' : where}; ${proxy.admin === undefined ? 'no admin interface' : `admin ${formatAddress(proxy.admin)}`}; base id ${proxy.baseId}\n`,
  );
  await untilEnd(proxy, io);
  await proxy.stop(Math.max(STOP_DRAIN_MS, options.drainTimeMs ?? 0));
  return OK;
}

/** Resolves at SIGINT, SIGTERM or `POST /quitquitquit`. SIGHUP reads the bootstrap again, SIGUSR1 opens the files of
 * logs anew, SIGUSR2 replaces the engine processes. */
async function untilEnd(proxy: EnvoyProxy, io: ProgramIo): Promise<void> {
  const failed =
    (what: string) =>
    (error: unknown): void => {
      for (const line of (error instanceof Error ? error.message : String(error)).split('\n'))
        io.err(`error: ${what}: ${line}\n`);
    };
  const handlers: Readonly<Partial<Record<NodeJS.Signals, () => void>>> = {
    SIGHUP: () =>
      void proxy
        .reload()
        .then(() => io.err('the bootstrap was read again and is in use\n'), failed('nothing changed')),
    SIGUSR1: () =>
      void proxy.reopenLogs().then(() => io.err('the files of logs were opened anew\n'), failed('logs')),
    SIGUSR2: () =>
      void proxy.restart().then(() => io.err('the engine processes were replaced\n'), failed('restart')),
  };
  const ended = Promise.withResolvers<void>();
  const end = (): void => ended.resolve();
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
  process.once('SIGINT', end).once('SIGTERM', end);
  void proxy.quit.then(end);
  await ended.promise;
  for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler);
  process.off('SIGINT', end).off('SIGTERM', end);
}
