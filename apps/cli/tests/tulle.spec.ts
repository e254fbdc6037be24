import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench, type Ended } from './tulle-bench.ts';

describe('tulle', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  const SERVER =
    "const s=require('http').createServer((q,r)=>r.end('hello from '+process.env.V));s.listen(0,'127.0.0.1',()=>console.log('on '+s.address().port))";
  const service = (port: string): string =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: Number(port) }] },
    });

  it('runs a program in the mesh: another one calls it by a local port, and ends with its own exit code', async () => {
    const port = await freePort();
    await writeFile(join(bench.dir, 'web.json'), service(port));
    expect(await tulle('apply', '-f', 'web.json')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/Service\/default\/web +changed/) as string,
    });
    const web = start(
      'run',
      '--name',
      'web',
      '--port',
      port,
      '--',
      process.execPath,
      '-e',
      SERVER.replace('listen(0', `listen(${port}`),
    );
    await web.said(/on \d+/);
    await web.said(/spiffe:\/\/test\.local\/ns\/default\/sa\/web joined/);
    await web.said(new RegExp(`web: the program accepts on port ${port}: it takes calls from now on`));
    const job =
      "const u='http://'+process.env.TULLE_UPSTREAM_WEB;(async()=>{for(;;){const r=await fetch(u);if(r.status===200){console.log(await r.text(),process.env.TULLE_TOKEN);process.exit(7)}}})()";
    const called = await tulle(
      'run',
      '--name',
      'job',
      '--upstream',
      'web=0',
      '--quiet',
      '--',
      process.execPath,
      '-e',
      job,
    );
    expect(called).toMatchObject({ code: 7, out: expect.stringContaining('hello from') as string });

    const status = await tulle('status');
    expect(status.out).toMatch(
      /^NAME +CONNECTED +SEEN +CDS +EDS +LDS +RDS +PROFILE +CHANGE\nweb-\S+\.default +yes +now +SYNCED +/m,
    );
    expect(JSON.parse((await tulle('status', '-o', 'json')).out)).toMatchObject({
      trustDomain: 'test.local',
    });
    expect((await tulle('config', 'listeners', 'web')).out).toMatch(/LISTENER +ADDRESS/);
    expect(await tulle('config', 'listeners', 'wbe')).toMatchObject({
      code: 1,
      err: expect.stringContaining('did you mean web?') as string,
    });

    web.process.kill('SIGTERM');
    expect((await web.ended).code).toBe(128 + 15);
  }, 60_000);

  it('gives the program each signal once and waits for it', async () => {
    const program =
      "let n=0;process.on('SIGINT',()=>{n++;setTimeout(()=>{console.log('got '+n);process.exit(3)},50)});console.log('the program is there');setInterval(()=>{},1e6)";
    const one = start('run', '--name', 'sig', '--', process.execPath, '-e', program);
    await one.said(/the program is there\n/);
    one.process.kill('SIGINT');
    expect(await one.ended).toMatchObject({ code: 3, out: expect.stringContaining('got 1') as string });
  }, 60_000);

  it('applies all or nothing, with the place of every fault, and gets and deletes', async () => {
    await writeFile(
      join(bench.dir, 'bad.yaml'),
      'apiVersion: v1\nkind: Service\nmetadata: { name: ok }\nspec: { selector: { app: a }, ports: [{ port: 80 }] }\n---\napiVersion: v1\nkind: Service\nmetadata: { name: bad }\nspec: { selektor: { app: a }, ports: [{ port: 80 }] }\n',
    );
    expect(await tulle('apply', '-f', 'bad.yaml')).toMatchObject({
      code: 65,
      out: expect.stringMatching(/bad\.yaml:9:9 Error \[TULLE0201\].*did you mean "selector"/) as string,
      err: expect.stringContaining('Nothing was applied') as string,
    });
    expect(await tulle('get', 'services')).toMatchObject({
      code: 0,
      out: '',
      err: expect.stringContaining('No Service found') as string,
    });
    await writeFile(join(bench.dir, 'web.json'), service('8080'));
    await tulle('apply', '-f', 'web.json');
    expect((await tulle('get', 'svc', '-o', 'name')).out).toBe('service/web\n');
    expect((await tulle('get', 'svc', 'web', '-o', 'yaml')).out).toContain('targetPort: 8080');
    expect((await tulle('apply', '-f', 'web.json')).out).toMatch(/unchanged/);
    await writeFile(
      join(bench.dir, 'edge.yaml'),
      'apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: edge }\nspec: { gatewayClassName: tulle, listeners: [{ name: http, port: 80, protocol: HTTP }] }\n',
    );
    await tulle('apply', '-f', 'edge.yaml');
    const edge = (await tulle('get', 'gateway', 'edge', '-o', 'yaml')).out;
    expect(edge).toMatch(/observedGeneration: 1/);
    expect(edge).toContain('start one: tulle gateway --name edge');
    await writeFile(join(bench.dir, 'edge.yaml'), edge);
    expect((await tulle('apply', '-f', 'edge.yaml')).out).toMatch(/unchanged/);
    await tulle('delete', 'gateway', 'edge');
    expect((await tulle('get', 'svc', '-o', 'jsonpath={.items[*].metadata.name}')).out).toBe('web\n');
    expect((await tulle('get', 'svc', '-l', 'app=none', '-o', 'name')).out).toBe('');
    const watch = start('get', 'svc', '-w', '-o', 'jsonl', '--sort-by', 'name');
    await watch.said(/"name":"web"/);
    expect(await tulle('delete', 'svc', 'web')).toMatchObject({ code: 0, out: 'service/web removed\n' });
    expect((await tulle('apply', '-f', 'web.json')).code).toBe(0);
    const gone = await tulle('delete', 'svc', 'web', 'nobody', '-o', 'json');
    expect(gone).toMatchObject({ code: 1, err: expect.stringContaining('service/nobody: ') as string });
    expect(JSON.parse(gone.out)).toMatchObject({
      items: [
        { kind: 'Service', name: 'web', result: 'removed' },
        { kind: 'Service', name: 'nobody', result: 'not found' },
      ],
    });
    watch.process.kill('SIGINT');
    expect((await watch.ended).code).toBe(130);
    expect((await tulle('delete', 'svc', 'web')).code).toBe(1);
    expect((await tulle('delete', 'svc', 'web', '--ignore-not-found')).code).toBe(0);
  }, 60_000);

  it('waits until the proxies that a change concerns have confirmed it, and says which have not', async () => {
    const port = await freePort();
    await writeFile(join(bench.dir, 'web.json'), service(port));
    expect((await tulle('apply', '-f', 'web.json')).err).toMatch(
      /change \S+: concerns no proxy that is connected/,
    );
    const caller = start('run', '--name', 'caller', '--upstream', 'web=0', '--', 'sleep', '1000');
    await caller.said(/joined/);
    await writeFile(join(bench.dir, 'web.json'), service('1'));
    await writeFile(
      join(bench.dir, 'route.yaml'),
      "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: web }\nspec:\n  parentRefs: [{ group: '', kind: Service, name: web }]\n  rules: [{ backendRefs: [{ name: web, port: 80 }] }]\n",
    );
    expect(await tulle('apply', '-f', 'route.yaml')).toMatchObject({
      code: 0,
      err: expect.stringMatching(/change \S+: confirmed by 1 proxy within \d+ ms/) as string,
    });
    const frozen = caller.process.pid as number;
    process.kill(frozen, 'SIGSTOP');
    try {
      expect(await tulle('delete', 'httproute', 'web', '--wait', '0.5')).toMatchObject({
        code: 1,
        out: 'httproute/web removed\n',
        err: expect.stringMatching(
          /is taken, but after 0\.5 s these proxies have not confirmed it: \S+\/caller~/,
        ) as string,
      });
    } finally {
      process.kill(frozen, 'SIGCONT');
    }
    expect((await tulle('apply', '-f', 'route.yaml', '--wait', '0')).err).toMatch(/^change \S+\n$/);
  }, 60_000);

  it('makes join tokens that work once, and rotates certificates', async () => {
    const token = (await tulle('token', 'create', 'web')).out.trim();
    expect(token).toMatch(/^tulle-join-1\./);
    const run = async (state: string): Promise<Ended> =>
      start(
        'run',
        '--name',
        'web',
        '--token',
        token,
        '--namespace',
        'default',
        '--api',
        `unix:${bench.dir}/none`,
        '-q',
        '--',
        'true',
      ).ended.then((e) => ({ ...e, err: `${state} ${e.err}` }));
    expect((await run('first')).code).toBe(0);
    await rm(join(bench.dir, 's', 'proxies'), { recursive: true });
    expect(await run('second')).toMatchObject({
      code: 1,
      err: expect.stringContaining('join token was refused') as string,
    });
    expect((await tulle('ca', 'rotate', 'leaves')).code).toBe(0);
    expect((await tulle('ca', 'rotate', 'leafs')).code).toBe(64);
  }, 60_000);

  it('starts a control plane that the other commands find, and says so when one runs already', async () => {
    const again = await tulle('control-plane');
    expect(again).toMatchObject({
      code: 1,
      err: expect.stringContaining('a control plane runs already') as string,
    });
    await bench.mesh.close();
    const plane = start('control-plane', '--trust-domain', 'test.local');
    await plane.said(/REST http:/);
    expect((await tulle('status')).code).toBe(0);
    plane.process.kill('SIGTERM');
    expect((await plane.ended).code).toBe(0);
    expect((await tulle('status')).code).toBe(69);
  }, 60_000);

  it('ends with the agreed codes, in every format', async () => {
    expect((await tulle('frobnicate')).code).toBe(64);
    expect((await tulle('status', '--api', 'http://127.0.0.1:1')).code).toBe(69);
    expect((await tulle('run', '--name', 'x', '--', '/no/such/program')).code).toBe(1);
    expect(await tulle('control-plane', '--leaf-seconds', '9')).toMatchObject({
      code: 64,
      err: expect.stringContaining('--leaf-seconds 9 is no lifetime of a certificate') as string,
    });
    expect((await tulle('check', '-o', 'json')).code).toBe(0);
  }, 60_000);
});
