/** `pnpm test:interop`: runs every suite whose tools this machine has, and says which it skipped and why. */
import { suites } from './suites.ts';

const [wanted] = process.argv.slice(2);
let [passed, failed, skipped] = [0, 0, 0];
for (const { name, unavailable, run } of suites) {
  if (wanted !== undefined && wanted !== name) continue;
  const reason = unavailable();
  if (reason !== undefined) {
    skipped++;
    console.log(`- ${name}: skipped, ${reason}`);
    continue;
  }
  try {
    await run();
    passed++;
    console.log(`√ ${name}`);
  } catch (error) {
    failed++;
    console.error(`× ${name}:`, error);
  }
}
if (suites.length === 0) console.log('interop: no suites yet');
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
