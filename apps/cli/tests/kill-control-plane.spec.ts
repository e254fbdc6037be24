import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Resource } from '@tulle/resources';
import { generation, generationOfResources, half, read, standing } from './mesh-generations.ts';
import { slowLink, type SlowLink } from './slow-link.ts';
import { meshProcesses, type MeshProcesses, type Running, type RunningSidecar } from './mesh-processes.ts';

/** The long form (`pnpm test:nightly`) takes some two minutes. */
const LONG = process.env['TULLE_NIGHTLY'] === '1';
const KILLS = LONG ? 30 : 6;
/** Stretches of a push of which each gets its share of kills. */
const STAGES = 6;
/** So slow that the some 300 kB of a change take a third of a second: a kill then cuts into messages, not between pushes. */
const LINK_BYTES_PER_SECOND = 1_000_000;

let mesh: MeshProcesses;
let link: SlowLink;
beforeEach(async () => {
  mesh = await meshProcesses();
  link = await slowLink(mesh.xdsPort, LINK_BYTES_PER_SECOND);
});
afterEach(async () => {
  await mesh.close();
  await link.close();
});

interface SidecarPage {
  readonly xds: { readonly connected: boolean; readonly applying: boolean; readonly changeId: string };
}

/** The configuration in force, without its version: two control planes call one state by different names. */
async function configOf(sidecar: RunningSidecar): Promise<ReturnType<typeof read>> {
  const { version: _, ...config } = await sidecar.admin<Record<string, unknown>>('/config_dump');
  return read(config);
}

it(`a control plane that is killed in the middle of a push, ${KILLS} times, leaves every proxy on its old or its new configuration, and brings all to the last one when it is back`, async () => {
  let plane: Running = await mesh.startControlPlane();
  const apply = async (resources: unknown[]): Promise<void> => {
    const { status, body } = await mesh.api<object>('POST', '/api/v1/apply', resources);
    expect(status, JSON.stringify(body).slice(0, 500)).toBe(200);
  };
  await apply([...standing(), ...generation(0)]);
  const sidecars = await Promise.all([
    ...['web', 'mobile', 'batch'].map(async (name) =>
      mesh.startSidecar({
        name,
        upstreams: ['front'],
        singleProcess: name !== 'web',
        xdsPort: link.port,
      }),
    ),
    ...['orders', 'stock'].map(async (name, i) =>
      mesh.startSidecar({ name, ports: [9081 + i], labels: { role: 'server' }, singleProcess: true }),
    ),
  ]);
  /** What a proxy's configuration is, as published, by the half of the backends that its generation uses. */
  const published = new Map<string, string>();
  const check = (sidecar: RunningSidecar, { generation: found, rest }: ReturnType<typeof read>): number => {
    const key = `${sidecar.name} ${half(found)}`;
    if (!published.has(key)) throw new Error(`no published configuration of ${key} is known`);
    expect(
      rest === published.get(key),
      `${sidecar.name} has all of generation ${found}, and nothing else`,
    ).toBe(true);
    return found;
  };
  const converged = async (wanted: number): Promise<void> => {
    for (const sidecar of sidecars)
      await expect
        .poll(async () => (await configOf(sidecar)).generation, { timeout: 20_000, interval: 20 })
        .toBe(wanted);
  };

  // Two changes that are left alone: what they look like where they have arrived, and how long that takes.
  let took = 0;
  for (const quiet of [1, 2]) {
    const started = performance.now();
    await apply(generation(quiet));
    await converged(quiet);
    took = performance.now() - started;
    for (const sidecar of sidecars)
      published.set(`${sidecar.name} ${half(quiet)}`, (await configOf(sidecar)).rest);
  }

  let current = 2;
  const counts = { before: 0, during: 0, split: 0, after: 0 };
  for (let kill = 0; kill < KILLS; kill++) {
    const next = current + 1;
    let answered = false;
    const applying = mesh.api('POST', '/api/v1/apply', generation(next)).then(
      ({ status }) => (answered = status === 200),
      () => undefined, // killed before it answered
    );
    // One at random in each stretch of the push, so that a few find every stage of it too.
    const stage = ((kill % STAGES) + Math.random()) / STAGES;
    await new Promise((resolve) => setTimeout(resolve, stage * took));
    plane.process.kill('SIGKILL');
    expect((await plane.ended).signal).toBe('SIGKILL');
    await applying;
    for (const sidecar of sidecars)
      await expect
        .poll(async () => (await sidecar.admin<SidecarPage>('/sidecar')).xds, {
          timeout: 20_000,
          interval: 5,
        })
        .toMatchObject({ connected: false, applying: false });
    const found = [];
    for (const sidecar of sidecars) found.push(check(sidecar, await configOf(sidecar)));
    for (const one of found) expect([current, next], `kill ${kill}: ${found.join(', ')}`).toContain(one);

    plane = await mesh.startControlPlane();
    const { body } = await mesh.api<{ items: { resource: Resource }[] }>('GET', '/api/v1/resources');
    const kept = generationOfResources(body.items.map(({ resource }) => resource));
    expect(answered ? [next] : [current, next], `state after kill ${kill}`).toContain(kept);
    const arrived = found.filter((one) => one === next).length;
    if (arrived > 0) expect(kept, 'what a proxy has was durable before it was sent').toBe(next);
    if (kept === current) counts.before++;
    else if (arrived === sidecars.length) counts.after++;
    else counts.during++;
    if (arrived > 0 && arrived < sidecars.length) counts.split++;
    await converged(kept);
    for (const sidecar of sidecars) check(sidecar, await configOf(sidecar));
    current = kept;
  }
  console.info(
    `${KILLS} kills: ${counts.before} before the change was durable, ${counts.during} while it was pushed (${counts.split} with some proxies on the old and some on the new), ${counts.after} when all had it`,
  );
  // Of a few, none may hit the moment in which proxies differ; of many, some must.
  if (LONG) expect(counts.during).toBeGreaterThan(KILLS / 10);
}, 600_000);
