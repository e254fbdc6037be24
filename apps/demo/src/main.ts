// npm run demo            starts the shop in its mesh, prints what to try, stops on Ctrl-C
// npm run demo -- --check runs the scenes and prints a line per claim
import { parseArgs, styleText } from 'node:util';
import { pythonVersion } from './programs.ts';
import { Report } from './report.ts';
import { canary } from './scenes/canary.ts';
import { observability } from './scenes/observability.ts';
import { resilience } from './scenes/resilience.ts';
import { security } from './scenes/security.ts';
import { startShop, type Shop } from './shop.ts';
import { thingsToTry } from './things-to-try.ts';

const help = `Usage: npm run demo [-- --check]

Starts a small shop: a control plane (tulle control-plane), and three services (front, catalog, reviews in two versions),
each an ordinary HTTP server on loopback that tulle run puts a sidecar beside. What holds in the mesh is in
apps/demo/mesh; apps/demo/changes has changes to apply.

  --check   runs the scenes security, canary, resilience and observability without a person: a line per claim with
            its figure; exits with 1 when one does not hold
  --help    this text
`;

// A scene that was interrupted must not hold the process up.
process.exit(await main());

async function main(): Promise<number> {
  let check: boolean;
  try {
    const { values } = parseArgs({
      options: {
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    check = values.check;
  } catch (error) {
    process.stderr.write(`demo: ${(error as Error).message}\n\n${help}`);
    return 64;
  }
  const say = (text: string): void => void process.stderr.write(styleText('dim', `${text}\n`));
  const stopping = new AbortController();
  let shop: Shop | undefined;
  let signals = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      signals++;
      stopping.abort(new Error('stopped'));
      if (signals > 1) shop?.kill(); // somebody is in a hurry
    });
  say('starting the shop');
  try {
    shop = await startShop((text) => say(`  ${text}`), stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) {
      say('stopped');
      return 130;
    }
    process.stderr.write(`${styleText('red', 'The shop could not start:')} ${(error as Error).message}\n`);
    return 1;
  }
  const stopped = new Promise<'stopped'>((resolve) => {
    if (stopping.signal.aborted) resolve('stopped');
    stopping.signal.addEventListener('abort', () => resolve('stopped'));
  });
  try {
    if (check) {
      const code = await Promise.race([runScenes(shop), stopped]);
      return code === 'stopped' ? 130 : code;
    }
    process.stdout.write(thingsToTry(shop, pythonVersion()));
    await stopped;
    return 0;
  } catch (error) {
    process.stderr.write(`${styleText('red', 'The scenes could not go on:')} ${(error as Error).message}\n`);
    return 1;
  } finally {
    say(`${check ? '' : '\n'}stopping`);
    await shop.stop();
    if (!check) say('stopped; every process is gone');
  }
}

async function runScenes(shop: Shop): Promise<number> {
  const report = new Report();
  for (const scene of [security, canary, resilience, observability]) await scene(shop, report);
  process.stdout.write(`\n${report.passed} passed, ${report.failed} failed\n`);
  return report.failed === 0 ? 0 : 1;
}
