import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explain, SERVER, type Explained } from './explained.ts';
import { freePort, tulleBench } from './tulle-bench.ts';

const RESOURCES = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: gate }
spec: { gatewayClassName: tulle-waypoint, listeners: [{ name: mesh, port: 15008, protocol: HBONE }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, labels: { tulle.dev/use-waypoint: gate } }
spec: { selector: { app: web }, ports: [{ port: 80, appProtocol: http }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:
    - name: old
      matches: [{ path: { value: /old } }]
      filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /new } } }]
      backendRefs: [{ name: web, port: 80 }]
    - name: all
      backendRefs: [{ name: web, port: 80 }]
---
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: no-posts }
spec:
  targetRefs: [{ group: '', kind: Service, name: web }]
  action: DENY
  rules: [{ from: { serviceAccounts: [caller] }, to: { methods: [POST] } }]
`;

describe('tulle explain --from', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('goes through the waypoint of a Service: its route, its policy by who calls, its endpoint, and on into the service', async () => {
    writeFileSync(join(bench.dir, 'web.yaml'), RESOURCES);
    expect((await tulle('apply', '-f', 'web.yaml')).code).toBe(0);
    const gate = start('gateway', '--name', 'gate', '--listen', `15008=127.0.0.1:${await freePort()}`);
    await gate.said(/listens on/);
    const port = await freePort();
    const web = start('run', '--name', 'web', '-p', port, '--', process.execPath, '-e', SERVER, port);
    await web.said(/it takes calls from now on/);
    const caller = start('run', '--name', 'caller', '-u', 'web=0', '--', 'sleep', '1000');
    const [, at] = await caller.said(/web → 127\.0\.0\.1:(\d+)/);
    const ask = async (method: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${at}/`, { method })).status;
    await expect.poll(async () => ask('GET'), { timeout: 10_000 }).toBe(200);
    await expect.poll(async () => ask('POST'), { timeout: 10_000 }).toBe(403);

    const explained = async (...args: string[]) => explain(bench, ...args);
    const names = (all: readonly Explained[]): unknown =>
      all.map(({ proxy, explanation }) => [proxy.split('-')[0], explanation.peerIdentity?.split('/').at(-1)]);

    const allowed = await explained('GET', 'http://web/old', '--from', 'caller');
    expect(names(allowed)).toEqual([
      ['caller', undefined],
      ['gate', 'caller'],
      ['web', 'gate'],
    ]);
    expect(allowed.map(({ explanation }) => [explanation.status, explanation.path])).toEqual([
      [0, '/old'],
      [0, '/old'],
      [0, '/new'],
    ]);
    expect(JSON.stringify(allowed[0]?.explanation.reasons)).toMatch(
      /by a tunnel for web\.default\.svc\.[a-z.]+:80, taken by spiffe:\/\/test\.local\/ns\/default\/sa\/gate/,
    );
    // What it decided, and whom it would ask.
    const [, through] = allowed;
    expect(through?.explanation.reasons).toContainEqual(
      expect.objectContaining({
        site: 'route',
        outcome: 'matched',
        subject: expect.stringContaining('old') as string,
      }),
    );
    expect(through?.explanation.reasons).toContainEqual(
      expect.objectContaining({
        site: 'cluster',
        outcome: 'would forward',
        children: [expect.objectContaining({ site: 'endpoint', outcome: 'healthy' })],
      }),
    );

    const refused = await explained('POST', 'http://web/', '--from', 'caller');
    expect(names(refused)).toEqual([
      ['caller', undefined],
      ['gate', 'caller'],
    ]);
    expect(refused[1]?.explanation).toMatchObject({ status: 403, code: 'TULLE_AUTHZ_DENIED' });
    expect(JSON.stringify(refused[1]?.explanation.reasons)).toContain('default/no-posts');

    // Asked alone, as somebody.
    const as = async (account: string): Promise<number | undefined> =>
      (
        await explained(
          'POST',
          'http://web/',
          '--to',
          'gate',
          '--as',
          `spiffe://test.local/ns/default/sa/${account}`,
        )
      )[0]?.explanation.status;
    expect([await as('caller'), await as('other')]).toEqual([403, 0]);
    const nobody = await tulle('explain', 'GET', 'http://web/', '--to', 'gate');
    expect(nobody.err).toContain('who proves nothing is refused');
    const other = await tulle('explain', 'GET', 'http://orders/', '--to', 'gate');
    expect(other.err).toMatch(/gate\S* is no waypoint of orders.*\n.*web\.default\.svc\.[a-z.]+:80/);
  }, 60_000); // four programs of their own, on a machine that may be busy
});
