// npm run demo            starts the shop in its mesh, prints what to try, stops on Ctrl-C
// npm run demo -- --check runs the scenes and prints a line per claim
import { parseArgs, styleText } from 'node:util';
import { pythonVersion } from './programs.ts';
import { Report } from './report.ts';
import { canary } from './scenes/canary.ts';
import { edge } from './scenes/edge.ts';
import { independence } from './scenes/independence.ts';
import { observability } from './scenes/observability.ts';
import { resilience } from './scenes/resilience.ts';
import { security } from './scenes/security.ts';
import { startShop, type Shop } from './shop.ts';
import { thingsToTry } from './things-to-try.ts';

const help = `Usage: npm run demo [-- --check [--leaf-seconds N]]

Starts a small shop: a control plane (tulle control-plane), and three services (front, catalog, reviews in two versions),
each an ordinary HTTP server on loopback that tulle run puts a sidecar beside. What holds in the mesh is in
apps/demo/mesh; apps/demo/changes has changes to apply.

  --check           runs the scenes security, canary, resilience, observability, independence and edge without a
                    person: a line per claim with its figure; exits with 1 when one does not hold
  --leaf-seconds N  lifetime of certificates in the scene independence, which takes some two and a half of them;
                    default 40
  --help            this text
`;

/** Half of it the control plane is away; in the other half it has to start and to renew. */
const SHORTEST_LEAF_SECONDS = 20;

// A scene that was interrupted must not hold the process up.
process.exit(await main());

async function main(): Promise<number> {
  let check: boolean;
  let leafSeconds: number;
  try {
    const { values } = parseArgs({
      options: {
        check: { type: 'boolean', default: false },
        'leaf-seconds': { type: 'string', default: '40' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(help);
      return 0;
    }
    check = values.check;
    leafSeconds = Number(values['leaf-seconds']);
    if (!(leafSeconds >= SHORTEST_LEAF_SECONDS))
      throw new Error(
        `--leaf-seconds ${values['leaf-seconds']}: give a number of at least ${SHORTEST_LEAF_SECONDS}, so that a busy machine can renew in what is left`,
      );
  } catch (error) {
    process.stderr.write(`demo: ${(error as Error).message}\n\n${help}`);
    return 64;
  }
  const say = (text: string): void => void process.stderr.write(styleText('dim', `${text}\n`));
  const stopping = new AbortController();
  const shops = new Set<Shop>();
  let signals = 0;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      signals++;
      stopping.abort(new Error('stopped'));
      if (signals > 1) for (const shop of shops) shop.kill(); // somebody is in a hurry
    });
  let opening: Promise<Shop> | undefined;
  const open = async (options: { readonly leafSeconds?: number } = {}): Promise<Shop> => {
    say('starting the shop');
    opening = startShop({ progress: (text) => say(`  ${text}`), signal: stopping.signal, ...options });
    const opened = await opening;
    shops.add(opened);
    return opened;
  };
  const close = async (shop: Shop): Promise<void> => {
    await shop.stop();
    shops.delete(shop);
  };
  let shop: Shop;
  try {
    shop = await open();
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
      const played = runScenes(
        shop,
        async () => {
          await close(shop);
          return open({ leafSeconds });
        },
        leafSeconds,
      );
      played.catch(() => {}); // what an interruption breaks
      const code = await Promise.race([played, stopped]);
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
    await opening?.catch(() => {}); // it ends what it has started
    await Promise.all([...shops].map(close));
    if (!check) say('stopped; every process is gone');
  }
}

/** @param shortLived closes the shop and opens one whose certificates live shortly */
async function runScenes(shop: Shop, shortLived: () => Promise<Shop>, leafSeconds: number): Promise<number> {
  const report = new Report();
  for (const scene of [security, canary, resilience, observability]) await scene(shop, report);
  const anew = await shortLived();
  await independence(anew, report, leafSeconds);
  await edge(anew, report);
  process.stdout.write(`\n${report.passed} passed, ${report.failed} failed\n`);
  return report.failed === 0 ? 0 : 1;
}
