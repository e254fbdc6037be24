import { describe, expect, it } from 'vitest';
import { runnable, type Suite } from './suite.ts';

const closed: string[] = [];
const suite: Suite<number> = {
  name: 'numbers',
  about: 'about numbers',
  needs: [],
  open: () => Promise.resolve({ context: 1, close: () => Promise.resolve(void closed.push('closed')) }),
  cases: [
    { name: 'holds', run: () => Promise.resolve() },
    { name: 'breaks', run: (context) => Promise.reject(new Error(`not ${context}`)) },
    { name: 'holds after that', run: () => Promise.resolve() },
  ],
};

async function run(changed: Partial<Suite<number>>): Promise<{ tally: object; said: string }> {
  const said: string[] = [];
  const tally = await runnable({ ...suite, ...changed }).run((line) => said.push(line));
  return { tally, said: said.join('\n') };
}

describe('a suite', () => {
  it('runs every case, whatever the one before did, and closes', async () => {
    closed.length = 0;
    const { tally, said } = await run({});
    expect(tally).toEqual({ passed: 2, failed: 1, skipped: 0 });
    expect(said).toMatch(/√ holds, .*\n.*× breaks: Error: not 1[^]*√ holds after that/);
    expect(closed).toEqual(['closed']);
  });

  it('counts every case as skipped, and says why, where something is missing', async () => {
    const there = { what: 'a tool', missing: () => Promise.resolve(undefined) };
    const absent = { what: 'another', missing: () => Promise.resolve('get it from the shop') };
    const { tally, said } = await run({
      needs: [there, absent],
      open: () => Promise.reject(new Error('opened')),
    });
    expect(tally).toEqual({ passed: 0, failed: 0, skipped: 3 });
    expect(said).toContain('3 cases skipped: another is missing, get it from the shop');
  });

  it('that cannot be set up is a failure, not a skip', async () => {
    const { tally } = await run({ open: () => Promise.reject(new Error('no port')) });
    expect(tally).toEqual({ passed: 0, failed: 1, skipped: 3 });
  });
});
