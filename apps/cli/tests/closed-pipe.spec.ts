import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('who stops reading early (| head) changes nothing about the exit code', async () => {
  const bin = fileURLToPath(new URL('../bin/tulle.mjs', import.meta.url));
  const child = spawn(process.execPath, [bin, 'analyze', '-f', '-', '-o', 'json'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdout.destroy();
  child.stdin.end(Array.from({ length: 2_000 }, (_, i) => `kind: Servce${i}`).join('\n---\n'));
  expect(await once(child, 'exit')).toEqual([65, null]);
});
