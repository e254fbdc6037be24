import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Report } from './report.ts';
import { restarts } from './restarts.ts';
import { skew } from './skew.ts';

const HELP = `Usage: pnpm test:upgrade [--short] [--only restarts|skew]

restarts  every process of a mesh is restarted in turn under load, five times over 60,000 requests on new connections
skew      the release before runs a mesh, which is upgraded under load: control plane first, then data plane first;
          it is taken from the history and installed from the registry

  --short  one restart of each over 4,000 requests
  --only   one of the two

A line per claim with its figure; exits with 1 when one does not hold.
`;

const HERE = fileURLToPath(new URL('../../..', import.meta.url));
process.exit(await main());

async function main(): Promise<number> {
  let only: string | undefined;
  let short: boolean;
  try {
    const { values } = parseArgs({
      options: {
        short: { type: 'boolean', default: false },
        only: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    ({ only, short } = values);
    if (only !== undefined && !['restarts', 'skew'].includes(only))
      throw new Error(`--only ${only}: there are restarts and skew`);
  } catch (error) {
    process.stderr.write(`upgrade: ${(error as Error).message}\n\n${HELP}`);
    return 64;
  }
  const report = new Report();
  try {
    if (only !== 'skew')
      await restarts(HERE, short ? { rounds: 1, requests: 4_000 } : { rounds: 5, requests: 60_000 }, report);
    if (only !== 'restarts') await skew(HERE, report);
  } catch (error) {
    process.stderr.write(`upgrade: it could not go on: ${(error as Error).message}\n`);
    return 1;
  }
  process.stdout.write(`\n${report.passed} passed, ${report.failed} failed\n`);
  return report.failed === 0 ? 0 : 1;
}
