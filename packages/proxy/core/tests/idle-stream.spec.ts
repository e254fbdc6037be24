import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('a stream that waits for hours takes little: what only some need is not made before', async () => {
  const program = fileURLToPath(new URL('./idle-stream-process.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program]);
  const bytes = Number(stdout);
  expect(bytes).toBeGreaterThan(500);
  expect(bytes).toBeLessThan(1_350);
});
