import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';

const NAME = 'tulle-filter-teapot';
const SOURCE = `
import { CONTINUE, defineHttpFilter } from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';
export const teapot = defineHttpFilter({
  apiVersion: 1, id: '${NAME}',
  config: jsonSchema({ type: 'object', additionalProperties: false, required: ['path'], properties: { path: { type: 'string' } } }),
  create: () => ({
    requestHeaders: (stream, config) =>
      stream.request.path === config.path ? stream.reply(418, 'TEAPOT', 'no coffee') : CONTINUE,
  }),
});
`;
const WEB =
  'apiVersion: v1\nkind: Service\nmetadata: { name: web }\nspec: { selector: { app: web }, ports: [{ port: 80 }] }\n';
const POLICY = `apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: teapot }
spec: { targetRefs: [{ group: '', kind: Service, name: web }], filter: ${NAME}, config: { path: /coffee } }
`;
const SERVER =
  "require('http').createServer((q,r)=>r.end('tea')).listen(process.argv[1],'127.0.0.1',()=>console.log('up'))";

describe('filters that are npm packages', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  /** As npm would put it there. */
  function install(version: string, source = SOURCE): void {
    const packages = join(bench.dir, 'node_modules');
    mkdirSync(join(packages, NAME), { recursive: true });
    mkdirSync(join(packages, '@tulle'), { recursive: true });
    const root = join(import.meta.dirname, '../../../packages');
    for (const [name, directory] of [
      ['filter', 'contracts/filter'],
      ['schema', 'mechanisms/schema'],
    ] as const)
      try {
        symlinkSync(join(root, directory), join(packages, '@tulle', name));
      } catch {
        // there from before
      }
    const peerDependencies = { '@tulle/filter': '^0.1.0', '@tulle/schema': '^0.1.0' };
    const manifest = { name: NAME, version, type: 'module', exports: './index.js', peerDependencies };
    writeFileSync(join(packages, NAME, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(packages, NAME, 'index.js'), source);
  }

  it('are allowed, loaded by a sidecar, named by a policy, and seen in a request', async () => {
    install('1.2.3');
    const allowed = await tulle('filters', 'allow', NAME);
    expect(allowed).toMatchObject({ code: 0, out: `${NAME} (http) of ${NAME}@1.2.3\n` });
    const listed = await tulle('filters', 'list');
    expect(listed.code).toBe(0);
    expect(listed.out).toMatch(new RegExp(`${NAME} +http +${NAME}@1\\.2\\.3 +ok`));

    writeFileSync(join(bench.dir, 'web.yaml'), WEB);
    writeFileSync(join(bench.dir, 'policy.yaml'), POLICY);
    await tulle('apply', '-f', 'web.yaml');
    const port = await freePort();
    const program = ['--', process.execPath, '-e', SERVER, port];
    const web = start(...['run', '--name', 'web', '-p', port, '--filters', 'tulle-filters.json', ...program]);
    await web.said(/it takes calls from now on/);
    const caller = start('run', '--name', 'caller', '-u', 'web=0', '--', 'sleep', '1000');
    const [, at] = await caller.said(/web → 127\.0\.0\.1:(\d+)/);
    const statusOf = async (path: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${at}${path}`)).status;
    await expect.poll(async () => statusOf('/coffee'), { timeout: 10_000 }).toBe(200);
    const accepted = async (): Promise<string> => (await tulle('get', 'filterpolicies')).out;
    await tulle('apply', '-f', 'policy.yaml');
    expect(await accepted()).toMatch(/teapot +rest +True +-/);
    await expect.poll(async () => statusOf('/coffee'), { timeout: 10_000 }).toBe(418);
    expect(await statusOf('/tea')).toBe(200);

    // The same policy, and a workload that lacks the filter: told, and nothing else changes.
    writeFileSync(
      join(bench.dir, 'callers.yaml'),
      POLICY.replace('{ targetRefs', '{ direction: outbound, targetRefs'),
    );
    await tulle('apply', '-f', 'callers.yaml');
    expect(await accepted()).toMatch(
      new RegExp(`teapot +rest +False +${NAME} is lacking in spiffe://\\S+/sa/caller~`),
    );
    const document = (await tulle('get', 'filterpolicy', 'teapot', '-o', 'yaml')).out;
    expect(document).toMatch(/conditions:\n +- type: Accepted\n +status: "False"\n +reason: FilterAbsent/);
    writeFileSync(join(bench.dir, 'again.yaml'), document);
    expect((await tulle('apply', '-f', 'again.yaml')).code).toBe(0);
    await expect.poll(async () => statusOf('/coffee'), { timeout: 10_000 }).toBe(200);
  }, 90_000);

  it('are loaded by every process of a gateway, and named by a policy there', async () => {
    install('1.2.3');
    await tulle('filters', 'allow', NAME);
    const route = (name: string): string =>
      `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: ${name} }\nspec:\n  parentRefs: [{ name: edge }]\n  rules: [{ matches: [{ path: { value: /${name} } }], backendRefs: [{ name: web, port: 80 }] }]\n`;
    const parts = [
      WEB,
      'apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: edge }\nspec: { gatewayClassName: tulle, listeners: [{ name: http, port: 80, protocol: HTTP }] }\n',
      route('coffee'),
      route('tea'),
      POLICY.replace(
        "group: '', kind: Service, name: web",
        'group: gateway.networking.k8s.io, kind: HTTPRoute, name: coffee',
      ),
    ];
    writeFileSync(join(bench.dir, 'edge.yaml'), parts.join('---\n'));
    const [port, plain] = [await freePort(), await freePort()];
    await start('run', '--name', 'web', '-p', port, '--', process.execPath, '-e', SERVER, port).said(
      /it takes calls from now on/,
    );
    const flags = ['--name', 'edge', '--listen', `80=${plain}`, '--workers', '2'];
    await start('gateway', ...flags, '--filters', 'tulle-filters.json').said(/default\/edge/);
    const applied = await tulle('apply', '-f', 'edge.yaml');
    expect(applied).toMatchObject({ code: 0 });
    expect((await tulle('get', 'filterpolicies')).out).toMatch(/teapot +rest +True/);
    const statusOf = async (path: string): Promise<number | string> =>
      fetch(`http://127.0.0.1:${plain}${path}`, { headers: { connection: 'close' } }).then(
        ({ status }) => status,
        String,
      );
    await expect.poll(async () => statusOf('/coffee'), { timeout: 20_000 }).toBe(418);
    await expect.poll(async () => statusOf('/tea'), { timeout: 20_000 }).toBe(200);
    const socketPath = join(bench.dir, 'r', 'default.edge.gateway', 'admin.sock');
    for (const worker of [0, 1]) {
      const info = await new Promise<string>((resolve, reject) => {
        request({ socketPath, path: `/server_info?worker=${worker}`, agent: false }, (reply) => {
          let text = '';
          reply.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          reply.on('end', () => resolve(text)).on('error', reject);
        })
          .on('error', reject)
          .end();
      });
      expect((JSON.parse(info) as { readonly filters: readonly string[] }).filters).toContain(
        `${NAME}@0.0.0`,
      );
    }
  }, 90_000);

  it('are refused by name when they are not what was allowed, before anything starts', async () => {
    install('1.2.3');
    await tulle('filters', 'allow', NAME);
    install('1.2.3', `${SOURCE}\nprocess.exit(3);`);
    const run = ['run', '--name', 'web', '--filters', 'tulle-filters.json', '--', 'true'];
    const message = `the files of ${NAME}@1.2.3 are not those that were allowed`;
    expect(await tulle(...run)).toMatchObject({
      code: 65,
      err: expect.stringContaining(message) as string,
    });
    const listed = await tulle('filters', 'list');
    expect(listed).toMatchObject({ code: 79, err: expect.stringContaining(message) as string });
    install('2.0.0');
    expect((await tulle(...run)).err).toContain('is installed in version 2.0.0, allowed is 1.2.3');
    expect(await tulle('run', '--name', 'web', '--filters', 'nowhere.json', '--', 'true')).toMatchObject({
      code: 65,
      err: expect.stringMatching(/nowhere\.json: there is no such file; tulle filters allow/) as string,
    });
    expect(await tulle('filters', 'allow', 'tulle-filter-gone')).toMatchObject({
      code: 65,
      err: expect.stringContaining('tulle-filter-gone is not installed') as string,
    });
  }, 90_000);

  it('are checked by the schema of the allow-list, without their code', async () => {
    install('1.2.3');
    await tulle('filters', 'allow', NAME);
    rmSync(join(bench.dir, 'node_modules'), { recursive: true });
    writeFileSync(join(bench.dir, 'bad.yaml'), POLICY.replace('path: /coffee', 'pth: /coffee'));
    const unchecked = await tulle('analyze', '-f', 'bad.yaml', '--failure-threshold', 'error');
    expect(unchecked.out).toContain('is not known here');
    const checked = await tulle('analyze', '-f', 'bad.yaml', '--filters', 'tulle-filters.json');
    expect(checked.code).toBe(65);
    expect(checked.out).toMatch(/bad\.yaml:4:\d+.*"pth".*did you mean "?path/);
  }, 60_000);
});
