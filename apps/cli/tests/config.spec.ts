import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { meshProcesses, type MeshProcesses } from './mesh-processes.ts';

let mesh: MeshProcesses;
beforeEach(async () => {
  mesh = await meshProcesses();
});
afterEach(async () => mesh.close());

const shop = (consecutiveErrors: number, weight: number): string => `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { selector: { app: reviews }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews-v2 }
spec: { selector: { app: reviews-v2 }, ports: [{ port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ kind: Service, group: '', name: reviews }]
  rules:
    - timeouts: { request: ${consecutiveErrors}s }
      backendRefs:
        - { name: reviews, port: 80, weight: ${100 - weight} }
        - { name: reviews-v2, port: 80, weight: ${weight} }
`;

/** A relay that can keep back what the target says. */
async function holdableLink(target: number): Promise<{ port: number; hold(): void; close(): Promise<void> }> {
  const pairs: Socket[] = [];
  let held = false;
  const server = createServer((caller) => {
    const there = connect({ port: target, host: '127.0.0.1' });
    for (const socket of [caller, there])
      socket.on('error', () => {}).on('close', () => void (caller.destroy(), there.destroy()));
    pairs.push(caller, there);
    caller.pipe(there);
    there.on('data', (data) => {
      if (!held) caller.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    hold: () => void (held = true),
    async close() {
      for (const socket of pairs) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

it('shows what a proxy has beside what it should have, and where they differ; without a control plane what it has', async () => {
  const plane = await mesh.startControlPlane();
  const link = await holdableLink(mesh.xdsPort);
  const apply = async (text: string): Promise<void> => {
    await writeFile(join(mesh.dir, 'shop.yaml'), text);
    await mesh.tulle('apply', '-f', 'shop.yaml', '--wait', '0.2');
  };
  await apply(shop(10, 5));
  await mesh.startSidecar({ name: 'web', upstreams: ['reviews'], xdsPort: link.port, singleProcess: true });
  await expect
    .poll(async () => (await mesh.tulle('status')).out, { timeout: 10_000 })
    .toMatch(/(?:SYNCED +){4}/);

  const all = await mesh.tulle('config', 'all', 'web');
  expect(all.code, all.err).toBe(0);
  expect(all.err).toBe('No endpoints.\n');
  for (const head of ['LISTENER', 'ROUTES', 'CLUSTER', 'SECRET']) expect(all.out).toContain(head);
  expect(all.out).toMatch(/request 1 +tulle\.http\.retry .*in force/);
  expect(all.out).not.toMatch(/differs|missing|not wanted/);
  const secrets = JSON.parse((await mesh.tulle('config', 'secrets', 'web', '-o', 'json')).out) as {
    certificates: { source: string; spiffeId: string }[];
  };
  expect(secrets.certificates[0]).toMatchObject({
    source: 'workload',
    spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
  });

  link.hold();
  await apply(shop(20, 50));
  const routes = await mesh.tulle('config', 'routes', 'web');
  expect(routes.out).toMatch(/\bdiffers$/m);
  expect(routes.err).toMatch(
    /^route outbound\|80\|\|reviews\S+ \/virtualHosts\/0\/\S+: is 10000, should be 20000$/m,
  );
  expect(routes.err).toMatch(/weight: is 95, should be 50$/m);
  const document = JSON.parse((await mesh.tulle('config', 'all', 'web', '-o', 'json')).out) as {
    should: { version: string };
    has: { version: string };
    differences: { kind: string; path: string }[];
  };
  expect(new Set(document.differences.map(({ kind }) => kind))).toEqual(new Set(['route']));
  expect(document.should.version).not.toBe(document.has.version);

  plane.process.kill('SIGKILL');
  await plane.ended;
  const alone = await mesh.tulle('config', 'routes', 'web');
  expect(alone).toMatchObject({
    code: 0,
    err: expect.stringContaining('this is what the proxy has') as string,
  });
  expect(alone.out).toMatch(/ 95, /);
  expect(await mesh.tulle('config', 'routes', 'nobody')).toMatchObject({ code: 69 });
  await link.close();
}, 60_000);
