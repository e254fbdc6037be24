import { beforeEach, describe, expect, it } from 'vitest';
import type { Cluster, ProxyConfig } from '@tulle/model';
import { createResourceEncoder } from '../encode/resource.ts';
import type { AckReport, ResourceKind } from '../provider.ts';
import {
  createDeltaStream,
  type DeltaRequest,
  type DeltaResponse,
  type DeltaStream,
} from './delta-stream.ts';
import { createComparer } from './differences.ts';

const empty: ProxyConfig = { version: '', listeners: [], routes: [], clusters: [], endpoints: [] };
const cluster = (name: string, connectTimeoutMs = 1): Cluster => ({
  name,
  discovery: { kind: 'static', endpoints: [] },
  connectTimeoutMs,
});
const clusters = (...list: Cluster[]): ProxyConfig => ({ ...empty, clusters: list });

let now: number;
let sent: DeltaResponse[];
let reports: AckReport[];
let config: ProxyConfig;
let changes: number;
let resumed: string[];
let upToDate: string[];
let stream: DeltaStream;

function open(atomic = false, maxResourceBytes = 10_000): void {
  stream = createDeltaStream({
    atomic,
    comparer: createComparer(createResourceEncoder(), maxResourceBytes),
    limits: {
      maxSubscriptions: 3,
      maxOutstanding: 5,
      maxResponseBytes: 10_000,
      ackTimeoutMs: 60_000,
      dependencyWaitMs: 1000,
    },
    current: () => ({ changeId: `c${changes}`, config }),
    send: (response) => sent.push(response),
    report: (report) => reports.push(report),
    resumed: ({ kind, resources }) => resumed.push(...resources.map(({ name }) => `${kind} ${name}`)),
    upToDate: (kind, changeId) => upToDate.push(`${kind} ${changeId}`),
    nowMs: () => now,
    epochMs: () => now,
  });
}

function ask(kind: ResourceKind, fields: Partial<DeltaRequest> = {}): void {
  stream.request({ kind, subscribe: [], unsubscribe: [], initialVersions: {}, nonce: '', ...fields });
}

function publish(next: ProxyConfig): void {
  config = next;
  changes++;
  stream.changed();
}

const names = (): string[][] =>
  sent.map(({ kind, resources, removed }) => [
    kind,
    ...resources.map(({ name }) => `+${name}`),
    ...removed.map((name) => `-${name}`),
  ]);

beforeEach(() => {
  now = 0;
  sent = [];
  reports = [];
  config = empty;
  changes = 1;
  resumed = [];
  upToDate = [];
  open();
});

describe('a client of any kind', () => {
  it('gets clusters with their endpoints, then each type when the ones before are answered, and removals last', () => {
    config = {
      ...clusters(cluster('a')),
      routes: [{ name: 'r', virtualHosts: [] }],
      endpoints: [{ name: 'e', endpoints: [] }],
    };
    ask('cluster');
    ask('endpoint', { subscribe: ['e'] });
    ask('route', { subscribe: ['r'] });
    expect(names()).toEqual([
      ['cluster', '+a'],
      ['endpoint', '+e'],
    ]);
    ask('endpoint', { nonce: '2' });
    expect(sent).toHaveLength(2);
    ask('cluster', { nonce: '1' });
    ask('route', { nonce: '3' });
    publish({
      ...clusters(cluster('b')),
      routes: [{ name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], routes: [] }] }],
      endpoints: config.endpoints,
    });
    ask('cluster', { nonce: '4' });
    ask('route', { nonce: '5' });
    expect(names()).toEqual([
      ['cluster', '+a'],
      ['endpoint', '+e'],
      ['route', '+r'],
      ['cluster', '+b'],
      ['route', '+r'],
      ['cluster', '-a'],
    ]);
  });

  it('gets the endpoints of a cluster again after the cluster changed, because it waits for them', () => {
    const eds = (name: string, connectTimeoutMs: number): Cluster => ({
      name,
      discovery: { kind: 'eds', serviceName: `${name}-set` },
      connectTimeoutMs,
    });
    const endpoints = ['a-set', 'b-set'].map((name) => ({ name, endpoints: [] }));
    config = { ...clusters(eds('a', 1), eds('b', 1)), endpoints };
    ask('cluster');
    ask('endpoint', { subscribe: ['a-set', 'b-set'] });
    ask('cluster', { nonce: '1' });
    ask('endpoint', { nonce: '2' });
    publish({ ...clusters(eds('a', 2), eds('b', 1)), endpoints });
    expect(names().slice(2)).toEqual([
      ['cluster', '+a'],
      ['endpoint', '+a-set'],
    ]);
  });

  it('that reads slowly gets the newest, not everything in between', () => {
    config = clusters(cluster('a', 1));
    ask('cluster');
    for (let version = 2; version < 100; version++) publish(clusters(cluster('a', version)));
    expect(sent).toHaveLength(1);
    ask('cluster', { nonce: '1' });
    expect(sent).toHaveLength(2);
    stream.writable(false);
    ask('cluster', { nonce: '2' });
    publish(clusters(cluster('a', 100)));
    expect(sent).toHaveLength(2);
    stream.writable(true);
    expect(sent).toHaveLength(3);
  });

  it('is not sent what it refused until that changes', () => {
    config = clusters(cluster('a', 1));
    ask('cluster');
    ask('cluster', { nonce: '1', error: { message: 'no' } });
    publish(clusters(cluster('a', 1), cluster('b')));
    ask('cluster', { nonce: '2' });
    publish(clusters(cluster('a', 2), cluster('b')));
    expect(names()).toEqual([
      ['cluster', '+a'],
      ['cluster', '+b'],
      ['cluster', '+a'],
    ]);
    expect(reports.map(({ ok, error }) => [ok, error])).toEqual([
      [false, 'no'],
      [true, undefined],
    ]);
  });

  it('keeps the clusters that a route it refused to change may lead to', () => {
    const route = (name: string): ProxyConfig['routes'] => [
      { name: 'r', virtualHosts: [{ name, domains: ['*'], routes: [] }] },
    ];
    config = { ...clusters(cluster('a')), routes: route('x') };
    ask('cluster');
    ask('route', { subscribe: ['r'] });
    ask('cluster', { nonce: '1' });
    ask('route', { nonce: '2' });
    publish({ ...empty, routes: route('y') });
    ask('route', { nonce: '3', error: { message: 'no' } });
    expect(names().flat()).not.toContain('-a');
    publish({ ...empty, routes: route('z') });
    ask('route', { nonce: '4' });
    expect(names().at(-1)).toEqual(['cluster', '-a']);
  });

  it('that says which resource it refused is believed that it took the others', () => {
    config = clusters(cluster('a'), cluster('b'));
    ask('cluster');
    ask('cluster', { nonce: '1', error: { message: 'no', refused: ['b'] } });
    expect(reports.map(({ ok, resources }) => [ok, resources.map(({ name }) => name)])).toEqual([
      [true, ['a']],
      [false, ['b']],
    ]);
    expect(stream.status().refused.map(({ name }) => name)).toEqual(['b']);
  });

  it('may answer a nonce that is long gone: it changes nothing', () => {
    config = clusters(cluster('a'));
    ask('cluster');
    ask('cluster', { nonce: '99', error: { message: 'old' } });
    expect(reports).toEqual([]);
    expect(stream.status()).toMatchObject({ outstanding: 1, staleNonces: 1, refused: [] });
  });

  it('that resumes gets what differs, and loses what is gone', () => {
    config = clusters(cluster('a'), cluster('b'));
    ask('cluster');
    const [a] = sent[0]?.resources ?? [];
    open();
    sent = [];
    ask('cluster', { initialVersions: { a: a?.version ?? '', b: 'old', c: 'gone' } });
    ask('cluster', { nonce: '1' });
    expect(names()).toEqual([
      ['cluster', '+b'],
      ['cluster', '-c'],
    ]);
    expect(resumed).toEqual(['cluster a']);
  });

  it('that has from before all that it should have is up to date without being sent anything', () => {
    config = { ...clusters(cluster('a')), routes: [{ name: 'r', virtualHosts: [] }] };
    ask('cluster');
    ask('route', { subscribe: ['r'] });
    ask('cluster', { nonce: '1' });
    ask('route', { nonce: '2' });
    const claims = (kind: ResourceKind): Record<string, string> =>
      Object.fromEntries(
        sent.flatMap((r) => (r.kind === kind ? r.resources.map((x) => [x.name, x.version]) : [])),
      );
    const [cluster1, route1] = [claims('cluster'), claims('route')];
    for (const atomic of [true, false]) {
      open(atomic);
      sent = [];
      resumed = [];
      upToDate = [];
      ask('route', { subscribe: ['r'], initialVersions: route1 });
      ask('cluster', { initialVersions: cluster1 });
      ask('listener');
      for (const { kind, nonce } of [...sent]) ask(kind, { nonce });
      expect(names().flat()).not.toContain('+a');
      expect(names().flat()).not.toContain('+r');
      expect(resumed.toSorted()).toEqual(['cluster a', 'route r']);
      expect(new Set(upToDate)).toEqual(new Set(['cluster c1', 'endpoint c1', 'listener c1', 'route c1']));
    }
  });

  it('is up to date once it answered, also where a change was taken back before it was sent', () => {
    config = clusters(cluster('a'));
    ask('cluster');
    expect(upToDate).toEqual(['endpoint c1', 'listener c1', 'route c1']);
    ask('cluster', { nonce: '1' });
    expect(upToDate.at(-1)).toBe('cluster c1');
    stream.writable(false);
    publish(clusters(cluster('a', 2), cluster('b')));
    publish(clusters(cluster('a')));
    expect(upToDate).not.toContain('cluster c2');
    stream.writable(true);
    expect(upToDate.filter((one) => one.startsWith('cluster'))).toEqual(['cluster c1', 'cluster c3']);
    expect(sent).toHaveLength(1);
  });

  it('is not up to date while a resource that it has not asked for is there', () => {
    config = { ...empty, routes: [{ name: 'r', virtualHosts: [] }] };
    ask('route', { subscribe: ['q'] });
    ask('route', { nonce: '1' });
    expect(upToDate).not.toContain('route c1');
    ask('route', { subscribe: ['r'] });
    ask('route', { nonce: '2' });
    expect(upToDate.at(-1)).toBe('route c1');
  });

  it('is told that a name it asked for does not exist, and gets it when it does', () => {
    ask('route', { subscribe: ['r'] });
    ask('route', { nonce: '1' });
    publish({ ...empty, routes: [{ name: 'r', virtualHosts: [] }] });
    expect(names()).toEqual([
      ['route', '-r'],
      ['route', '+r'],
    ]);
  });

  it('with a wildcard is answered even when there is nothing', () => {
    ask('listener');
    expect(names()).toEqual([['listener']]);
  });

  it('may ask for the wildcard by * and give it up', () => {
    config = clusters(cluster('a'));
    ask('cluster', { subscribe: ['*'] });
    ask('cluster', { nonce: '1', unsubscribe: ['*'] });
    publish(clusters(cluster('a', 2)));
    expect(names()).toEqual([['cluster', '+a']]);
  });

  it('that does not ask for the endpoints of a new cluster holds up nothing for long', () => {
    config = { ...empty, clusters: [{ name: 'a', discovery: { kind: 'eds' } }] };
    ask('cluster');
    ask('listener');
    ask('cluster', { nonce: '1' });
    expect(names()).toEqual([['cluster', '+a']]);
    expect(stream.deadlineMs()).toBe(1000);
    now = 1000;
    stream.expire();
    expect(names()).toEqual([['cluster', '+a'], ['listener']]);
  });

  it('that answers nothing is let go', () => {
    ask('listener');
    expect(stream.deadlineMs()).toBe(60_000);
    now = 60_000;
    expect(() => stream.expire()).toThrow(/ackTimeoutMs/);
  });

  it('may not subscribe to more names than the bound', () => {
    expect(() => ask('route', { subscribe: ['a', 'b', 'c', 'd'] })).toThrow(/maxSubscriptions = 3/);
  });
});

it('never sends a resource that is too large, and reports it once', () => {
  open(false, 1000);
  config = clusters(cluster('a'), { ...cluster('b'), labels: { text: 'x'.repeat(2000) } });
  ask('cluster');
  ask('cluster', { nonce: '1' });
  stream.changed();
  expect(names()).toEqual([['cluster', '+a']]);
  expect(reports.filter(({ ok }) => !ok)).toMatchObject([
    {
      nonce: '',
      resources: [{ name: 'b' }],
      error: expect.stringContaining('maxResourceBytes = 1000') as string,
    },
  ]);
});

describe('a client that holds changes back', () => {
  it('gets a whole snapshot at once, the last response marked, and no other before it answered', () => {
    open(true);
    config = {
      ...clusters(cluster('a')),
      listeners: [{ name: 'l', address: { path: '/l' }, filterChains: [] }],
    };
    ask('cluster');
    expect(sent).toEqual([]);
    ask('listener');
    expect(sent.map(({ kind, last }) => [kind, last])).toEqual([
      ['cluster', false],
      ['listener', true],
    ]);
    publish(clusters(cluster('b')));
    ask('cluster', { nonce: '1' });
    expect(sent).toHaveLength(2);
    expect(upToDate).not.toContain('listener c2');
    ask('listener', { nonce: '2' });
    expect(sent.slice(2).map(({ kind, removed, last }) => [kind, removed, last])).toEqual([
      ['cluster', [], false],
      ['listener', ['l'], false],
      ['cluster', ['a'], true],
    ]);
  });

  it('gets what it asks for meanwhile from the snapshot that it is being sent', () => {
    open(true);
    config = { ...clusters(cluster('a')), endpoints: [{ name: 'e', endpoints: [] }] };
    ask('cluster');
    ask('listener');
    publish({ ...config, endpoints: [{ name: 'e', endpoints: [{ address: { path: '/new' } }] }] });
    ask('endpoint', { subscribe: ['e'] });
    const first = sent.at(-1);
    expect(first).toMatchObject({ kind: 'endpoint', last: true });
    for (const [kind, nonce] of [
      ['cluster', '1'],
      ['endpoint', first?.nonce],
    ] as const)
      ask(kind, { nonce: nonce ?? '' });
    const second = sent.at(-1);
    expect(second?.resources[0]?.version).not.toBe(first?.resources[0]?.version);
  });
});
