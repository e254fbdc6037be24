// npm run demo            starts the shop in its mesh, prints what to try, stops on Ctrl-C
// npm run demo -- --check runs the scenes and prints a line per claim
import { parseArgs, styleText } from 'node:util';
import { Report } from './report.ts';
import { canary } from './scenes/canary.ts';
import { resilience } from './scenes/resilience.ts';
import { security } from './scenes/security.ts';
import { pythonVersion } from './services.ts';
import { startShop, type Shop } from './shop.ts';

const help = `Usage: npm run demo [-- --check]

Starts a small shop of three services (front, catalog, reviews in two versions), each an ordinary HTTP server on
loopback with a Tulle proxy beside it, mutual TLS between the proxies.

  --check   runs the scenes security, canary and resilience without a person: a line per claim with its figure;
            exits with 1 when one does not hold
  --help    this text
`;

process.exitCode = await main();

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
  const say = (text: string): void => {
    process.stderr.write(styleText('dim', `starting ${text}\n`));
  };
  const stopping = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
  const shop = await startShop(say);
  try {
    return check
      ? await Promise.race([runScenes(shop), stopping.then(() => 130)])
      : await show(shop, stopping);
  } finally {
    await shop.stop();
  }
}

async function runScenes(shop: Shop): Promise<number> {
  const report = new Report();
  for (const scene of [security, canary, resilience]) await scene(shop, report);
  process.stdout.write(`\n${report.passed} passed, ${report.failed} failed\n`);
  return report.failed === 0 ? 0 : 1;
}

async function show(shop: Shop, stopping: Promise<NodeJS.Signals>): Promise<number> {
  process.stdout.write(`
  The shop      http://127.0.0.1:${shop.front.port}/
  Its parts     front and reviews in JavaScript, the catalogue in ${pythonVersion() ?? 'JavaScript (no Python here)'}
  Things to try
    curl http://127.0.0.1:${shop.frontSidecar.port('to-reviews')}/reviews/1      what front sees: through its proxy, over mutual TLS
    curl http://127.0.0.1:${shop.reviewsV1Sidecar.port('inbound')}/reviews/1     around the mesh, in plain text: refused
    npm run demo -- --check                        the scenes, with figures
  Ctrl-C stops everything.
`);
  await stopping;
  process.stderr.write('\nstopping\n');
  return 0;
}
