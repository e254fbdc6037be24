import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '@bufbuild/protobuf';
import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createResourceDecoder,
  type DiscoverySource,
  type HttpServer,
  type SourceOptions,
} from '../src/index.ts';
import {
  anyOf,
  client,
  cluster,
  endpoints,
  listener,
  portOf,
  routes,
  useSources,
  warnings,
} from './sources-kit.ts';

useSources();

interface Asked {
  readonly path: string;
  readonly body: JsonObject;
}

const rest: DiscoverySource = { kind: 'rest', cluster: 'xds', refreshMs: 20, timeoutMs: 300 };
const restSource: JsonObject = {
  resource_api_version: 'V3',
  api_config_source: {
    api_type: 'REST',
    transport_api_version: 'V3',
    cluster_names: ['xds'],
    refresh_delay: '0.02s',
    request_timeout: '0.3s',
  },
};

let http: Server;
let port: number;
let asked: Asked[];
let hosts: (string | undefined)[];
/** By path: an answer, a status, or `never`. */
let answers: Record<string, JsonObject | string | number>;

beforeEach(async () => {
  asked = [];
  hosts = [];
  answers = {};
  http = createServer((request, response) => {
    void textOf(request).then((text) => {
      const path = request.url ?? '';
      asked.push({ path, body: JSON.parse(text) as JsonObject });
      hosts.push(request.headers.host);
      const answer = answers[path] ?? 404;
      if (answer === 'never') return;
      if (typeof answer === 'number') response.writeHead(answer).end();
      else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  ({ port } = http.address() as AddressInfo);
});
afterEach(() => {
  http.closeAllConnections();
  http.close();
});

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) text += piece as string;
  return text;
}

const says = (version: string, ...resources: readonly JsonObject[]): JsonObject => ({
  version_info: version,
  nonce: `n${version}`,
  resources: [...resources],
});
const server: SourceOptions['server'] = (name) =>
  'cluster' in name && name.cluster === 'xds'
    ? {
        targets: [`127.0.0.1:${port}`],
        channel: () => ({ credentials: credentials.createInsecure() }),
        http: () => ({ address: { host: '127.0.0.1', port }, authority: 'xds' }),
      }
    : undefined;
const sources = (to = server): Partial<SourceOptions> => ({
  server: to,
  roots: { listener: rest, cluster: rest },
});
const last = (path: string): JsonObject | undefined => asked.findLast((one) => one.path === path)?.body;
const EDS = '/v3/discovery:endpoints';

describe('resources that are polled', () => {
  beforeEach(() => {
    answers = {
      '/v3/discovery:listeners': says('1', listener('in', 'r', restSource)),
      '/v3/discovery:clusters': says('1', cluster('a', restSource)),
      '/v3/discovery:routes': says('1', routes('r', 'a')),
      [EDS]: says('1', endpoints('a', 1)),
    };
  });

  it('give a configuration, each kind by itself, and what is taken is said with the next request', async () => {
    const { config } = await client(sources());
    const first = await config(
      (one) => one.listeners.length > 0 && portOf(one) === 1 && one.routes.length > 0,
    );
    expect(first.listeners.map(({ name }) => name)).toEqual(['in']);
    await expect
      .poll(() => last(EDS))
      .toMatchObject({ version_info: '1', response_nonce: 'n1', resource_names: ['a'] });
    const [firstOf] = asked.filter(({ path }) => path === EDS);
    expect(firstOf?.body).toMatchObject({
      type_url: expect.stringMatching(/ClusterLoadAssignment$/) as string,
    });
    expect(firstOf?.body['version_info'] ?? '').toBe('');
    // Each request says who asks: the next one may be for another server.
    expect(asked.every(({ body }) => typeof (body['node'] as JsonObject)['id'] === 'string')).toBe(true);
    expect(new Set(hosts)).toEqual(new Set(['xds']));
  });

  it('change with the next answer, and what is gone from all of them goes', async () => {
    const { config } = await client(sources());
    await config((one) => portOf(one) === 1);
    answers[EDS] = says('2', endpoints('a', 2));
    await config((one) => portOf(one) === 2);
    await expect.poll(() => last(EDS)).toMatchObject({ version_info: '2', response_nonce: 'n2' });
    answers['/v3/discovery:clusters'] = says('2', cluster('a', restSource), cluster('b', restSource));
    answers[EDS] = says('3', endpoints('a', 2), endpoints('b', 5));
    await config((one) => portOf(one, 'b') === 5);
    answers['/v3/discovery:clusters'] = says('3', cluster('a', restSource));
    await config(({ clusters }) => clusters.length === 1);
  });

  it('that are refused are told so with the reason, and the last good ones stay', async () => {
    const { config, configs } = await client(sources());
    await config((one) => portOf(one) === 1);
    answers['/v3/discovery:clusters'] = says('2', {
      ...cluster('a', restSource),
      upstream_config: { name: 'x' },
    });
    await expect
      .poll(() => last('/v3/discovery:clusters'))
      .toMatchObject({
        version_info: '1',
        response_nonce: 'n2',
        error_detail: { message: expect.stringMatching(/upstream_config/) as string },
      });
    expect(portOf(configs.at(-1)!)).toBe(1);
    answers['/v3/discovery:clusters'] = says('3', cluster('a', restSource));
    await expect.poll(() => last('/v3/discovery:clusters')).toMatchObject({ version_info: '3' });
    expect(last('/v3/discovery:clusters')).not.toHaveProperty('error_detail');
  });

  it.each<[string, JsonObject | string | number, RegExp]>([
    ['a status', 500, /500/],
    ['no JSON', '{ "resources": [', /JSON/],
    ['another type', { type_url: 'type.googleapis.com/envoy.config.cluster.v3.Cluster' }, /has the type/],
    ['no answer', 'never', /no answer within 300 ms/],
  ])('stay in use where there is %s, which is told and asked again', async (_, answer, reason) => {
    const { config, configs, xds } = await client(sources());
    await config((one) => portOf(one) === 1);
    answers[EDS] = answer;
    await expect.poll(() => xds.state().lastError ?? '', { timeout: 3_000 }).toMatch(reason);
    await expect.poll(() => warnings.join('\n')).toMatch(reason);
    expect(portOf(configs.at(-1)!)).toBe(1);
    answers[EDS] = says('2', endpoints('a', 2));
    await config((one) => portOf(one) === 2);
  });

  it('are asked for again where nobody answered at first', async () => {
    const before = port;
    port = 1;
    const { config } = await client(sources(), { initialFetchTimeoutMs: 0 });
    await expect.poll(() => warnings.join('\n')).toMatch(/ECONNREFUSED/);
    port = before;
    await config((one) => portOf(one) === 1);
  });

  it.each<[string, Partial<HttpServer>, RegExp]>([
    ['certificates that are not whole', { tls: { ca: '-----BEGIN', cert: '-----BEGIN' } }, /PEM/],
    ['a name that no request can have', { authority: 'サーバー' }, /Invalid character/],
  ])('are asked for again after %s', async (_, broken, reason) => {
    let isBroken = true;
    const { config } = await client(
      sources((name) => {
        const found = server(name);
        return (
          found && { ...found, http: (place) => ({ ...found.http!(place), ...(isBroken ? broken : {}) }) }
        );
      }),
      { initialFetchTimeoutMs: 0 },
    );
    await expect.poll(() => warnings.join('\n')).toMatch(reason);
    isBroken = false;
    await config((one) => portOf(one) === 1);
  });

  it('that did not change are no news', async () => {
    const { config, configs } = await client(sources());
    await config((one) => portOf(one) === 1 && one.routes.length > 0 && one.listeners.length > 0);
    await expect.poll(() => last(EDS)).toMatchObject({ version_info: '1' });
    const count = configs.length;
    const polls = asked.length;
    answers[EDS] = 304;
    await expect.poll(() => asked.length).toBeGreaterThan(polls + 20);
    expect(configs.length).toBe(count);
  });
});

describe('a source of REST', () => {
  const issuesOf = (fields: JsonObject): readonly string[] => {
    const source = {
      resource_api_version: 'V3',
      api_config_source: { ...(restSource['api_config_source'] as JsonObject), ...fields },
    };
    const decoded = createResourceDecoder().decode('cluster', anyOf(cluster('a', source)), { kind: 'ads' });
    return decoded.ok
      ? []
      : decoded.issues.map(({ path, message }) => `${path.split('.').at(-1)} ${message}`);
  };

  it.each<[JsonObject, string[]]>([
    [{}, []],
    [{ cluster_names: [] }, ['cluster_names must hold one cluster, but holds 0']],
    [{ cluster_names: ['a', 'b'] }, ['cluster_names must hold one cluster, but holds 2']],
    [{ refresh_delay: '0s' }, ['refresh_delay must be set, to 1 ms at least']],
    [{ request_timeout: '0s' }, ['request_timeout must be 1 ms at least']],
    [
      { grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }] },
      ['grpc_services must not be set with REST: name a cluster in cluster_names'],
    ],
    [
      { api_type: 'GRPC', cluster_names: [], grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }] },
      ['refresh_delay belongs to REST', 'request_timeout belongs to REST'],
    ],
  ])('with %j', (fields, expected) => {
    expect(issuesOf(fields)).toEqual(expected);
  });
});
