// `node tooling/bootstrap.mjs [COMMAND…]` makes a fresh clone ready and runs COMMAND in it, with pnpm, the pinned Node and
// every tool first on PATH. Needs only Node >= 18 and npm, and imports nothing that would have to be installed.
// It starts COMMAND itself, because in `bootstrap && node x` a shell would go on using the `node` it found first.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = [22, 18]; // the first that runs TypeScript without a flag

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
process.chdir(root);
process.env.PATH = bin + delimiter + process.env.PATH;
process.env.TURBO_TELEMETRY_DISABLED = '1';

const say = (text) => process.stderr.write(`tulle: ${text}\n`);

function stop(text, status = 1) {
  say(text);
  process.exit(status);
}

/** Brings node_modules up to date. Returns whether this was the first time. */
function install() {
  const first = !existsSync(join(bin, 'pnpm'));
  const { packageManager } = JSON.parse(readFileSync('package.json', 'utf8'));
  if (first) say(`first run: installing with ${packageManager}, some 15 s`);
  const [tool, ...args] = first ? ['npx', '--yes', packageManager, 'install'] : ['pnpm', 'install'];
  const { status, error } = spawnSync(tool, [...args, '--loglevel=warn'], { stdio: ['ignore', 2, 2] });
  if (error)
    stop(`${tool} did not start (${error.message}): install Node 18 or later with npm, then run this again`);
  if (status !== 0)
    stop(
      `${tool} could not install, see above; mend that (network? \`npm config get registry\`?) and run this again`,
    );
  return first;
}

/** The pinned Node is an npm package where one exists; elsewhere the running one must do. */
function checkNode() {
  if (existsSync(join(bin, 'node'))) return;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  stop(
    `no Node is packaged for ${process.platform}-${process.arch}, and this one is ${process.versions.node}: ` +
      `install Node ${OLDEST_NODE.join('.')} or later from https://nodejs.org, then run this again`,
  );
}

function generate(first) {
  if (first) say('generating the xDS messages, some 4 s');
  const { status, stdout, stderr } = spawnSync('turbo', ['run', 'generate'], { encoding: 'utf8' });
  if (status !== 0) stop(`generating failed:\n${stdout}${stderr}`);
}

const [command, ...args] = process.argv.slice(2);
const first = install();
checkNode();
generate(first);
if (command === undefined) process.exit();
if (first) say(`ready, starting: ${[command, ...args].join(' ')}`);

const child = spawn(command, args, { stdio: 'inherit' });
// A terminal sends Ctrl-C to the command as well; any other signal is passed on. The command decides how to stop.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on('error', (error) => stop(`${command} did not start: ${error.message}`, 127));
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
