import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { runToEnd, start } from './index.ts';

const node = (script: string) => start(process.execPath, ['-e', script]);

/** A program that starts another, says its process, and waits. */
const starts = (more: string): string =>
  `import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)}).then(({ start }) => { const child = start('sleep', ['300']); ${more} console.log('child ' + child.pid); setInterval(() => {}, 1000); })`;

describe('a started program', () => {
  it('is heard on both streams, and stops with a signal', async () => {
    const program = node("console.log('out 1'); console.error('err 2'); setInterval(() => {}, 1000)");
    expect((await program.said(/out (\d)/))[1]).toBe('1');
    expect((await program.said(/err (\d)/))[1]).toBe('2');
    expect(await program.stop()).toMatchObject({ code: null, out: 'out 1\n', err: 'err 2\n' });
  });

  it('that ends before it said the word fails the wait, with what it did say', async () => {
    await expect(node("console.log('other')").said(/word/)).rejects.toThrow(
      /ended with 0 without saying[^]*other/,
    );
    await expect(start('/absent/program', []).said(/word/)).rejects.toThrow(/did not start/);
  });

  it('may be told more while it runs', async () => {
    const cat = start('cat', [], { input: 'first ', interactive: true });
    await cat.said(/first/);
    cat.write('second');
    await cat.said(/first second/);
    await cat.stop();
  });

  it('takes what it started with it', async () => {
    const program = node(
      "const c = require('node:child_process').spawn('sleep', ['300']); process.on('SIGTERM', () => process.exit(3)); console.log('child ' + c.pid); setInterval(() => {}, 1000)",
    );
    const child = Number((await program.said(/child (\d+)/))[1]);
    expect(await program.stop()).toMatchObject({ code: 3 });
    await expect.poll(() => isRunning(child)).toBe(false);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ends with who started it, by %s too', async (signal) => {
    const parent = node(starts(''));
    const child = Number((await parent.said(/child (\d+)/))[1]);
    expect(isRunning(child)).toBe(true);
    process.kill(parent.pid, signal);
    expect((await parent.ended).code).toBe(128 + constants.signals[signal]);
    await expect.poll(() => isRunning(child)).toBe(false);
  });

  it('is left to who listens to the signal, and ends when that exits', async () => {
    const parent = node(
      starts(
        `process.once('SIGTERM', () => setImmediate(() => { process.kill(child.pid, 0); console.log('still there'); process.exit(5); }));`,
      ),
    );
    const child = Number((await parent.said(/child (\d+)/))[1]);
    process.kill(parent.pid, 'SIGTERM');
    const { code, out } = await parent.ended;
    expect(code).toBe(5);
    expect(out).toContain('still there');
    await expect.poll(() => isRunning(child)).toBe(false);
  });

  it('run to its end gives what it printed, or throws it', async () => {
    expect(await runToEnd('cat', [], { input: 'read' })).toBe('read');
    await expect(runToEnd('sh', ['-c', 'echo why; exit 3'])).rejects.toThrow(/ended with 3[^]*why/);
    await expect(runToEnd('sleep', ['300'], { timeoutMs: 20 })).rejects.toThrow(/killed/);
  });
});

/** One that has ended but was not waited for, as init may not in a container, does not run. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
