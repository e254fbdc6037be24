import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';
import { call } from './web-client.ts';

const resource = (kind: string, name: string, namespace: string, spec: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { ${spec} }\n---\n`;
/** A route that answers by itself, with its name. */
const route = (name: string, namespace: string, parent: string): string =>
  resource(
    'HTTPRoute',
    name,
    namespace,
    `parentRefs: [{ ${parent} }], rules: [{ filters: [{ type: RequestRedirect, requestRedirect: { hostname: ${name}.moved.example } }] }]`,
  );
const set = (name: string, namespace: string, listeners: string): string =>
  resource(
    'ListenerSet',
    name,
    namespace,
    `parentRef: { name: edge, namespace: default }, listeners: [${listeners}]`,
  );

describe('ListenerSets at a gateway', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;
  const apply = async (...yaml: string[]): Promise<void> => {
    await writeFile(join(bench.dir, 'edge.yaml'), yaml.join(''));
    expect(await tulle('apply', '-f', 'edge.yaml')).toMatchObject({ code: 0 });
  };

  it('of other teams add hosts, ports and certificates; of two for one host the first is served, and the other once that is gone', async () => {
    const made = await tulle(
      'certificate',
      'create',
      'web',
      '--namespace',
      'red',
      '--certificates',
      'certs',
      '--host',
      'red.example',
    );
    expect(made).toMatchObject({ code: 0 });
    const ca = await readFile(made.out.trim(), 'utf8');
    const gateway = (allowed: string): string =>
      resource(
        'Gateway',
        'edge',
        'default',
        `gatewayClassName: tulle, ${allowed} listeners: [{ name: web, port: 80, protocol: HTTP, hostname: own.example }]`,
      );
    const shared = '{ name: web, port: 80, protocol: HTTP, hostname: shared.example }';
    await apply(
      gateway(''),
      route('own', 'default', 'name: edge'),
      set(
        'web',
        'red',
        `${shared}, { name: tls, port: 443, protocol: HTTPS, hostname: red.example, tls: { certificateRefs: [{ name: web }] } }`,
      ),
      route('red', 'red', 'kind: ListenerSet, name: web'),
    );
    const [http, https] = [await freePort(), await freePort()];
    await start(
      'gateway',
      '--name',
      'edge',
      '--certificates',
      'certs',
      '--listen',
      `80=${http}`,
      '--listen',
      `443=${https}`,
    ).said(/Gateway default\/edge listens/);
    const who = async (host: string): Promise<string> => {
      const { status, headers } = await call(http, { host });
      return status === 302 ? (/\/\/(\w+)\./.exec(headers.location ?? '')?.[1] ?? '') : String(status);
    };
    const securely = async (): Promise<string> =>
      call(https, { host: 'red.example', ca }).then(
        ({ headers }) => headers.location ?? '',
        (error: NodeJS.ErrnoException) => error.code ?? '',
      );
    await expect.poll(() => who('own.example'), { timeout: 15_000 }).toBe('own');
    // The Gateway takes none by default.
    expect([await who('shared.example'), await securely()]).toEqual(['404', 'ECONNREFUSED']);

    await apply(
      gateway(
        'allowedListeners: { namespaces: { from: Selector, selector: { matchExpressions: [{ key: kubernetes.io/metadata.name, operator: In, values: [red, blue] }] } } },',
      ),
    );
    await expect.poll(() => securely(), { timeout: 15_000 }).toContain('red.moved.example');
    expect([await who('shared.example'), await who('own.example')]).toEqual(['red', 'own']);

    await apply(set('web', 'blue', shared), route('blue', 'blue', 'kind: ListenerSet, name: web'));
    // By name blue comes before red.
    await expect.poll(() => who('shared.example'), { timeout: 15_000 }).toBe('blue');
    expect(await securely()).toContain('red.moved.example');
    const status = async (namespace: string): Promise<string> =>
      (await tulle('get', 'listenerset', 'web', '-n', namespace, '-o', 'yaml')).out.replaceAll(/\s+/g, ' ');
    await expect
      .poll(() => status('blue'), { timeout: 15_000 })
      .not.toMatch(/status: "False" reason: (?!NoConflicts)/);
    expect(await status('red')).toMatch(/type: Conflicted status: "True" reason: HostnameConflict/);
    expect((await tulle('delete', 'listenerset', 'web', '-n', 'blue')).code).toBe(0);
    await expect.poll(() => who('shared.example'), { timeout: 15_000 }).toBe('red');
  }, 60_000);
});
