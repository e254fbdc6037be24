import { execFile } from 'node:child_process';

/** The slowest command is an install of some 130 packages from the registry: 10 s here. */
const TIMEOUT_MS = 180_000;

/** Runs a command to its end and gives what it printed; one that fails or hangs throws what it printed. */
export function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      // npm runs under the pinned Node here, which otherwise trusts only its own list of authorities.
      { cwd, maxBuffer: 64 << 20, timeout: TIMEOUT_MS, env: { ...process.env, NODE_USE_SYSTEM_CA: '1' } },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        const cause = error.killed ? `killed after ${TIMEOUT_MS / 1000} s` : error.message;
        reject(new Error(`${command} ${args.slice(0, 3).join(' ')}: ${cause}\n${stdout}${stderr}`));
      },
    );
    child.stdin?.end();
  });
}
