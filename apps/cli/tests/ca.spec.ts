import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';

describe('tulle, as the owner of identities', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('makes tokens with labels, lists them, and revokes one', async () => {
    const made = await tulle('token', 'create', 'orders-v2', '-l', 'app=orders', '-l', 'version=v2');
    expect(made.out).toMatch(/^tulle-join-1\./);
    expect(await tulle('token', 'create', 'x', '-l', 'app=x', '--any-label')).toMatchObject({ code: 64 });
    expect(await tulle('token', 'create', 'x', '-l', 'a b=x')).toMatchObject({
      code: 1,
      err: expect.stringContaining("is not a label's name") as string,
    });
    await tulle('token', 'create', 'edge', '--any-label');
    const table = (await tulle('token', 'list')).out;
    expect(table).toMatch(/^ID +SPIFFE ID +STATE +LABELS +EXPIRES\n/);
    expect(table).toMatch(/sa\/orders-v2 +unused +app=orders,version=v2 /);
    expect(table).toMatch(/sa\/edge +unused +\* /);
    const { items } = JSON.parse((await tulle('token', 'list', '-o', 'json')).out) as {
      items: { id: string; spiffeId: string }[];
    };
    const id = items.find((one) => one.spiffeId.endsWith('orders-v2'))?.id as string;
    expect(await tulle('token', 'revoke', id)).toMatchObject({ code: 0, err: `revoked: ${id}\n` });
    expect(await tulle('token', 'revoke', id)).toMatchObject({ code: 1 });
    expect((await tulle('token', 'list')).out).toMatch(new RegExp(`${id} +\\S+ +revoked `));
    const { status } = await bench.mesh.ca
      .attest(made.out.trim(), Buffer.alloc(0))
      .then(() => ({ status: 'joined' }))
      .catch((error: { reason: string }) => ({ status: error.reason }));
    expect(status).toBe('token-revoked');
  }, 60_000);

  it('asks for a token once, with its labels, and for none when it starts again', async () => {
    const run = async (): Promise<unknown> =>
      tulle('run', '--name', 'web', '--label', 'version=v2', '-q', '--', 'true');
    expect(await run()).toMatchObject({ code: 0 });
    expect(await bench.mesh.ca.joinTokens()).toMatchObject([
      { state: 'used', labels: { app: ['web'], version: ['v2'] } },
    ]);
    const web = 'spiffe://test.local/ns/default/sa/web';
    expect(bench.mesh.ca.grantedLabels(web)).toEqual({ app: ['web'], version: ['v2'] });
    expect(await run()).toMatchObject({ code: 0 });
    expect(await bench.mesh.ca.joinTokens()).toHaveLength(1);
  }, 60_000);

  it('replaces the root under load: no call fails, the command says who has it, and connections of before end', async () => {
    const port = await freePort();
    const server = `require('http').createServer((q,r)=>r.end('hello')).listen(${port},'127.0.0.1')`;
    await writeFile(
      join(bench.dir, 'web.json'),
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: Number(port) }] },
      }),
    );
    await tulle('apply', '-f', 'web.json');
    const web = start('run', '--name', 'web', '--port', port, '--', process.execPath, '-e', server);
    await web.said(/takes calls from now on/);
    const load = `
      const u = 'http://' + process.env.TULLE_UPSTREAM_WEB;
      const seen = {};
      let stop = false;
      process.on('SIGTERM', () => (stop = true));
      (async () => {
        for (;;) { const { status } = await fetch(u); if (status === 200) break; }
        console.log('calls');
        while (!stop) { const { status } = await fetch(u).catch((e) => ({ status: e.cause?.code ?? e.message })); seen[status] = (seen[status] ?? 0) + 1; }
        console.log(JSON.stringify(seen)); process.exit(0);
      })();`;
    const callers = [1, 2].map((n) =>
      start('run', '--name', `caller-${n}`, '--upstream', 'web=0', '--', process.execPath, '-e', load),
    );
    for (const caller of callers) await caller.said(/^calls$/m);

    const before = JSON.parse((await tulle('ca', 'status', '-o', 'json')).out) as { signingRootId: string };
    const rotated = await tulle('ca', 'rotate-root');
    expect(rotated).toMatchObject({ code: 0 });
    expect(rotated.err).toMatch(/3 of 3 instances have a certificate below it; the old root goes after /);
    const table = await tulle('ca', 'status');
    expect(table.out).toMatch(new RegExp(`root +${before.signingRootId} +believed until it is removed `));
    expect(table.out.match(/^root .* signs /gm)).toHaveLength(1);
    expect(table.err).toContain('3 instances hold certificates, 3 of them hear the CA');
    expect(await tulle('ca', 'rotate-root', '--abandon')).toMatchObject({ code: 1 });

    // Every process has said that it uses a certificate below the new root, so the old one may go early.
    expect(await tulle('ca', 'rotate-root', '--remove-old')).toMatchObject({
      code: 0,
      err: 'the old root is removed\n',
    });
    for (const caller of callers) caller.process.kill('SIGTERM');
    for (const caller of callers) {
      const { code, out } = await caller.ended;
      const seen = JSON.parse(/^\{.*\}$/m.exec(out)?.[0] ?? '{}') as Record<string, number>;
      expect([code, Object.keys(seen)]).toEqual([0, ['200']]);
      expect(seen['200']).toBeGreaterThan(100);
    }
    const engine = JSON.parse(
      await readFile(
        join(bench.dir, 's', 'proxies', `default.web.${port}`, 'engine-0', 'identity.json'),
        'utf8',
      ),
    ) as { bundles: { rootsPem: string[] }[] };
    expect(engine.bundles[0]?.rootsPem.length).toBeGreaterThan(0);
  }, 90_000);
});
