import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { MeshStatus } from '../src/commands/status.ts';
import { meshProcesses, type MeshProcesses } from './mesh-processes.ts';

const shop = (v1: number, v2: number): string => `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { selector: { app: reviews }, ports: [{ port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews-v1 }
spec: { selector: { app: reviews, version: v1 }, ports: [{ port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews-v2 }
spec: { selector: { app: reviews, version: v2 }, ports: [{ port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: ratings }
spec: { selector: { app: ratings }, ports: [{ port: 9080 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ group: "", kind: Service, name: reviews }]
  rules:
    - backendRefs:
        - { name: reviews-v1, port: 9080, weight: ${v1} }
        - { name: reviews-v2, port: 9080, weight: ${v2} }
`;

let mesh: MeshProcesses;
beforeEach(async () => {
  mesh = await meshProcesses();
});
afterEach(async () => mesh.close());

async function status(): Promise<MeshStatus> {
  const { code, out, err } = await mesh.tulle('status', '-o', 'json');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as MeshStatus;
}

/** Per proxy and kind: what was sent, confirmed and refused. */
function counters({ proxies }: MeshStatus): Record<string, Record<string, number[]>> {
  return Object.fromEntries(
    proxies.map(({ workload, kinds }) => [
      workload,
      Object.fromEntries(Object.entries(kinds).map(([kind, k]) => [kind, [k.sent, k.acked, k.nacked]])),
    ]),
  );
}

async function inSync(): Promise<MeshStatus> {
  let last: MeshStatus | undefined;
  await expect
    .poll(
      async () => {
        last = await status();
        return last.proxies.map(({ kinds }) => [...new Set(Object.values(kinds).map((k) => k.state))]);
      },
      { timeout: 15_000 },
    )
    .toEqual(Array(5).fill(['SYNCED']));
  return last as MeshStatus;
}

it('new weights are one resource for the two of five sidecars that use the route, and nothing for the others', async () => {
  await mesh.startControlPlane();
  const apply = async (text: string): Promise<string> => {
    await writeFile(join(mesh.dir, 'shop.yaml'), text);
    const { code, err } = await mesh.tulle('apply', '-f', 'shop.yaml');
    expect(code, err).toBe(0);
    return /^change ([^:\s]+)/m.exec(err)?.[1] ?? '';
  };
  await apply(shop(95, 5));
  await Promise.all([
    mesh.startSidecar({ name: 'web', upstreams: ['reviews'] }),
    mesh.startSidecar({ name: 'mobile', upstreams: ['reviews', 'ratings'] }),
    mesh.startSidecar({
      singleProcess: true,
      name: 'reviews-v1',
      ports: [9081],
      labels: { app: 'reviews', version: 'v1' },
    }),
    mesh.startSidecar({
      name: 'reviews-v2',
      ports: [9082],
      labels: { app: 'reviews', version: 'v2' },
      upstreams: ['ratings'],
    }),
    mesh.startSidecar({ singleProcess: true, name: 'ratings', ports: [9083] }),
  ]);
  const before = counters(await inSync());

  const change = await apply(shop(50, 50));
  const synced = await inSync();
  const after = counters(synced);
  const users = ['mobile', 'web'];
  for (const [proxy, kinds] of Object.entries(before))
    for (const [kind, [sent = 0, acked = 0, nacked]] of Object.entries(kinds)) {
      const more = users.includes(proxy) && kind === 'route' ? 1 : 0;
      expect(after[proxy]?.[kind], `${proxy} ${kind}`).toEqual([sent + more, acked + more, nacked]);
    }
  expect(
    synced.proxies
      .filter((p) => p.changeId === change)
      .map((p) => p.workload)
      .toSorted(),
  ).toEqual(users);
  const { body } = await mesh.api<{ proxies: Record<string, { state: string }> }>(
    'GET',
    `/api/v1/changes/${change}`,
  );
  expect(Object.values(body.proxies).map(({ state }) => state)).toEqual(['acked', 'acked']);
}, 90_000);
