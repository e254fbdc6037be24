import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, type JsonObject, fromJson } from '@bufbuild/protobuf';
import { type Any, anyPack, AnySchema } from '@bufbuild/protobuf/wkt';
import { credentials } from '@grpc/grpc-js';
import { bootstrapTypes } from '@tulle/envoy-bootstrap';
import { loadStandardFilters } from '@tulle/standard/load';
import {
  memoryNetwork,
  fakeClock,
  httpUpstream,
  seededRandom,
  testProxy,
  type TestProxy,
} from '@tulle/testkit';
import { createXdsClient, resourceTypes, type XdsClient } from '@tulle/xds-client';
import { DeltaDiscoveryResponseSchema } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeCertificates } from '../certificates.ts';
import { type Base, bases, ODD_CLUSTER, ODD_ENDPOINTS, ODD_LISTENER, ODD_ROUTES } from './bases.ts';
import { type Liar, named, startLiar, type Verdict } from './liar.ts';
import { type Mutation, mutations } from './mutations.ts';

const TYPE = 'type.googleapis.com/';
const LISTENER = `${TYPE}envoy.config.listener.v3.Listener`;
const CLUSTER = `${TYPE}envoy.config.cluster.v3.Cluster`;
const ROUTES = `${TYPE}envoy.config.route.v3.RouteConfiguration`;
const ENDPOINTS = `${TYPE}envoy.config.endpoint.v3.ClusterLoadAssignment`;
const NAMES: Readonly<Record<string, string>> = {
  [LISTENER]: ODD_LISTENER,
  [CLUSTER]: ODD_CLUSTER,
  [ROUTES]: ODD_ROUTES,
  [ENDPOINTS]: ODD_ENDPOINTS,
};
const SEED = Number(process.env['TULLE_ODD_SEED'] ?? 7);
/** Every way for every field at night, so many of them by chance else. */
const SOME = 1_200;

const directory = mkdtempSync(join(tmpdir(), 'tulle-odd-'));
let liar: Liar;
let proxy: TestProxy;
let xds: XdsClient;
let version = 0;

const typed = (type: string, fields: JsonObject): JsonObject => ({ '@type': TYPE + type, ...fields });
const any = (json: JsonObject): Any => fromJson(AnySchema, json, { registry: resourceTypes });
const manager = (routes: JsonObject): JsonObject =>
  typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'in',
    ...routes,
    http_filters: [
      { name: 'router', typed_config: typed('envoy.extensions.filters.http.router.v3.Router', {}) },
    ],
  });
const listener = (name: string, port: number, routes: JsonObject): JsonObject =>
  typed('envoy.config.listener.v3.Listener', {
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: port } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager(routes) }] }],
  });
const to = (cluster: string): JsonObject[] => [
  { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster } }] },
];

/** What must go on working whatever happens. */
const control = (): [string, JsonObject][] => [
  [
    CLUSTER,
    typed('envoy.config.cluster.v3.Cluster', {
      name: 'control',
      load_assignment: {
        cluster_name: 'control',
        endpoints: [
          {
            lb_endpoints: [
              { endpoint: { address: { socket_address: { address: '10.0.0.1', port_value: 80 } } } },
            ],
          },
        ],
      },
    }),
  ],
  [
    CLUSTER,
    typed('envoy.config.cluster.v3.Cluster', {
      name: 'by-name',
      type: 'EDS',
      eds_cluster_config: {
        eds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0.001s' },
        service_name: ODD_ENDPOINTS,
      },
    }),
  ],
  [LISTENER, listener('control', 1, { route_config: { name: 'control', virtual_hosts: to('control') } })],
  [
    LISTENER,
    listener('by-name', 2, {
      rds: {
        route_config_name: ODD_ROUTES,
        config_source: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0.001s' },
      },
    }),
  ],
];

async function sendControl(): Promise<void> {
  for (const [type, json] of control()) {
    const verdict = await liar.send(type, [named(json['name'] as string, any(json), 'control')]);
    if (!verdict.taken) throw new Error(verdict.message);
  }
}

beforeAll(async () => {
  await writeCertificates(directory);
  liar = await startLiar();
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  httpUpstream(network, '10.0.0.1:80', () => ({ body: 'control' }));
  proxy = await testProxy({
    config: { version: '', listeners: [], routes: [], clusters: [], endpoints: [] },
    registry: await loadStandardFilters(),
    danglingReferences: 'allow',
    clock,
    network,
  });
  xds = createXdsClient({
    targets: [liar.target],
    channel: () => ({ credentials: credentials.createInsecure() }),
    sources: { server: () => undefined },
    node: { id: 'odd' },
    backoff: { baseMs: 1, maxMs: 5 },
    maxResources: 5_000,
    maxMessageBytes: 4 * 1024 * 1024,
    changeHoldMs: 200,
    onConfig: async (config) => {
      await proxy.proxy.update(config);
      return { ok: true };
    },
  });
  await xds.start();
  await liar.opened();
  await sendControl();
});

afterAll(async () => {
  await xds.stop();
  await proxy.stop();
  liar.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The proxy answers by what it was given first. */
async function stillServes(): Promise<void> {
  const client = proxy.client({ listener: 'control' });
  const response = await client.request({ path: '/', headers: { host: 'a' } });
  expect([response.status, response.body]).toEqual([200, 'control']);
}

const within = async <T>(promise: Promise<T>, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within 10 s to ${what}`)), 10_000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
};

const send = async (type: string, resource: Any, what: string): Promise<Verdict> =>
  within(liar.send(type, [named(NAMES[type] as string, resource, `v${++version}`)]), what);

/** What the engine has of the resource in question. */
function inUse(type: string): string {
  const { listeners, clusters, routes, endpoints } = proxy.proxy.config;
  const list = { [LISTENER]: listeners, [CLUSTER]: clusters, [ROUTES]: routes, [ENDPOINTS]: endpoints }[type];
  return JSON.stringify((list ?? []).find(({ name }) => name === NAMES[type])) ?? 'none';
}

interface Case {
  readonly base: Base;
  readonly mutation: Mutation;
}

/** One case for each way with each field of each message. */
function allCases(): Case[] {
  const seen = new Set<string>();
  return bases(directory).flatMap((base) =>
    [...mutations(base.schema, base.message, bootstrapTypes)].flatMap((mutation) => {
      if (seen.has(mutation.what)) return [];
      seen.add(mutation.what);
      return [{ base, mutation }];
    }),
  );
}

function chosen(all: readonly Case[]): readonly Case[] {
  if (process.env['TULLE_NIGHTLY'] === '1') return all;
  const random = seededRandom(SEED);
  return all
    .map((one) => [random(), one] as const)
    .toSorted(([a], [b]) => a - b)
    .slice(0, SOME)
    .map(([, one]) => one);
}

describe('a resource with one odd field', () => {
  it('is taken, or refused with the path, and what is in use stays', { timeout: 600_000 }, async () => {
    const all = allCases();
    const cases = chosen(all);
    expect(cases.length).toBeGreaterThanOrEqual(500);
    let taken = 0;
    let refused = 0;
    const wrong: string[] = [];
    for (const { base, mutation } of cases) {
      const type = TYPE + base.schema.typeName;
      const what = `${base.from}: ${mutation.path}: ${mutation.what}`;
      await send(type, anyPack(base.schema, base.message as never), `the good one of ${what}`);
      const before = inUse(type);
      const verdict = await send(type, anyPack(base.schema, mutation.apply() as never), what);
      if (verdict.taken) taken++;
      else {
        refused++;
        if (inUse(type) !== before) wrong.push(`${what}: refused, but the last good one is gone`);
        if (!namesAPath(verdict.message))
          wrong.push(`${what}: names no path: ${verdict.message.slice(0, 300)}`);
      }
      if ((taken + refused) % 20 === 0) await stillServes();
    }
    await stillServes();
    expect(wrong).toEqual([]);
    expect(xds.state()).toMatchObject({ connected: true, streams: 1 });
    console.log(
      `odd resources: ${taken} taken, ${refused} refused of ${cases.length} (of ${all.length} ways with a field; seed ${SEED})`,
    );
  });
});

/** `listener "odd": filter_chains[0].name: is missing`; what cannot be read at all has no field to name. */
function namesAPath(message: string): boolean {
  return message
    .split('\n')
    .every((line) =>
      /"[^"]*": (?:[a-z_/][^ ]*: \S|must be a |cannot be read: |is named "|and \d+ more|needs the )/.test(
        line,
      ),
    );
}

describe('a stream that misbehaves', () => {
  const cluster = (name: string, more: JsonObject = {}): Any =>
    any(typed('envoy.config.cluster.v3.Cluster', { name, ...more }));

  it('with a resource twice in one response: refused, the others are taken', async () => {
    const verdict = await within(
      liar.send(CLUSTER, [
        named('two', cluster('two'), '1'),
        named('two', cluster('two'), '2'),
        named('three', cluster('three'), '1'),
      ]),
      'a resource twice',
    );
    expect(verdict).toEqual({ taken: false, message: 'cluster "two": is in the response more than once' });
    expect(proxy.proxy.config.clusters.map(({ name }) => name)).toContain('three');
  });

  it('with a resource of another name inside', async () => {
    const verdict = await within(
      liar.send(CLUSTER, [named('outside', cluster('inside'), '1')]),
      'another name',
    );
    expect(verdict).toEqual({ taken: false, message: 'cluster "outside": is named "inside" inside' });
  });

  it('with one that is sent and removed at once', async () => {
    const verdict = await within(liar.send(CLUSTER, [named('four', cluster('four'), '1')], ['four']), 'both');
    expect(verdict).toEqual({ taken: false, message: 'cluster "four": is both sent and removed' });
  });

  it('with a type that was never asked for', async () => {
    const verdict = await within(liar.send(`${TYPE}nobody.Knows`, []), 'an unknown type');
    expect(verdict).toMatchObject({ taken: false });
  });

  it('with nothing in a response', async () => {
    expect(await within(liar.send(CLUSTER, []), 'nothing')).toEqual({ taken: true });
  });

  it('with names that nobody asked for, and a removal of what was never there', async () => {
    const verdict = await within(
      liar.send(
        ROUTES,
        [
          named(
            'nobody-asked',
            any(typed('envoy.config.route.v3.RouteConfiguration', { name: 'nobody-asked' })),
            '1',
          ),
        ],
        ['never-there'],
      ),
      'names that nobody asked for',
    );
    expect(verdict).toEqual({ taken: true });
    await stillServes();
  });

  it(
    'with more resources than there is room for: those that fit are taken',
    { timeout: 60_000 },
    async () => {
      const many = Array.from({ length: 6_000 }, (_, i) => named(`m${i}`, cluster(`m${i}`), '1'));
      const verdict = await within(liar.send(CLUSTER, many), 'too many');
      expect(verdict).toMatchObject({ taken: false });
      expect(!verdict.taken && verdict.message).toMatch(
        /there is no room for another resource \(maxResources\)/,
      );
      await stillServes();
      await within(
        liar.send(
          CLUSTER,
          [],
          many.map(({ name }) => name),
        ),
        'removal',
      );
      await stillServes();
    },
  );

  it('that ends: what is in use stays, and another is opened', async () => {
    const { streams } = liar;
    liar.call().end();
    await within(liar.opened(streams), 'the end of the stream');
    await stillServes();
    await sendControl();
  });

  it('with a message that is too large: another stream is opened', async () => {
    const { streams } = liar;
    liar.write(
      create(DeltaDiscoveryResponseSchema, {
        typeUrl: CLUSTER,
        nonce: 'large',
        resources: [named('large', { ...cluster('large'), value: new Uint8Array(5 * 1024 * 1024) }, '1')],
      }),
    );
    await within(liar.opened(streams), 'a message that is too large');
    await stillServes();
    await sendControl();
  });

  it('that begins a change and never ends it: dropped, and another stream is opened', async () => {
    const { streams } = liar;
    liar.write(
      create(DeltaDiscoveryResponseSchema, {
        typeUrl: CLUSTER,
        nonce: 'half',
        controlPlane: { identifier: JSON.stringify({ change: 'half', last: false }) },
        resources: [named('half', cluster('half'), '1')],
      }),
    );
    await within(liar.opened(streams), 'a change without an end');
    expect(proxy.proxy.config.clusters.map(({ name }) => name)).not.toContain('half');
    await stillServes();
    await sendControl();
  });
});

describe('contradictions that no single field shows', () => {
  const hand: [name: string, type: string, json: JsonObject, reason: RegExp][] = [
    [
      'the same domain in two virtual hosts',
      ROUTES,
      typed('envoy.config.route.v3.RouteConfiguration', {
        name: ODD_ROUTES,
        virtual_hosts: [...to('control'), { name: 'again', domains: ['*'], routes: [] }],
      }),
      /virtual_hosts|\/virtualHosts|domain/,
    ],
    [
      'two routes with an expression that RE2 refuses',
      ROUTES,
      typed('envoy.config.route.v3.RouteConfiguration', {
        name: ODD_ROUTES,
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              { match: { safe_regex: { regex: '(?=a)b' } }, route: { cluster: 'control' } },
              { match: { safe_regex: { regex: '(a)\\1' } }, route: { cluster: 'control' } },
            ],
          },
        ],
      }),
      /routes\/0\/match\/path.*routes\/1\/match\/path/s,
    ],
    [
      'two filter chains that match the same',
      LISTENER,
      typed('envoy.config.listener.v3.Listener', {
        name: ODD_LISTENER,
        address: { socket_address: { address: '127.0.0.1', port_value: 9 } },
        filter_chains: [1, 2].map((n) => ({
          name: `chain-${n}`,
          filter_chain_match: { server_names: ['a.example'] },
          filters: [
            {
              name: 'http',
              typed_config: manager({ route_config: { name: 'r', virtual_hosts: to('control') } }),
            },
          ],
        })),
      }),
      /filter_chains\[1\]|filterChains/,
    ],
    [
      'an address that another listener has',
      LISTENER,
      listener(ODD_LISTENER, 1, { route_config: { name: 'r', virtual_hosts: to('control') } }),
      /address/,
    ],
    [
      'an EDS cluster with endpoints of its own',
      CLUSTER,
      typed('envoy.config.cluster.v3.Cluster', {
        name: ODD_CLUSTER,
        type: 'EDS',
        eds_cluster_config: { eds_config: { ads: {}, resource_api_version: 'V3' } },
        load_assignment: { cluster_name: ODD_CLUSTER },
      }),
      /load_assignment/,
    ],
  ];

  it.each(hand)('%s', async (what, type, json, reason) => {
    const before = inUse(type);
    const verdict = await send(type, any(json), what);
    expect(verdict).toMatchObject({ taken: false });
    expect(!verdict.taken && verdict.message).toMatch(reason);
    expect(inUse(type)).toBe(before);
    await stillServes();
  });
});
