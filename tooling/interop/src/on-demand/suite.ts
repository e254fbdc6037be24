import { strict as assert } from 'node:assert';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@tulle/processes';
import { createXdsServer } from '@tulle/xds-server';
import { VERSION, wheel } from '../envoy/program.ts';
import { startOrigin } from '../mesh.ts';
import { program } from '../needs.ts';
import { rawBootstrap } from '../raw/bootstrap.ts';
import { PROXIES, type StartProxy } from '../raw/proxies.ts';
import type { Case, Suite } from '../suite.ts';
import { until } from '../until.ts';
import { cluster, listener, mark, routes, type Sources, virtualHost } from './resources.ts';

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly mark: string | undefined;
}

/** Asks over a connection of its own. */
async function ask(port: number, headers: Readonly<Record<string, string>>, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, method: 'POST', path: '/x', headers, agent: false, timeout: 10_000 },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => void (text += piece));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: text,
            mark: response.headers['x-mark']?.toString(),
          }),
        );
      },
    );
    request.on('timeout', () =>
      request.destroy(new Error(`no answer to ${JSON.stringify(headers)} within 10 s`)),
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** The same resources, the same requests, whichever proxy. */
async function run(name: string, startProxy: StartProxy, sources: Sources): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tod-'));
  const server = await createXdsServer();
  const origins = await Promise.all(
    ['a', 'b'].map(async (name) =>
      startOrigin((request, response) => {
        let bytes = 0;
        request.on('data', (piece: Buffer) => void (bytes += piece.length));
        request.on('end', () => response.end(`${name} ${bytes}`));
      }),
    ),
  );
  const [a, b] = origins.map(({ port }) => port) as [number, number];
  const port = await freePort();
  const file = join(directory, 'bootstrap.json');
  // Of clusters nobody is told: each is asked for when a request needs it.
  const given = rawBootstrap({ target: server.target, node: 'one', protocol: 'delta' });
  const bootstrap = structuredClone(given) as { dynamic_resources: Record<string, unknown> };
  delete bootstrap.dynamic_resources['cds_config'];
  delete (bootstrap as Record<string, unknown>)['cluster_manager'];
  await writeFile(file, JSON.stringify(bootstrap));
  server.setSnapshot(
    'one',
    [
      listener(port, sources),
      routes(sources),
      mark('first'),
      virtualHost('shop.example', { cluster: 'a' }),
      virtualHost('any.example', { cluster_header: 'x-to' }),
      cluster('a', a),
      cluster('b', b),
    ],
    { missing: 'allow' },
  );
  const proxy = await startProxy(file, directory);
  let asked = 0;
  const expectOf = async (
    headers: Readonly<Record<string, string>>,
    wanted: Answer,
    body = '',
  ): Promise<void> => {
    asked++;
    const answer = await ask(port, headers, body);
    // What a proxy says for itself it says in its own words.
    const compared = wanted.status === 200 ? answer : { ...wanted, status: answer.status };
    assert.deepEqual(compared, wanted, JSON.stringify(headers));
  };
  try {
    await until('the listener serves', async () =>
      assert.equal((await ask(port, { host: 'here.example' })).status, 204),
    );
    const mine = 'first';
    // A virtual host and its cluster, both of which nobody asked for before; a body waits with its request.
    await expectOf({ host: 'shop.example' }, { status: 200, body: 'a 5', mark: mine }, 'hello');
    await expectOf({ host: 'nobody.example' }, { status: 404, body: '', mark: mine });
    await expectOf({ host: 'any.example', 'x-to': 'b' }, { status: 200, body: 'b 0', mark: mine });
    await expectOf({ host: 'any.example', 'x-to': 'none' }, { status: 503, body: '', mark: mine });
    // What was found once follows every change.
    server.put('one', virtualHost('shop.example', { cluster: 'b' }));
    await until('the changed virtual host is in use', async () =>
      assert.equal((await ask(port, { host: 'shop.example' })).body, 'b 0'),
    );
    server.put('one', virtualHost('nobody.example', { cluster: 'a' }));
    await until('the host that was not there is', async () =>
      assert.equal((await ask(port, { host: 'nobody.example' })).body, 'a 0'),
    );
    server.put('one', mark('second'));
    await until('the changed filter is in use', async () =>
      assert.equal((await ask(port, { host: 'shop.example' })).mark, 'second'),
    );
    if (name === 'Tulle') {
      // Envoy asks once for a name, and a request for one that was taken away waits there for ever.
      server.delete('one', 'virtual-host', 'shops/shop.example');
      await until('the virtual host that was taken away is gone', async () =>
        assert.equal((await ask(port, { host: 'shop.example' })).status, 404),
      );
    }
    return `${asked} requests and what follows changes`;
  } finally {
    await proxy.stop();
    await server.close();
    for (const origin of origins) origin.close();
    await rm(directory, { recursive: true, force: true });
  }
}

export const onDemandSuite: Suite<undefined> = {
  name: 'on-demand',
  about: `Virtual hosts, clusters and filters that Envoy ${VERSION} and Tulle alike have from Tulle's raw xDS server when requests need them`,
  needs: [program('python3', 'apt-get install python3-venv'), wheel],
  open: async () => ({ context: undefined, close: async () => {} }),
  cases: (['ads', 'single'] as const).flatMap((sources) =>
    PROXIES.map(([name, startProxy]): Case<undefined> => ({
      name: `${name}, ${sources === 'ads' ? 'over ADS' : 'each type over a stream of its own'}`,
      run: async () => run(name, startProxy, sources),
    })),
  ),
};
