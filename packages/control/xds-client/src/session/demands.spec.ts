import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { beforeEach, expect, it } from 'vitest';
import { createResourceDecoder } from '../decode/resource.ts';
import { TYPE_URLS } from '../wire.ts';
import type { Session } from './contract.ts';
import { createDemands } from './demands.ts';
import type { ClientRequest, ReceivedResource, ServerResponse } from './messages.ts';
import { createSession } from './session.ts';
import { emptyStore } from './store.ts';

let now: number;
let requests: ClientRequest[];
let session: Session;
let clusters: readonly string[];
let done: string[];

beforeEach(() => {
  now = 0;
  requests = [];
  clusters = [];
  done = [];
  session = createSession({
    decoder: createResourceDecoder(),
    initial: emptyStore(),
    maxResources: 10,
    maxDemands: 10,
    warmingMs: 15_000,
    holdMs: 30_000,
    send: (request) => void requests.push(request),
    apply(config) {
      clusters = config.clusters.map(({ name }) => name);
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

const cluster = (name: string): ReceivedResource => ({
  name,
  version: '1',
  any: anyPack(ClusterSchema, create(ClusterSchema, { name })),
});
async function respond(fields: Partial<ServerResponse>): Promise<void> {
  const empty = { changeId: '', last: undefined, resources: [], removed: [] };
  session.response({ typeUrl: TYPE_URLS.cluster, nonce: 'n', ...empty, ...fields });
  await Promise.resolve();
}
const ask = (name: string, timeoutMs = 1_000): void =>
  session.demand({ kind: 'cluster', name, timeoutMs }, () => void done.push(name));
const askedClusters = (): unknown[] =>
  requests
    .filter(({ typeUrl, nonce }) => typeUrl === TYPE_URLS.cluster && nonce === '')
    .map(({ subscribe, initialVersions }) => [subscribe, initialVersions]);

it('a cluster that was asked for on demand is asked for by its name on every stream, and claimed with that alone', async () => {
  await respond({ resources: [cluster('all')] });
  ask('one');
  expect(askedClusters().slice(1)).toEqual([[['one'], {}]]);
  await respond({ resources: [cluster('one')] });
  expect([clusters, done]).toEqual([['all', 'one'], ['one']]);
  session.disconnected();
  requests = [];
  session.connected();
  expect(askedClusters()).toEqual([
    [[], { all: '1' }],
    [['one'], { one: '1' }],
  ]);
});

it('one that is here is waited for by nobody; one that is not until its time is over, with a stream or without', async () => {
  await respond({ resources: [cluster('all')] });
  ask('all');
  expect(done).toEqual(['all']);
  ask('no', 400);
  ask('no', 600);
  session.disconnected();
  expect(session.deadlineMs()).toBe(400);
  now = 400;
  session.expire();
  expect(done).toEqual(['all', 'no']);
  expect(session.deadlineMs()).toBe(600);
  now = 600;
  session.expire();
  expect(done).toEqual(['all', 'no', 'no']);
  expect(session.deadlineMs()).toBeUndefined();
});

it('what is said not to be there is not asked for again until another stream', async () => {
  ask('no');
  await respond({ removed: ['no'] });
  expect(done).toEqual(['no']);
  ask('no');
  expect(done).toEqual(['no', 'no']);
  session.disconnected();
  session.connected();
  ask('no');
  expect(done).toHaveLength(2);
});

it('makes room by what is said not to be there, the longest first, and says when there is none', () => {
  let full = 0;
  const forgotten: string[] = [];
  const demands = createDemands({
    max: 2,
    full: () => void full++,
    forgotten: ({ name }) => void forgotten.push(name),
    waits: () => false,
  });
  const add = (name: string): boolean =>
    demands.add({ kind: 'cluster', name, timeoutMs: 1 }, 0, () => void done.push(name));
  expect([add('a'), add('b')]).toEqual([true, true]);
  expect([add('c'), add('d')]).toEqual([false, false]);
  expect([full, done]).toEqual([1, ['c', 'd']]);
  demands.absent('cluster', 'b');
  demands.settle();
  expect(add('c')).toBe(true);
  expect([...demands.of('cluster')].map(({ name }) => name)).toEqual(['a', 'c']);
  expect(forgotten).toEqual(['b']);
});

it('one that was answered and cannot be used is waited for by nobody again', async () => {
  ask('bad');
  await respond({ resources: [{ name: 'bad', version: '1', any: undefined }] });
  expect([clusters, done]).toEqual([[], ['bad']]);
  ask('bad');
  expect(done).toEqual(['bad', 'bad']);
});

it('a name that is longer than any is asked for by nobody', () => {
  const long = 'n'.repeat(1_025);
  ask(long);
  ask(long.slice(1));
  expect([askedClusters().slice(1), done]).toEqual([[[[long.slice(1)], {}]], [long]]);
});

it('the server need not remember what makes room', async () => {
  for (let i = 0; i < 11; i++) {
    ask(`no-${i}`);
    await respond({ removed: [`no-${i}`] });
  }
  expect(
    requests.flatMap(({ subscribe, unsubscribe }) => [
      ...subscribe.map((name) => `+${name}`),
      ...unsubscribe.map((name) => `-${name}`),
    ]),
  ).toEqual([...Array.from({ length: 10 }, (_, i) => `+no-${i}`), '-no-0', '+no-10']);
});
