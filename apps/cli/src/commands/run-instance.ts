import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DirectoryInUseError, lockDirectory } from '@tulle/directory-lock';
import type { SidecarOptions, TulleDirectories } from '@tulle/sidecar';
import { CliError, EXIT } from '../cli/exit-codes.ts';

/** A machine that runs more of one job at a time has another problem. */
const MOST_JOBS = 1_000;

/** Which directories an instance may take. */
export interface InstanceChoice {
  readonly directories: TulleDirectories;
  /** Name of its directory below both. */
  readonly base: string;
  /**
   * Whether several may run beside each other, each with directories of its own (`base`, `base.2`, …), as runs of a job do. Two
   * of a service are two by their port.
   */
  readonly many: boolean;
  /** What to do where one runs already. Default: for a service. */
  readonly hint?: string;
}

/** Directories of an instance. */
type Directories = Pick<SidecarOptions, 'stateDir' | 'runDir'>;

/**
 * Starts a proxy in the first instance directory that nobody uses.
 * @throws CliError 1 naming the process that runs this instance
 */
export async function startInstance<Options extends Directories, Proxy>(
  { directories, base, many, hint }: InstanceChoice,
  options: Omit<NoInfer<Options>, keyof Directories>,
  start: (options: Options) => Promise<Proxy>,
): Promise<Proxy> {
  for (let n = 1; ; n++) {
    const instance = n === 1 ? base : `${base}.${n}`;
    try {
      const own: Directories = {
        stateDir: join(directories.state, 'proxies', instance),
        runDir: join(directories.run, instance),
      };
      return await start({ ...options, ...own } as Options);
    } catch (error) {
      if (!(error instanceof DirectoryInUseError)) throw error;
      if (many && n < MOST_JOBS) continue;
      throw runningAlready(instance, error, hint);
    }
  }
}

/**
 * Tells whether the instance runs, where something else was in the way that may be its program.
 * @throws CliError 1 naming the process that runs it
 */
export async function refuseRunning({ directories, base, many }: InstanceChoice): Promise<void> {
  const directory = join(directories.run, base);
  if (many || !existsSync(directory)) return;
  try {
    (await lockDirectory(directory)).release();
  } catch (error) {
    if (error instanceof DirectoryInUseError) throw runningAlready(base, error);
    throw error;
  }
}

const runningAlready = (
  instance: string,
  error: DirectoryInUseError,
  hint = 'stop it first, or give this one another --name or --port',
): CliError =>
  new CliError(
    EXIT.failed,
    `${instance} is running already, in ${error.pid === undefined ? 'another process' : `process ${error.pid}`} (${error.directory})`,
    hint,
    { cause: error },
  );
