/**
 * `pnpm test:upgrade`: restarts of every process under load. A line per claim with its figure; exits with 1 when one does
 * not hold.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Report } from './report.ts';
import { restarts } from './restarts.ts';

const HERE = fileURLToPath(new URL('../../..', import.meta.url));
const { values } = parseArgs({ options: { short: { type: 'boolean', default: false } } });
const report = new Report();
await restarts(HERE, values.short ? { rounds: 1, requests: 4_000 } : { rounds: 5, requests: 60_000 }, report);
process.stdout.write(`\n${report.passed} passed, ${report.failed} failed\n`);
process.exit(report.failed === 0 ? 0 : 1);
