import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explain, SERVER, type Explained } from './explained.ts';
import { freePort, tulleBench } from './tulle-bench.ts';

const RESOURCES = `apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: no-admin }
spec:
  selector: { matchLabels: { app: web } }
  action: DENY
  rules: [{ to: { paths: ['/admin*'] } }]
`;

describe('tulle explain', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('tells of a request that was and of one that is imagined which rule refused it, proxy by proxy', async () => {
    writeFileSync(join(bench.dir, 'web.yaml'), RESOURCES);
    expect((await tulle('apply', '-f', 'web.yaml')).code).toBe(0);
    const port = await freePort();
    const web = start('run', '--name', 'web', '-p', port, '--', process.execPath, '-e', SERVER, port);
    await web.said(/it takes calls from now on/);
    const caller = start('run', '--name', 'caller', '-u', 'web=0', '--', 'sleep', '1000');
    const [, at] = await caller.said(/web → 127\.0\.0\.1:(\d+)/);
    const ask = async (path: string, id: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${at}${path}`, { headers: { 'x-request-id': id } })).status;
    await expect.poll(async () => ask('/admin/keys', 'first'), { timeout: 10_000 }).toBe(403);
    expect(await ask('/hello', 'fine')).toBe(200);
    expect(await ask('/admin/keys', 'refused')).toBe(403);

    const explained = async (...args: string[]) => explain(bench, ...args);
    const names = (all: readonly Explained[]): string[] =>
      all.map(({ proxy }) => proxy.split('-')[0] as string);

    const fine = await explained('fine');
    expect(names(fine)).toEqual(['caller', 'web']);
    expect(fine.map(({ explanation }) => explanation.status)).toEqual([200, 200]);

    const refused = await explained('refused');
    expect(names(refused)).toEqual(['caller', 'web']);
    expect(refused[1]?.explanation).toMatchObject({ status: 403, code: 'TULLE_AUTHZ_DENIED', dryRun: false });
    expect(JSON.stringify(refused[1]?.explanation.reasons)).toContain('default/no-admin');
    const text = await tulle('explain', 'refused');
    expect(text.out).toMatch(/^web\S* .*\/admin\/keys .*403 TULLE_AUTHZ_DENIED$/m);
    expect(text.out).toContain('default/no-admin');

    // Imagined: the same walk, and nobody is called.
    const imagined = await explained('GET', 'http://web/admin/keys', '--from', 'caller');
    expect(names(imagined)).toEqual(['caller', 'web']);
    expect(imagined[0]?.explanation).toMatchObject({ status: 0, dryRun: true });
    expect(imagined[1]?.explanation).toMatchObject({ status: 403, code: 'TULLE_AUTHZ_DENIED', dryRun: true });
    const allowed = await explained('GET', 'http://web/hello', '--from', 'caller');
    expect(allowed.map(({ explanation }) => explanation.status)).toEqual([0, 0]);
    const into = await explained(
      'GET',
      'http://web/%61dmin',
      '--to',
      'web',
      '--as',
      'spiffe://test.local/ns/default/sa/caller',
    );
    expect(into[0]?.explanation).toMatchObject({ status: 403, dryRun: true });

    const unknown = await tulle('explain', 'nobody-sent-this');
    expect([unknown.code, unknown.out]).toEqual([1, '']);
    expect(unknown.err).toMatch(/none of the 2 proxies on this machine keeps a request "nobody-sent-this"/);
    const nowhere = await tulle('explain', 'GET', 'http://orders/', '--from', 'caller');
    expect(nowhere.err).toMatch(/no way out for orders/);
    const usage = await tulle('explain', 'GET', 'orders', '--from', 'caller');
    expect(usage.code).toBe(64);
  });
});
