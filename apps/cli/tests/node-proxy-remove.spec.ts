import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { testIo, type TestIo } from './test-io.ts';

/** Why nothing can be tried here; `undefined`: it can. */
function whyNot(): string | undefined {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return 'needs Linux and root';
  try {
    execFileSync('ip', ['-V'], { stdio: 'ignore' });
    execFileSync('nft', ['-v'], { stdio: 'ignore' });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const missing = whyNot();

describe.skipIf(missing !== undefined)(
  `tulle node-proxy remove, where a proxy that failed closed has ended${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let name: string;
    let directory: string;
    let file: string;

    beforeEach(() => {
      name = `tulle-remove-${randomUUID().slice(0, 8)}`;
      execFileSync('ip', ['netns', 'add', name]);
      inside('add table inet tulle_node_proxy');
      directory = mkdtempSync(join(tmpdir(), 'tulle-remove-'));
      mkdirSync(join(directory, 'node-proxy', 'workloads'), { recursive: true });
      file = join(directory, 'node-proxy', 'workloads', 'default.web.json');
      writeFileSync(
        file,
        JSON.stringify({ name: 'web', network: `/run/netns/${name}`, address: '10.1.0.7' }),
      );
    });
    afterEach(() => {
      rmSync(directory, { recursive: true });
      execFileSync('ip', ['netns', 'delete', name]);
    });

    const inside = (command: string): string =>
      execFileSync('ip', ['netns', 'exec', name, 'nft', command], { encoding: 'utf8' });
    const remove = async (): Promise<{ code: number } & TestIo['written']> => {
      const io = testIo(directory, '', { TULLE_STATE_DIR: directory, TULLE_RUN_DIR: join(directory, 'r') });
      const code = await main(['node-proxy', 'remove', 'web'], io);
      return { code, ...io.written };
    };

    it.each([
      ['there is', true],
      ['was cleaned away, as directories for temporary files are,', false],
    ])('opens the network of the workload, when the run directory %s too', async (_, there) => {
      if (there) mkdirSync(join(directory, 'r', 'node-proxy'), { recursive: true, mode: 0o700 });
      expect(await remove()).toEqual({ code: 0, out: '', err: '' });
      expect([inside('list tables'), existsSync(file)]).toEqual(['', false]);
    });

    it('says how to lift what it cannot, because the file is gone or wrong', async () => {
      const byHand = 'as root: nsenter --net=NETWORK nft delete table inet tulle_node_proxy';
      writeFileSync(file, '{ "name": "web", ');
      const wrong = await remove();
      expect([wrong.code, existsSync(file)]).toEqual([0, false]);
      expect(wrong.err).toMatch(/warning: .*default\.web\.json: is no JSON/);
      expect(wrong.err).toContain(byHand);
      const gone = await remove();
      expect(gone.code).toBe(1);
      expect(gone.err).toContain(byHand);
    });

    it('says nothing of a network that is gone', async () => {
      writeFileSync(
        file,
        JSON.stringify({ name: 'web', network: `/run/netns/${name}-gone`, address: '10.1.0.7' }),
      );
      expect(await remove()).toEqual({ code: 0, out: '', err: '' });
    });
  },
);
