import { describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';

describe('tulle, on the way to mutual TLS', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('lets plain text in where a policy says so, shows who uses it, and ends it when nobody is in the way', async () => {
    const port = await freePort();
    const serve = `require('http').createServer((q,r)=>r.end('hello')).listen(${port},'127.0.0.1')`;
    const web = start('run', '--name', 'web', '--port', port, '--', process.execPath, '-e', serve);
    await web.said(/joined; /);
    const { controlPlane } = bench.mesh;
    const proxy = controlPlane.status().proxies[0]?.id as string;
    const at = controlPlane.proxyConfig(proxy)?.listeners[0]?.address as { port: number };
    const plain = async (): Promise<string> => (await fetch(`http://127.0.0.1:${at.port}/`)).text();
    await expect(plain()).rejects.toThrow();
    expect((await tulle('mtls', 'status')).out).toMatch(
      new RegExp(`web\\.default +${port} +STRICT +- +0 +0 +-\n`),
    );
    expect(await tulle('mtls', 'enforce')).toMatchObject({ code: 0, err: 'no port takes plain text\n' });

    const policy = {
      apiVersion: 'tulle.dev/v1alpha1',
      kind: 'PeerAuthentication',
      metadata: { name: 'move', namespace: 'default' },
      spec: { mtls: { mode: 'PERMISSIVE' } },
    } as const;
    controlPlane.apply([policy], []);
    await expect.poll(plain).toBe('hello');
    expect((await tulle('mtls', 'status')).out).toMatch(/ PERMISSIVE +default\/move +\d/);
    await expect
      .poll(() => controlPlane.mtls()[0]?.clients[0]?.address, { timeout: 30_000, interval: 200 })
      .toBe('127.0.0.1');

    const dry = await tulle('mtls', 'enforce', '--dry-run');
    expect(dry).toMatchObject({ code: 79 });
    expect(dry.out).toMatch(
      new RegExp(
        `^WORKLOAD +PORT .*\nweb\\.default +${port} +127\\.0\\.0\\.1 +\\d+ +\\d+s ago +default/move\n$`,
      ),
    );
    const refused = await tulle('mtls', 'enforce', '-o', 'json');
    expect(refused).toMatchObject({
      code: 79,
      err: expect.stringContaining('nothing was changed') as string,
    });
    expect(JSON.parse(refused.out)).toMatchObject({ refused: [{ workload: 'web', client: '127.0.0.1' }] });
    expect(await plain()).toBe('hello');

    expect(await tulle('mtls', 'enforce', '--force')).toMatchObject({
      code: 0,
      err: expect.stringMatching(
        /^strict: PeerAuthentication default\/move\nchange \S+: confirmed by 1 proxy/,
      ) as string,
    });
    await expect(plain()).rejects.toThrow();
    expect((await tulle('mtls', 'status')).out).toMatch(/ STRICT +default\/move +0 /);
    expect(controlPlane.resource('PeerAuthentication/default/move')?.resource).toMatchObject({
      spec: { mtls: { mode: 'STRICT' } },
    });
  }, 120_000);

  it('says what is in the way of a change', async () => {
    const { controlPlane } = bench.mesh;
    expect(await tulle('mtls', 'enforce', 'nobody')).toMatchObject({
      code: 1,
      err: expect.stringContaining('no workload nobody is connected') as string,
    });
    for (const name of ['a', 'b'])
      controlPlane.provider.open({
        id: `spiffe://test.local/ns/default/sa/${name}~1`,
        cluster: name,
        metadata: { workload: name, ports: [8080], inbound: { port: 15_006 } },
        identity: `spiffe://test.local/ns/default/sa/${name}`,
        userAgent: 'tulle',
        extensions: [],
      });
    controlPlane.apply(
      [
        {
          apiVersion: 'tulle.dev/v1alpha1',
          kind: 'PeerAuthentication',
          metadata: { name: 'all', namespace: 'default' },
          spec: { mtls: { mode: 'PERMISSIVE' } },
        },
      ],
      [],
    );
    expect(await tulle('mtls', 'enforce', 'a')).toMatchObject({
      code: 1,
      err: expect.stringContaining('PeerAuthentication default/all is for b.default too') as string,
    });
    expect(await tulle('mtls', 'enforce', '--dry-run')).toMatchObject({
      code: 0,
      err: expect.stringContaining('2 ports take plain text, and nobody uses it') as string,
    });
  }, 60_000);
});
