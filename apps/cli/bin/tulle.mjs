#!/usr/bin/env node
// Starts the command under a Node that can run it. Plain JavaScript, so that any Node gets far enough to say what is wrong.
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import module from 'node:module';
import { constants, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, '..', 'src', 'main.ts');
const main = existsSync(source) ? source : join(here, '..', 'dist', 'main.js');
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 18)) {
  keepCompiledCode();
  const { main: run } = await import(pathToFileURL(main).href);
  process.exitCode = await run(process.argv.slice(2));
} else {
  const node = nearbyNode();
  if (node === undefined) {
    process.stderr.write(
      `tulle needs Node 22.18 or newer; this is ${process.versions.node}. Install a newer one, e.g. from https://nodejs.org\n`,
    );
    process.exit(1);
  }
  // A terminal sends its signals to everybody in front of it; elsewhere they are passed on, once.
  const terminal = process.stdin.isTTY === true;
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    detached: !terminal,
  });
  // SIGUSR1 would open a debugger here, if nobody took it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) {
    process.on(signal, () => {
      if (!terminal || !['SIGINT', 'SIGHUP', 'SIGQUIT'].includes(signal)) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`cannot start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
}

/**
 * Code that was compiled is kept for the next start, which then takes half the time. In a directory of this user alone:
 * what lies there is run. NODE_COMPILE_CACHE names another one, NODE_DISABLE_COMPILE_CACHE=1 does without.
 */
function keepCompiledCode() {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const directory = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tulle');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const found = lstatSync(directory);
    if (found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0)
      module.enableCompileCache?.(join(directory, 'compiled'));
  } catch {
    // A start without it only takes longer.
  }
}

/** The Node that the workspace or the package brings with it. */
function nearbyNode() {
  for (let dir = here; ; dir = dirname(dir)) {
    const node = join(dir, 'node_modules', '.bin', 'node');
    if (existsSync(node)) return node;
    if (dir === dirname(dir)) return undefined;
  }
}
