import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { start } from '@tulle/processes';
import { installed, RESOLUTIONS, typeFaults } from './directory.ts';
import type { Registry } from './registry.ts';

const PROGRAM = readFileSync(join(import.meta.dirname, '../fixtures/custom-proxy.ts'), 'utf8');

/**
 * What a proxy builder does: four packages and a program of at most 30 lines in an empty directory, checked under `strict`,
 * compiled, and run on plain Node in front of a real origin. A request passes, one filter refuses one, the other marks what it
 * answers.
 * @returns what is wrong
 */
export async function runCustomProxy(
  registry: Registry,
  directory: string,
  node: string,
  typesNode: string,
): Promise<string[]> {
  const faults: string[] = [];
  const expect = (what: string, actual: unknown, expected: unknown): void => {
    if (actual !== expected)
      faults.push(`custom proxy: ${what} is ${String(actual)}, not ${String(expected)}`);
  };
  const lines = PROGRAM.trimEnd().split('\n').length;
  if (lines > 30) faults.push(`custom proxy: the program has ${lines} lines, more than 30`);
  const names = ['@tulle/proxy', '@tulle/filter', '@tulle/filter-authz', '@tulle/filter-headers'];
  await installed(directory, registry, {
    dependencies: Object.fromEntries(names.map((name) => [name, 'latest'])),
    devDependencies: { '@types/node': typesNode },
    files: { 'custom-proxy.ts': PROGRAM },
  });

  const seen: string[] = [];
  const origin = createServer((request, response) => {
    seen.push(request.url ?? '');
    response.end(`origin says ${request.url}`);
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const env = { PORT: '0', ORIGIN: `127.0.0.1:${(origin.address() as AddressInfo).port}` };
  try {
    for (const resolution of RESOLUTIONS) {
      faults.push(...(await typeFaults(directory, 'custom-proxy.ts', resolution, true)));
      const proxy = start(node, ['custom-proxy.js'], { cwd: directory, env });
      try {
        const [, base] = await proxy.said(/(http:\S+) passes on/);
        seen.length = 0;
        const items = await fetch(`${base}/items?page=2`);
        expect('GET /items', items.status, 200);
        expect('its answer', await items.text(), 'origin says /items?page=2');
        expect('its x-served-by', items.headers.get('x-served-by'), 'my-proxy');
        expect('GET /admin/users', (await fetch(`${base}/admin/users`)).status, 403);
        expect('what the origin saw', seen.join(' '), '/items?page=2');
      } finally {
        expect('its exit code after SIGTERM', (await proxy.stop()).code, 0);
      }
    }
    const refused = await start(node, ['custom-proxy.js'], { cwd: directory, env: { ...env, PORT: '99999' } })
      .ended;
    expect('the exit code with PORT=99999', refused.code, 1);
    if (!refused.err.startsWith('TULLE_CONFIG_INVALID: '))
      faults.push(`custom proxy: PORT=99999 is not refused by its code, but: ${refused.err}`);
  } catch (error) {
    faults.push(`custom proxy: ${(error as Error).message}`);
  } finally {
    origin.closeAllConnections();
    origin.close();
  }
  return faults;
}
