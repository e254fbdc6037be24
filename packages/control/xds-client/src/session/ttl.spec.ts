import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { ProxyConfig } from '@tulle/model';
import { encodeResource } from '@tulle/xds-server';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { beforeEach, expect, it } from 'vitest';
import { edsCluster, endpointsAt } from '../../tests/fixtures.ts';
import { createResourceDecoder } from '../decode/resource.ts';
import { type ResourceKind, TYPE_URLS } from '../wire.ts';
import type { Session } from './contract.ts';
import type { ClientRequest, ReceivedResource } from './messages.ts';
import { createSession } from './session.ts';
import { emptyStore } from './store.ts';

let now: number;
let configs: ProxyConfig[];
let requests: ClientRequest[];
let session: Session;

beforeEach(() => {
  now = 0;
  configs = [];
  requests = [];
  session = createSession({
    decoder: createResourceDecoder(),
    initial: emptyStore(),
    maxResources: 10,
    maxDemands: 100,
    warmingMs: 15_000,
    holdMs: 30_000,
    send: (request) => void requests.push(request),
    apply(config) {
      configs.push(config);
      queueMicrotask(() => session.applied({ ok: true }));
    },
    accepted() {},
    refused() {},
    abandon() {},
    warn() {},
    nowMs: () => now,
    epochMs: () => now,
  });
  session.connected();
});

async function respond(kind: ResourceKind, ...resources: readonly ReceivedResource[]): Promise<void> {
  session.response({
    typeUrl: TYPE_URLS[kind],
    nonce: `${kind} ${now}`,
    changeId: '',
    last: undefined,
    resources,
    removed: [],
  });
  await Promise.resolve();
}

/** Moves the clock step by step, as the client's timer does. */
async function wait(ms: number): Promise<void> {
  const end = now + ms;
  for (;;) {
    const at = session.deadlineMs();
    if (at === undefined || at > end) break;
    now = Math.max(now, at);
    session.expire();
    await Promise.resolve();
  }
  now = end;
}

const cluster = (name: string, ttlMs?: number): ReceivedResource => ({
  name,
  version: '1',
  any: anyPack(ClusterSchema, create(ClusterSchema, { name })),
  ...(ttlMs !== undefined && { ttlMs }),
});
const beat = (name: string, ttlMs: number): ReceivedResource => ({
  name,
  version: '1',
  any: undefined,
  ttlMs,
});
const names = (): string[] => configs.at(-1)?.clusters.map(({ name }) => name) ?? [];

it('a resource with a TTL goes when it was not said again in time', async () => {
  await respond('cluster', cluster('a', 1_000), cluster('b'));
  await wait(999);
  expect(names()).toEqual(['a', 'b']);
  await wait(1);
  expect(names()).toEqual(['b']);
});

it('a heartbeat keeps it, is acknowledged, and changes nothing', async () => {
  await respond('cluster', cluster('a', 1_000));
  for (let i = 0; i < 5; i++) {
    await wait(900);
    requests = [];
    await respond('cluster', beat('a', 1_000));
    expect(requests).toMatchObject([{ nonce: `cluster ${now}` }]);
    expect(requests[0]).not.toHaveProperty('error');
  }
  expect(configs).toHaveLength(1);
  await wait(1_000);
  expect(names()).toEqual([]);
});

it('a TTL that is left out later is one no more', async () => {
  await respond('cluster', cluster('a', 1_000));
  await respond('cluster', { ...cluster('a'), version: '2' });
  await wait(60_000);
  expect(names()).toEqual(['a']);
});

it('one goes without a stream too: then most of all', async () => {
  await respond('cluster', cluster('a', 1_000), cluster('b'));
  session.disconnected();
  await wait(1_000);
  expect(names()).toEqual(['b']);
  requests = [];
  session.connected();
  const claimed = requests.find(({ typeUrl }) => typeUrl === TYPE_URLS.cluster)?.initialVersions;
  expect(claimed).toEqual({ b: '1' });
  await respond('cluster', cluster('a', 1_000));
  expect(names()).toEqual(['a', 'b']);
});

it('endpoints whose time is over leave a cluster without any, though the cluster stays', async () => {
  const eds = { name: 'a', version: '1', any: encodeResource('cluster', edsCluster('a')) };
  await respond('cluster', eds);
  const any = encodeResource('endpoint', endpointsAt('a', 1));
  await respond('endpoint', { name: 'a', version: '1', any, ttlMs: 500 });
  expect(configs.at(-1)?.endpoints).toHaveLength(1);
  await wait(500);
  expect(names()).toEqual(['a']);
  expect(configs.at(-1)?.endpoints).toEqual([]);
});

it('the word of a server that does not give a resource ends no time of it', async () => {
  await respond('cluster', { name: 'a', version: '1', any: encodeResource('cluster', edsCluster('a')) });
  const any = encodeResource('endpoint', endpointsAt('a', 1));
  await respond('endpoint', { name: 'a', version: '1', any, ttlMs: 500 });
  session.response({
    typeUrl: TYPE_URLS.endpoint,
    nonce: 'other',
    changeId: '',
    last: undefined,
    resources: [],
    removed: ['a'],
    source: { kind: 'grpc', server: { cluster: 'other' }, api: 'delta' },
  });
  await wait(499);
  expect(configs.at(-1)?.endpoints).toHaveLength(1);
  await wait(1);
  expect(configs.at(-1)?.endpoints).toEqual([]);
});

it('a time that ends inside a change that comes whole takes away what is over, and nothing of the change comes before its end', async () => {
  const piece = async (last: boolean, ...resources: readonly ReceivedResource[]): Promise<void> => {
    session.response({
      typeUrl: TYPE_URLS.cluster,
      nonce: `whole ${now} ${last}`,
      changeId: 'c1',
      last,
      resources,
      removed: [],
    });
    await Promise.resolve();
  };
  await piece(true, cluster('a', 1_000), cluster('b'));
  await wait(900);
  requests = [];
  await piece(false, cluster('c'));
  await wait(100);
  expect(names()).toEqual(['b']);
  expect(requests).toEqual([]); // the piece is not answered before its change is complete
  await piece(true, cluster('d'));
  expect(names()).toEqual(['b', 'c', 'd']);
  expect(configs.map(({ clusters }) => clusters.length)).toEqual([2, 1, 3]);
  expect(requests).toHaveLength(2);
});
