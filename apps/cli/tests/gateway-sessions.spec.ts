import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench, type Running } from './tulle-bench.ts';
import { call } from './web-client.ts';

/** Answers with its own port, which it is given. */
const PROGRAM =
  "require('http').createServer((q,r)=>r.end(process.argv[1])).listen(process.argv[1],'127.0.0.1')";
const resource = (group: string, kind: string, name: string, spec: string): string =>
  `apiVersion: ${group}v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: { ${spec} }\n---\n`;
const GATEWAY_API = 'gateway.networking.k8s.io/';

describe('sessions at a gateway', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('stay at one of several processes, whatever the weights say, until it is gone', async () => {
    const apply = async (...yaml: string[]): Promise<void> => {
      await writeFile(join(bench.dir, 'edge.yaml'), yaml.join(''));
      expect(await tulle('apply', '-f', 'edge.yaml')).toMatchObject({ code: 0 });
    };
    const service = (name: string): string =>
      resource('', 'Service', name, `selector: { app: ${name} }, ports: [{ port: 80 }]`);
    const route = (red: number, blue: number): string =>
      resource(
        GATEWAY_API,
        'HTTPRoute',
        'shop',
        `parentRefs: [{ name: edge }], rules: [{ sessionPersistence: { sessionName: sid }, backendRefs: [{ name: red, port: 80, weight: ${red} }, { name: blue, port: 80, weight: ${blue} }] }]`,
      );
    await apply(
      service('red'),
      service('blue'),
      resource(
        GATEWAY_API,
        'Gateway',
        'edge',
        'gatewayClassName: tulle, listeners: [{ name: http, port: 80, protocol: HTTP }]',
      ),
      route(1, 0),
    );
    const programs = new Map<string, Running>();
    for (const name of ['red', 'red', 'blue']) {
      const port = await freePort();
      const one = start('run', '--name', name, '-p', port, '--', process.execPath, '-e', PROGRAM, port);
      await one.said(/it takes calls from now on/);
      programs.set(port, one);
    }
    const edge = await freePort();
    await start('gateway', '--name', 'edge', '--listen', `80=${edge}`).said(/Gateway default\/edge listens/);
    const ask = async (cookie = ''): Promise<{ from: string; cookie: string }> => {
      const { text, headers } = await call(edge, { headers: cookie === '' ? {} : { cookie } });
      return { from: text, cookie: headers['set-cookie']?.[0]?.split(';')[0] ?? '' };
    };
    await expect.poll(async () => (await ask()).cookie, { timeout: 15_000 }).toMatch(/^sid=/);
    const mine = await ask();
    await apply(route(0, 1));
    // New callers come to blue, and this one stays.
    const red = [...programs.keys()].slice(0, 2);
    await expect.poll(async () => red.includes((await ask()).from), { timeout: 15_000 }).toBe(false);
    for (let i = 0; i < 10; i++) expect(await ask(mine.cookie)).toEqual({ from: mine.from, cookie: '' });
    const gone = programs.get(mine.from) as Running;
    gone.process.kill('SIGTERM');
    await expect
      .poll(async () => (await ask(mine.cookie)).from !== mine.from, { timeout: 15_000 })
      .toBe(true);
    const next = await ask(mine.cookie);
    expect(next.cookie).toMatch(/^sid=/);
    expect((await ask(next.cookie)).from).toBe(next.from);
  }, 60_000);
});
