import { describe, expect, it } from 'vitest';
import { startChild } from './child.ts';
import { alive } from '../tests/alive.ts';
import { processTree } from './process-tree.ts';

const node = (script: string): readonly [string, ...string[]] => [process.execPath, '-e', script];
const start = (command: readonly [string, ...string[]]): ReturnType<typeof startChild> =>
  startChild({ name: 'reviews v1', command, env: { WORD: 'wind' }, cwd: process.cwd() });

describe('a process of the demo', () => {
  it('is waited for by what it says', async () => {
    const child = start(node('console.log(`a ${process.env.WORD} blows`);setInterval(()=>{},1e6)'));
    expect((await child.said(/a (\w+)/))[1]).toBe('wind');
    await child.stop();
    await expect(child.said(/rain/)).rejects.toThrow('reviews v1 was ended by SIGTERM.');
  });

  it('is named with its last words when it ends too early', async () => {
    const child = start(node("console.error('no such table: reviews');process.exit(3)"));
    await expect(child.said(/listens/)).rejects.toThrow(
      /^reviews v1 ended with code 3\.\n {2}It was started as: .*\n {2}Its last words:\n {4}no such table: reviews$/,
    );
  });

  it('is named when it cannot be started, or is not ready in time', async () => {
    await expect(start(['/no/such/program']).said(/listens/)).rejects.toThrow(
      /reviews v1 did not start: .*ENOENT/,
    );
    const silent = start(node('setInterval(()=>{},1e6)'));
    await expect(silent.said(/listens/, 50)).rejects.toThrow(
      /reviews v1 runs, but was not ready within 0\.05 s\.\n.*\n {2}It said nothing\./,
    );
    silent.kill();
    await silent.ended;
  });

  it('is ended with all that it started', async () => {
    const child = start(
      node(
        "const c=require('child_process').spawn('sleep',['1000'],{detached:true});c.on('spawn',()=>console.log('child'));setInterval(()=>{},1e6)",
      ),
    );
    await child.said(/^child$/m);
    const pids = processTree(child.pid);
    expect(pids).toHaveLength(2);
    child.kill();
    await child.ended;
    await expect.poll(() => alive(pids)).toEqual([]);
  });
});
