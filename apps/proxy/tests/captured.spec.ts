import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CaptureNamespace, whyNoNamespace } from '@tulle/intercept/capture-namespace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configText } from './corpus.ts';

const missing = whyNoNamespace();
const directory = mkdtempSync(join(tmpdir(), 'tcap-'));

describe('the program, where the kernel leads connections to it', () => {
  let namespace: CaptureNamespace | undefined;
  beforeAll(() => {
    if (missing === undefined) namespace = new CaptureNamespace();
  });
  afterAll(() => {
    namespace?.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  it('sends them where they were going, by the configuration as Envoy has it', async ({ skip }) => {
    if (namespace === undefined) return skip(missing);
    const file = join(directory, 'original-dst.yaml');
    writeFileSync(file, configText('original-dst', directory).replace('10000', '15001'));
    const [ip, ...args] = namespace.command(process.execPath, [
      join(import.meta.dirname, '../src/main.ts'),
      ...['-c', file, '--concurrency', '1'],
    ]);
    const proxy = spawn(ip, args, {
      env: { ...process.env, TULLE_RUN_DIR: join(directory, 'r') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(proxy, 'exit');
    try {
      const lines: string[] = [];
      for await (const line of createInterface({ input: proxy.stderr })) {
        lines.push(line);
        if (line.includes('listens on')) break;
      }
      proxy.stderr.resume();
      expect(lines.at(-1), lines.join('\n')).toContain('listens on');
      const heard = namespace.run(process.execPath, [join(import.meta.dirname, 'captured-call.ts')]);
      // Who is called sees the proxy for the one and the caller for the other.
      expect(JSON.parse(heard)).toEqual({ captured: 'from 127.0.0.1', free: 'from 127.0.0.8' });
    } finally {
      proxy.kill('SIGTERM');
    }
    expect(await ended).toEqual([0, null]);
  }, 60_000);
});
