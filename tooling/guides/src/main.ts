/** `node tooling/guides/src/main.ts [PAGE…]`: does what the guides say, page by page, and counts a page as one check. */
import { blocksOf, pages } from './blocks.ts';
import { runGuide } from './run-guide.ts';

const wanted = process.argv.slice(2);
let [passed, failed] = [0, 0];
for (const page of wanted.length > 0 ? wanted : pages()) {
  const blocks = blocksOf(page);
  if (!blocks.some(({ directives }) => 'run' in directives || 'start' in directives)) continue;
  const started = performance.now();
  try {
    await runGuide(blocks);
    passed++;
    console.log(`√ ${page}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
  } catch (error) {
    failed++;
    console.error(`× ${error instanceof Error ? error.message : String(error)}`);
  }
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
