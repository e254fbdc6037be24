import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type TestClient, testClient, type TestPlane, testPlane } from './control-plane.ts';
import { config, service, together } from './fixtures.ts';
import { inForm } from './form.ts';

const SOTW = { api: 'state-of-the-world' } as const;
const planes: TestPlane[] = [];
const clients: TestClient[] = [];

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

afterEach(async () => {
  await Promise.all(clients.splice(0).map(({ xds }) => xds.stop()));
  await Promise.all(planes.splice(0).map((one) => one.kill()));
});

describe('a control plane on one port', () => {
  it('serves both protocols at once, and both ends have the same, also when something goes', async () => {
    const control = await plane({ initial: together(service('a'), service('b')), changeId: 'c1' });
    const two = await Promise.all([
      client(control.target, { node: { id: 'delta' } }),
      client(control.target, { node: { id: 'sotw' }, ...SOTW }),
    ]);
    const have = async (published: Parameters<TestPlane['publish']>[1]): Promise<void> => {
      const wanted = JSON.stringify(inForm(published));
      for (const { config: got } of two) await got((one) => JSON.stringify(inForm(one)) === wanted);
    };
    await have(together(service('a'), service('b')));
    control.publish('c2', together(service('a', 9001), service('c')));
    await have(together(service('a', 9001), service('c')));
    control.publish('c3', service('c'));
    await have(service('c'));
    await control.report(
      ({ node, kind, changeId }) => node === 'sotw' && kind === 'cluster' && changeId === 'c3',
    );
    expect(control.reports.filter(({ ok }) => !ok)).toEqual([]);
    for (const { xds } of two) await expect.poll(() => xds.state().synced).toBe(true);
  });
});

describe('a proxy that speaks the state of the world', () => {
  it('refuses what its engine does not take, keeps what it had, and says why', async () => {
    const control = await plane({ initial: service('a'), changeId: 'c1' });
    const { config: got, xds } = await client(control.target, {
      ...SOTW,
      judge: ({ clusters }) => {
        const place = clusters.findIndex(({ connectTimeoutMs }) => connectTimeoutMs === 666);
        return place < 0
          ? { ok: true }
          : { ok: false, issues: [{ path: `/clusters/${place}/connectTimeoutMs`, message: 'is bad luck' }] };
      },
    });
    await got(({ clusters }) => clusters.length === 1);
    const other = (connectTimeoutMs: number): ReturnType<typeof service> =>
      config({ clusters: [{ name: 'b', discovery: { kind: 'static', endpoints: [] }, connectTimeoutMs }] });
    control.publish('c2', together(service('a', 9001), other(666)));
    expect(await control.report(({ ok }) => !ok)).toMatchObject({
      kind: 'cluster',
      changeId: 'c2',
      resources: [{ name: 'b' }],
      error: expect.stringContaining('is bad luck') as string,
    });
    await got(({ endpoints }) => JSON.stringify(endpoints).includes('9001'));
    expect(xds.state().refused.map(({ name }) => name)).toEqual(['b']);
    control.publish('c3', together(service('a', 9001), other(667)));
    await got(({ clusters }) => clusters.length === 2);
    await expect.poll(() => xds.state().refused).toEqual([]);
  });

  it('loses what went away while the control plane was away, and nothing else', async () => {
    const first = await plane({ initial: together(service('a'), service('b')), changeId: 'c1' });
    const { config: got, xds } = await client(first.target, SOTW);
    await got(({ listeners }) => listeners.length === 2);
    await first.report(({ kind }) => kind === 'route');
    await first.kill();
    planes.splice(planes.indexOf(first), 1);
    await expect.poll(() => xds.state().connected).toBe(false);
    await plane({ port: first.port, initial: service('b', 9009), changeId: 'c2' });
    const wanted = JSON.stringify(inForm(service('b', 9009)));
    await got((one) => JSON.stringify(inForm(one)) === wanted);
  });

  it('can change to delta, and is sent then only what differs from its snapshot', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tulle-xds-'));
    const snapshotFile = join(directory, 'snapshot');
    const first = await plane({ initial: together(service('a'), service('b')), changeId: 'c1' });
    const before = await client(first.target, { ...SOTW, snapshotFile });
    await before.config(({ listeners }) => listeners.length === 2);
    await first.report(({ kind }) => kind === 'route');
    await expect.poll(() => before.xds.state().synced).toBe(true);
    await before.xds.stop();
    await first.kill();
    const second = await plane({ initial: together(service('a'), service('b', 9009)), changeId: 'c2' });
    const after = await client(second.target, { snapshotFile });
    await after.config(({ version }) => version === 'c2');
    await second.report(({ kind }) => kind === 'endpoint');
    expect(
      second.reports.flatMap(({ kind, resources }) => resources.map(({ name }) => `${kind} ${name}`)),
    ).toEqual(['endpoint b']);
    await rm(directory, { recursive: true });
  });

  it('says something new of itself, once', async () => {
    const control = await plane({ initial: service('a') });
    const { xds, config: got } = await client(control.target, SOTW);
    await got(() => true);
    xds.describe({ id: 'node-1', metadata: { ready: true } });
    await expect.poll(() => control.nodes.map(({ metadata }) => metadata)).toEqual([{}, { ready: true }]);
  });
});
