import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type TestClient, testClient, type TestPlane, testPlane } from './control-plane.ts';
import { config, edsCluster, endpointsAt, listenerTo, routesTo, service, together } from './fixtures.ts';
import { inForm } from './form.ts';

const planes: TestPlane[] = [];
const clients: TestClient[] = [];
const directories: string[] = [];

async function plane(...args: Parameters<typeof testPlane>): Promise<TestPlane> {
  const made = await testPlane(...args);
  planes.push(made);
  return made;
}

async function client(...args: Parameters<typeof testClient>): Promise<TestClient> {
  const made = await testClient(...args);
  clients.push(made);
  return made;
}

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'tulle-xds-'));
  directories.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(clients.splice(0).map(({ xds }) => xds.stop()));
  await Promise.all(planes.splice(0).map((one) => one.kill()));
  await Promise.all(directories.splice(0).map((path) => rm(path, { recursive: true })));
});

describe('two proxies and a control plane', () => {
  it('give both what was published, and tell the control plane that they have it', async () => {
    const published = together(service('a'), service('b'));
    const control = await plane({ initial: published, changeId: 'c1' });
    const [one, two] = await Promise.all([
      client(control.target, { node: { id: 'one' } }),
      client(control.target, { node: { id: 'two' } }),
    ]);
    for (const { config: got } of [one, two])
      expect(inForm(await got(() => true))).toEqual(inForm(published));
    await Promise.all(
      ['one', 'two'].map((node) =>
        control.report((report) => report.node === node && report.kind === 'route' && report.ok),
      ),
    );
    const mine = control.reports.filter(({ node }) => node === 'one');
    expect(mine.every(({ ok, changeId }) => ok && changeId === 'c1')).toBe(true);
    expect(mine.flatMap(({ resources }) => resources.map(({ name }) => name)).sort()).toEqual([
      'a',
      'a',
      'a',
      'b',
      'b',
      'b',
      'listener-a',
      'listener-b',
    ]);
  });

  it('send only the resource that changed, encoded once for both', async () => {
    const before = together(service('a'), service('b'));
    const control = await plane({ initial: before, changeId: 'c1' });
    const [one, two] = await Promise.all([
      client(control.target, { node: { id: 'one' } }),
      client(control.target, { node: { id: 'two' } }),
    ]);
    await Promise.all(
      ['one', 'two'].map((node) =>
        control.report((report) => report.node === node && report.kind === 'route'),
      ),
    );
    const encoded = control.ads.encodedResources();
    control.publish('c2', { ...before, routes: [before.routes[0] as never, routesTo('b', 'a', 'b')] });
    await Promise.all(
      ['one', 'two'].map((node) =>
        control.report((report) => report.node === node && report.changeId === 'c2'),
      ),
    );
    const sent = control.reports
      .filter(({ changeId }) => changeId === 'c2')
      .map(({ node, kind, resources }) => ({ node, kind, names: resources.map(({ name }) => name) }));
    expect(sent.toSorted((x, y) => (x.node < y.node ? -1 : 1))).toEqual([
      { node: 'one', kind: 'route', names: ['b'] },
      { node: 'two', kind: 'route', names: ['b'] },
    ]);
    expect(control.ads.encodedResources()).toBe(encoded + 1);
    for (const { configs } of [one, two]) expect(configs.map(({ version }) => version)).toEqual(['c1', 'c2']);
  });

  it('end a stream whose place another took, with words; its client comes back', async () => {
    const control = await plane({ initial: service('a'), changeId: 'c1' });
    const warnings: string[] = [];
    const quiet = (): void => {};
    const warn = (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      void warnings.push(`${message} ${JSON.stringify(fields)}`);
    await client(control.target, { log: { debug: quiet, info: quiet, warn, error: quiet } });
    await control.report(({ kind }) => kind === 'listener');
    control.ends[0]?.('another stream of node-1 took its place');
    await expect.poll(() => control.nodes.length).toBe(2);
    expect(control.closed).toHaveLength(1);
    expect(warnings).toContainEqual(expect.stringContaining('another stream of node-1 took its place'));
    control.ends[0]?.('once more');
    await control.report(({ kind }) => kind === 'listener');
    expect(control.closed).toHaveLength(1);
  });

  it('take a change of all types as one: no configuration in between is ever seen', async () => {
    const control = await plane({ initial: service('a'), changeId: 'c1' });
    const { configs, config: got } = await client(control.target);
    await got(({ version }) => version === 'c1');
    const next = config({
      listeners: [listenerTo('b')],
      routes: [routesTo('b', 'b')],
      clusters: [edsCluster('b')],
      endpoints: [endpointsAt('b', 1)],
    });
    control.publish('c2', next);
    await got(({ version }) => version === 'c2');
    expect(configs.map(inForm)).toEqual([inForm(service('a')), inForm(next)]);
  });

  it('give up what is gone', async () => {
    const control = await plane({ initial: together(service('a'), service('b')), changeId: 'c1' });
    const { config: got, xds } = await client(control.target);
    await got(({ version }) => version === 'c1');
    control.publish('c2', service('a'));
    expect(inForm(await got(({ version }) => version === 'c2'))).toEqual(inForm(service('a')));
    await control.report(({ changeId, removed }) => changeId === 'c2' && removed.includes('b'));
    await expect.poll(() => control.ads.streams()[0]?.delta?.subscriptions.endpoint.names).toBe(1);
    expect(xds.state()).toMatchObject({
      synced: true,
      changeId: 'c2',
      resources: { listener: 1, route: 1, cluster: 1, endpoint: 1 },
    });
  });
});

describe('a resource that a proxy refuses', () => {
  it('is reported with its reason and not sent again until it changes; the others are in use', async () => {
    const control = await plane({ initial: service('a'), changeId: 'c1' });
    const bad = edsCluster('b', 666);
    const { config: got } = await client(control.target, {
      judge: ({ clusters }) => {
        const place = clusters.findIndex(({ connectTimeoutMs }) => connectTimeoutMs === 666);
        return place < 0
          ? { ok: true }
          : {
              ok: false,
              issues: [
                { path: `/clusters/${place}/connectTimeoutMs`, message: 'is the number of the beast' },
              ],
            };
      },
    });
    await got(({ version }) => version === 'c1');
    control.publish(
      'c2',
      together(service('a', 9001), config({ clusters: [bad], endpoints: [endpointsAt('b', 1)] })),
    );
    const taken = await got(({ version }) => version === 'c2');
    expect(inForm(taken)).toEqual(inForm(service('a', 9001)));
    const refusal = await control.report(({ ok }) => !ok);
    expect(refusal).toMatchObject({
      kind: 'cluster',
      changeId: 'c2',
      resources: [{ name: 'b' }],
      error: 'cluster "b": /connectTimeoutMs: is the number of the beast',
    });
    await control.report(({ kind, ok, changeId }) => kind === 'endpoint' && ok && changeId === 'c2');

    control.publish(
      'c3',
      together(service('a', 9002), config({ clusters: [bad], endpoints: [endpointsAt('b', 1)] })),
    );
    await got(({ version }) => version === 'c3');
    await control.report(({ changeId }) => changeId === 'c3');
    expect(control.reports.filter(({ ok }) => !ok)).toHaveLength(1);

    control.publish(
      'c4',
      together(
        service('a', 9002),
        config({ clusters: [edsCluster('b', 667)], endpoints: [endpointsAt('b', 1)] }),
      ),
    );
    expect((await got(({ version }) => version === 'c4')).clusters).toHaveLength(2);
  });
});

describe('a lost control plane', () => {
  it('leaves the configuration in use, and on return nothing is sent that the proxy has', async () => {
    const first = await plane({ initial: together(service('a'), service('b')), changeId: 'c1' });
    const { config: got, configs, xds } = await client(first.target);
    await got(({ version }) => version === 'c1');
    await first.report(({ kind }) => kind === 'route');
    await first.kill();
    planes.splice(planes.indexOf(first), 1);
    await expect.poll(() => xds.state().connected).toBe(false);
    const second = await plane({
      port: first.port,
      initial: together(service('a'), service('b', 9009)),
      changeId: 'c2',
    });
    expect(inForm(await got(({ version }) => version === 'c2'))).toEqual(
      inForm(together(service('a'), service('b', 9009))),
    );
    await second.report(({ kind }) => kind === 'endpoint');
    expect(
      second.reports.flatMap(({ kind, resources }) => resources.map(({ name }) => `${kind} ${name}`)),
    ).toEqual(['endpoint b']);
    expect(configs).toHaveLength(2);
  });

  it('that comes back with the same sends nothing but the word that this is all', async () => {
    const first = await plane({ initial: service('a'), changeId: 'c1' });
    const { config: got, configs, xds } = await client(first.target);
    await got(({ version }) => version === 'c1');
    await first.kill();
    const second = await plane({ port: first.port, initial: service('a'), changeId: 'c1' });
    await second.report(() => true);
    await expect.poll(() => xds.state().synced).toBe(true);
    expect(second.reports.flatMap(({ resources, removed }) => [...resources, ...removed])).toEqual([]);
    expect(configs).toHaveLength(1);
  });

  it('that is away at the start is replaced by the saved snapshot, which is then resumed from', async () => {
    const snapshotFile = join(await directory(), 'state', 'snapshot');
    const first = await plane({ initial: service('a'), changeId: 'c1' });
    const before = await client(first.target, { snapshotFile });
    await before.config(({ version }) => version === 'c1');
    await first.report(({ kind }) => kind === 'route');
    await before.xds.stop();
    await first.kill();
    expect((await stat(snapshotFile)).mode & 0o777).toBe(0o600);

    const after = await client(first.target, { snapshotFile });
    expect(after.configs.map(inForm)).toEqual([inForm(service('a'))]);
    expect(after.xds.state()).toMatchObject({ source: 'snapshot', connected: false });
    const second = await plane({ port: first.port, initial: service('a', 9001), changeId: 'c2' });
    await second.report(({ changeId, kind }) => changeId === 'c2' && kind === 'endpoint');
    expect(
      second.reports.flatMap(({ kind, resources }) => resources.map(({ name }) => `${kind} ${name}`)),
    ).toEqual(['endpoint a']);
    expect(after.xds.state().source).toBe('control-plane');
  });

  it('and a damaged snapshot start a proxy empty, and say so', async () => {
    const snapshotFile = join(await directory(), 'snapshot');
    const first = await plane({ initial: service('a'), changeId: 'c1' });
    const before = await client(first.target, { snapshotFile });
    await before.config(() => true);
    await first.report(({ kind }) => kind === 'route');
    await before.xds.stop();
    const text = await readFile(snapshotFile, 'utf8');
    await writeFile(snapshotFile, text.replace('9000', '9001'));
    const warnings: string[] = [];
    const log = {
      debug() {},
      info() {},
      error() {},
      warn: (message: string, fields?: object) => void warnings.push(`${message}: ${JSON.stringify(fields)}`),
    };
    await first.kill();
    const after = await client(first.target, { snapshotFile, log });
    expect(after.configs).toEqual([]);
    expect(warnings.join('\n')).toMatch(/snapshot is not used.*checksum is wrong/);
  });
});

describe('what a proxy says of itself', () => {
  it('can change on the stream, and is said again on each later one', async () => {
    const control = await plane({ initial: service('a') });
    const { xds, configs, config: got } = await client(control.target);
    await got(() => true);
    const ready = { id: 'node-1', metadata: { ready: true } };
    xds.describe(ready);
    await expect.poll(() => control.nodes).toHaveLength(2);
    expect(control.nodes.map(({ metadata }) => metadata)).toEqual([{}, { ready: true }]);
    expect(configs).toHaveLength(1); // nothing is sent again for it
    xds.describe(ready);
    control.publish('c2', service('b'));
    await got((one) => one.version === 'c2');
    expect(control.nodes).toHaveLength(2); // the same again is nothing new

    await control.kill();
    await plane({ port: control.port, initial: service('b') }).then(async ({ nodes }) =>
      expect.poll(() => nodes[0]?.metadata).toEqual({ ready: true }),
    );
    expect(() => xds.describe({ id: 'node-2' })).toThrow('a node keeps its id: node-1 cannot become node-2');
  });
});

describe('who may open a stream', () => {
  it('is decided by the proven identity, which the node id must agree with', async () => {
    const spiffeId = 'spiffe://mesh/ns/default/sa/web';
    const control = await plane({
      authenticate: () => ({ spiffeId }),
      allowUnauthenticated: false,
      initial: service('a'),
    });
    const right = await client(control.target, { node: { id: `${spiffeId}~web-1` } });
    await right.config(() => true);
    expect(control.nodes[0]).toMatchObject({
      id: `${spiffeId}~web-1`,
      identity: spiffeId,
      userAgent: 'tulle/0.0.0',
    });
    const wrong = await client(control.target, { node: { id: 'spiffe://mesh/ns/default/sa/webmaster' } });
    await expect
      .poll(() => wrong.xds.state().lastError)
      .toMatch(
        /node id "spiffe:\/\/mesh\/ns\/default\/sa\/webmaster" does not agree with the proven identity/,
      );
    expect(control.nodes).toHaveLength(1);
  });

  it('is nobody without identity, unless told so', async () => {
    const control = await plane({ allowUnauthenticated: false });
    const { xds } = await client(control.target);
    await expect.poll(() => xds.state().lastError).toMatch(/No identity was proven/);
    expect(control.nodes).toHaveLength(0);
  });
});

it('reads the filters of a node with their whole version', async () => {
  const control = await plane({ initial: service('a') });
  const { config: got } = await client(control.target, {
    node: {
      id: 'n',
      extensions: ['tulle.http.authz@0.1.0', '@acme/filter@2.0.0-rc.1', 'bare'],
      metadata: { zone: 'a' },
    },
  });
  await got(() => true);
  expect(control.nodes[0]).toMatchObject({
    extensions: ['tulle.http.authz@0.1.0', '@acme/filter@2.0.0-rc.1', 'bare'],
    metadata: { zone: 'a' },
  });
});

it('ends a stream whose message is larger than the client takes, and keeps what is in use', async () => {
  const control = await plane({ initial: service('a'), changeId: 'c1' });
  const { config: got, configs, xds } = await client(control.target, { maxMessageBytes: 4096 });
  await got(({ version }) => version === 'c1');
  const labels = Object.fromEntries(
    Array.from({ length: 500 }, (_, index) => [`label-${index}`, 'x'.repeat(10)]),
  );
  control.publish('c2', together(service('a'), config({ clusters: [{ ...edsCluster('big'), labels }] })));
  await expect.poll(() => xds.state().lastError).toMatch(/larger than max/i);
  expect(configs.map(({ version }) => version)).toEqual(['c1']);
});
