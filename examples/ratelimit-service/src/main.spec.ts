import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const directory = mkdtempSync(join(tmpdir(), 'tulle-ratelimit-'));
afterAll(() => rmSync(directory, { recursive: true }));

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const LIMITS = fileURLToPath(new URL('../limits.yaml', import.meta.url));

const EDGE = fileURLToPath(new URL('../edge.yaml', import.meta.url));
const TULLE = fileURLToPath(new URL('../../../apps/cli/bin/tulle.mjs', import.meta.url));

async function freePorts(): Promise<readonly number[]> {
  const servers = [1, 2].map(() => net.createServer().listen(0, '127.0.0.1'));
  return Promise.all(
    servers.map(async (server) => {
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      server.close();
      await once(server, 'close');
      return port;
    }),
  );
}

/** Runs the program; ends it by SIGTERM when it says that it listens. */
async function run(...flags: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const { REDIS_URL: _, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, ...flags], { env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => {
    out += bytes.toString();
    if (out.includes('Ctrl-C')) child.kill('SIGTERM');
  });
  child.stderr.on('data', (bytes: Buffer) => (err += bytes.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, err };
}

it('serves until it is told to stop, with Redis away too', async () => {
  const memory = await run('-c', LIMITS, '--memory', '--listen', '127.0.0.1:0');
  expect(memory).toMatchObject({ code: 0, err: '' });
  expect(memory.out).toMatch(/^rate limits of shop on 127\.0\.0\.1:[1-9]\d*; Ctrl-C stops it\n$/);
  // Nobody listens on port 1.
  const away = await run('-c', LIMITS, '--redis', 'redis://127.0.0.1:1', '--listen', '127.0.0.1:0');
  expect([away.code, away.out]).toEqual([0, expect.stringContaining('rate limits of shop')]);
});

it(
  'counts for a proxy that runs from edge.yaml, and stops while the proxy is connected',
  { timeout: 60_000 },
  async () => {
    const started: ChildProcess[] = [];
    const start = async (
      says: RegExp,
      ...args: readonly string[]
    ): Promise<[ChildProcess, RegExpExecArray]> => {
      const child = spawn(process.execPath, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
      started.push(child);
      const said = await new Promise<RegExpExecArray>((resolve, reject) => {
        let text = '';
        const hear = (bytes: Buffer): void => {
          text += bytes.toString();
          const found = says.exec(text);
          if (found !== null) resolve(found);
        };
        child.stdout.on('data', hear);
        child.stderr.on('data', hear);
        child.once('exit', (code) => reject(new Error(`ended with ${code}: ${text}`)));
      });
      return [child, said];
    };
    try {
      const flags = ['--config', LIMITS, '--memory', '--listen', '127.0.0.1:0'];
      const [service, [, limitsPort]] = await start(/127\.0\.0\.1:(\d+); Ctrl-C/, MAIN, ...flags);
      const [edgePort, shopPort] = await freePorts();
      const ports: Record<string, unknown> = { 8080: edgePort, 8081: limitsPort, 3000: shopPort };
      const config = readFileSync(EDGE, 'utf8')
        .replaceAll(/port_value: (\d+)/g, (_, port: string) => `port_value: ${String(ports[port])}`)
        // The machine that runs this test may be busy.
        .replace('timeout: 0.25s', 'timeout: 10s');
      writeFileSync(join(directory, 'edge.yaml'), config);
      await start(/listens on/, TULLE, 'proxy', '-c', 'edge.yaml');
      const answers: unknown[] = [];
      for (let i = 0; i < 3; i += 1) {
        const { status, headers } = await fetch(`http://127.0.0.1:${edgePort}/checkout`);
        answers.push([status, headers.get('x-ratelimit-remaining')]);
      }
      expect(answers).toEqual([
        [200, '1'],
        [200, '0'],
        [429, '0'],
      ]);
      expect((await fetch(`http://127.0.0.1:${edgePort}/`)).status).toBe(200);
      service.kill('SIGTERM');
      expect(await once(service, 'exit')).toEqual([0, null]);
    } finally {
      for (const child of started.filter(
        ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
      )) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
    }
  },
);

it('says how it is used', async () => {
  const { code, out } = await run('--help');
  expect([code, out]).toEqual([0, expect.stringContaining('--on-error')]);
});

it('refuses what it cannot use: flags with 64, files with 65 by line and path', async () => {
  const bad = join(directory, 'bad.yaml');
  writeFileSync(
    bad,
    'domain: shop\ndescriptors:\n  - { key: a, rate_limit: { unit: week, requests_per_unit: 1 } }\n',
  );
  const answers = await Promise.all([
    run('-c', bad, '--memory'),
    run('-c', LIMITS, '-c', LIMITS, '--memory'),
    run('-c', join(directory, 'none.yaml'), '--memory'),
    run('-c', LIMITS),
    run('-c', LIMITS, '--memory', '--on-error', 'ignore'),
    run('-c', LIMITS, '--redis', 'localhost:6379'),
    run('--memori'),
  ]);
  expect(answers.map(({ code }) => code)).toEqual([65, 65, 65, 64, 64, 64, 64]);
  const told = answers.map(({ err }) => err);
  expect(told[0]).toContain(`${bad}:3:35: descriptors[0].rate_limit.unit: `);
  expect(told[1]).toContain('domain "shop" has a file before this one');
  expect(told[2]).toContain('none.yaml: cannot be read: ENOENT');
  expect(told[3]).toContain('--memory, or --redis URL');
  expect(told[4]).toContain('--on-error: "ignore" is none of allow, deny, error');
  expect(told[5]).toContain('--redis: is no redis:// or rediss:// URL');
  expect(told[6]).toContain("'--memori'");
});
