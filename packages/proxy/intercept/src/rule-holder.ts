import { spawn, type ChildProcess } from 'node:child_process';

/** Rules in force, owned by a process. */
export interface HeldRules {
  readonly table: string;
  /** Of the process that owns them: when it ends, they are gone. */
  readonly pid: number;
  /** Resolves when the rules are gone, whoever took them away. */
  readonly ended: Promise<void>;
  /** Takes them away. Resolves when they are gone. */
  release(): Promise<void>;
}

/** How rules are put into force. */
export interface HoldOptions {
  /** Where cgroup v2 is mounted, when not at `/sys/fs/cgroup`; needed where rules name cgroups. */
  readonly cgroupMount?: string;
  /** Program to run in place of `nft`. */
  readonly nft?: string;
}

/** Longer than nft takes on a busy machine; it answers in some milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Puts rules into force, in the network namespace that the caller is in, as long as this process lives: a child `nft -i` owns
 * the table, and ends when its standard input does.
 * @param commands of {@link captureCommands} for this table
 * @throws Error with what nft says, or that it is not installed; nothing is in force then
 */
export async function holdRules(
  table: string,
  commands: string,
  options: HoldOptions = {},
): Promise<HeldRules> {
  const child = startNft(options);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  try {
    await answered(child, `${commands}\nlist chains\n`, `table inet ${table} {`);
  } catch (error) {
    child.stdin?.destroy();
    child.kill('SIGKILL');
    throw error;
  }
  child.stdout?.resume();
  child.stderr?.resume();
  return {
    table,
    pid: child.pid as number,
    ended,
    release: async () => {
      child.stdin?.end();
      await ended;
    },
  };
}

function startNft({ cgroupMount, nft = 'nft' }: HoldOptions): ChildProcess {
  const options = { stdio: ['pipe', 'pipe', 'pipe'] as const, detached: true };
  // nft looks for cgroups below /sys/fs/cgroup alone: it gets a view in which they are there.
  return cgroupMount === undefined || cgroupMount === '/sys/fs/cgroup'
    ? spawn(nft, ['-i'], { ...options, stdio: [...options.stdio] })
    : spawn(
        'unshare',
        ['--mount', 'sh', '-c', 'mount --bind "$1" /sys/fs/cgroup && exec "$2" -i', 'sh', cgroupMount, nft],
        { ...options, stdio: [...options.stdio] },
      );
}

/** Sends lines and waits until the answer has what shows that all of them were done. @throws Error with what was said instead */
async function answered(child: ChildProcess, lines: string, proof: string): Promise<void> {
  const done = Promise.withResolvers<void>();
  let [out, err] = ['', ''];
  const wrong = (reason: string): void =>
    done.reject(new Error(`the capture rules could not be put into force: ${reason}`));
  const said = (): string => err.trim().split('\n')[0] ?? '';
  const timer = setTimeout(
    () => wrong(`nft did not answer in ${ANSWER_TIMEOUT_MS / 1000} s`),
    ANSWER_TIMEOUT_MS,
  );
  child.once('error', (error: NodeJS.ErrnoException) =>
    wrong(error.code === 'ENOENT' ? `${child.spawnfile} is not installed` : error.message),
  );
  child.once('close', (code) => wrong(said() === '' ? `nft ended with ${code}` : said()));
  child.stdin?.on('error', () => {}); // told by 'close'
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (out.includes(proof)) done.resolve();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    if (/\n/.test(err)) wrong(said());
  });
  child.stdin?.write(lines);
  try {
    await done.promise;
  } finally {
    clearTimeout(timer);
  }
}
