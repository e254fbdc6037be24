import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench, type Running } from './tulle-bench.ts';
import { call, ECHO, headersOf } from './web-client.ts';

const gatewayOf = (listeners: string): string => `apiVersion: v1
kind: Service
metadata: { name: shop }
spec: { selector: { app: shop }, ports: [{ port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: tulle
  listeners:
${listeners}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ name: edge }]
  hostnames: [shop.example.com, other.example.com]
  rules: [{ backendRefs: [{ name: shop, port: 80 }] }]
`;
const HTTP = '    - { name: http, port: 80, protocol: HTTP }';
const https = (name: string, hostname: string): string =>
  `    - { name: ${name}, port: 443, protocol: HTTPS, hostname: ${hostname}, tls: { certificateRefs: [{ name: ${name} }] } }`;

describe('tulle gateway', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;
  const apply = async (yaml: string): Promise<void> => {
    await writeFile(join(bench.dir, 'edge.yaml'), yaml);
    expect(await tulle('apply', '-f', 'edge.yaml')).toMatchObject({ code: 0 });
  };
  const shop = async (): Promise<void> => {
    const port = await freePort();
    await start('run', '--name', 'shop', '-p', port, '--', process.execPath, '-e', ECHO, port).said(
      /it takes calls from now on/,
    );
  };
  const gateway = async (...args: string[]): Promise<Running> => {
    const one = start('gateway', '--name', 'edge', '--certificates', 'certs', ...args);
    await one.said(/Gateway default\/edge (?:listens|does not listen)/);
    return one;
  };
  const certificate = async (name: string, ...hosts: string[]): Promise<string> => {
    const made = await tulle(
      ...['certificate', 'create', name, '--certificates', 'certs', ...hosts.flatMap((h) => ['--host', h])],
    );
    expect(made).toMatchObject({ code: 0 });
    return readFile(made.out.trim(), 'utf8');
  };
  const status = async (): Promise<string> =>
    (await tulle('get', 'gateway', 'edge', '-o', 'yaml')).out.replace(/\s+/g, ' ');

  it('lets the world in by HTTP and HTTPS, and believes nothing that it claims', async () => {
    const ca = await certificate('shop', 'shop.example.com');
    const otherCa = await certificate('other', 'other.example.com');
    await apply(
      gatewayOf([HTTP, https('shop', 'shop.example.com'), https('other', 'other.example.com')].join('\n')),
    );
    await shop();
    const [plain, secure] = [await freePort(), await freePort()];
    await gateway('--listen', `80=${plain}`, '--listen', `443=${secure}`);
    const claims = {
      'x-forwarded-for': '192.0.2.6',
      'x-forwarded-client-cert': 'URI=spiffe://test.local/ns/default/sa/admin',
      x_forwarded_for: '192.0.2.7',
      forwarded: 'for=192.0.2.8',
      'x-real-ip': '192.0.2.9',
      'x-envoy-original-path': '/admin',
    };
    const answer = await call(plain, { headers: claims });
    expect(answer.status).toBe(200);
    const seen = headersOf(answer);
    expect(JSON.stringify(seen)).not.toMatch(/192\.0\.2|sa\/admin|original-path/);
    expect(seen).toMatchObject({
      'x-forwarded-for': '127.0.0.1, 127.0.0.1', // the caller, then the gateway
      'x-forwarded-proto': 'http',
      'x-forwarded-client-cert': 'URI=spiffe://test.local/ns/default/sa/edge',
    });
    expect(seen['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect((await call(plain, { host: 'elsewhere.example.com' })).status).toBe(404);
    expect(headersOf(await call(secure, { ca }))).toMatchObject({ 'x-forwarded-proto': 'https' });
    expect((await call(secure, { ca: otherCa, host: 'other.example.com' })).status).toBe(200);
    // A host of one listener on the connection of another, and a server name of none.
    expect(
      (await call(secure, { ca, host: 'other.example.com', servername: 'shop.example.com' })).status,
    ).toBe(421);
    await expect(call(secure, { ca, host: 'elsewhere.example.com' })).rejects.toThrow(
      /disconnected|hang up|RESET/,
    );
    expect(await status()).not.toMatch(/status: "False" reason: (?!NoConflicts)/);
  }, 60_000);

  it('opens a listener when its certificate comes, shows a new one to new connections, and keeps it when the files break', async () => {
    await apply(gatewayOf([HTTP, https('shop', 'shop.example.com')].join('\n')));
    await shop();
    const [plain, secure] = [await freePort(), await freePort()];
    await gateway('--listen', `80=${plain}`, '--listen', `443=${secure}`);
    expect((await call(plain)).status).toBe(200);
    await expect(call(secure, { ca: '' })).rejects.toThrow(/ECONNREFUSED|RESET|disconnected/);
    expect(await status()).toMatch(
      /reason: InvalidCertificateRef message: there is no usable certificate \S+\/default\/shop/,
    );
    const first = await certificate('shop', 'shop.example.com');
    const by = async (ca: string): Promise<number | string> =>
      call(secure, { ca })
        .then(({ status: code }) => code)
        .catch((error: unknown) => (error as Error).message);
    await expect.poll(() => by(first), { timeout: 15_000 }).toBe(200);
    const second = await certificate('shop', 'shop.example.com');
    await expect.poll(() => by(second), { timeout: 15_000 }).toBe(200);
    expect(await by(first)).not.toBe(200);
    await writeFile(join(bench.dir, 'certs/default/shop/tls.key'), 'broken');
    await rm(join(bench.dir, 'certs/default/shop/tls.crt'));
    await apply(
      gatewayOf([HTTP, https('shop', 'shop.example.com'), https('lost', 'lost.example.com')].join('\n')),
    );
    await expect.poll(status, { timeout: 15_000 }).toMatch(/name: lost .*InvalidCertificateRef/);
    expect(await by(second)).toBe(200);
  }, 90_000);

  it('is one process of a Gateway on a machine, and says so to a second', async () => {
    await apply(gatewayOf(HTTP));
    const first = await gateway('--listen', `80=${await freePort()}`);
    expect(await tulle('gateway', '--name', 'edge', '--listen', `80=${await freePort()}`)).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        new RegExp(
          `default\\.edge\\.gateway is running already, in process ${first.process.pid} .*\nhint: .*one process of a Gateway.*--workers`,
        ),
      ) as string,
    });
  }, 60_000);

  it('serves the other listeners where a port cannot be had, and says why', async () => {
    await apply(gatewayOf([HTTP, '    - { name: alt, port: 81, protocol: HTTP }'].join('\n')));
    await shop();
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    await apply(gatewayOf([HTTP, `    - { name: alt, port: ${port}, protocol: HTTP }`].join('\n')));
    const plain = await freePort();
    await gateway('--listen', `80=${plain}`);
    try {
      await expect
        .poll(status, { timeout: 15_000 })
        .toMatch(new RegExp(`refuses it: .*cannot listen on 127\\.0\\.0\\.1:${port}: EADDRINUSE`));
      expect(await status()).toMatch(/type: Accepted status: "False" reason: PortUnavailable/);
      expect((await call(plain)).status).toBe(200);
    } finally {
      taken.close();
    }
  }, 60_000);

  it('loses no request when its processes are replaced, and ends what runs when it is told to end', async () => {
    await apply(gatewayOf(HTTP));
    await shop();
    const plain = await freePort();
    const edge = await gateway('--listen', `80=${plain}`, '--workers', '2');
    const statuses = new Map<number | string, number>();
    let stop = false;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!stop) {
          const got = await call(plain)
            .then((a) => a.status)
            .catch((error: unknown) => (error as Error).message);
          statuses.set(got, (statuses.get(got) ?? 0) + 1);
        }
      }),
    );
    edge.process.kill('SIGHUP');
    await expect.poll(() => statuses.get(200) ?? 0, { timeout: 30_000 }).toBeGreaterThan(500);
    stop = true;
    await load;
    expect([...statuses.keys()]).toEqual([200]);
    const slow = call(plain, { path: '/?wait=700' });
    await new Promise((resolve) => setTimeout(resolve, 200)); // it is on its way by then
    edge.process.kill('SIGTERM');
    expect((await slow).status).toBe(200);
    expect((await edge.ended).code).toBe(0);
    await expect(call(plain)).rejects.toThrow(/ECONNREFUSED/);
    expect(await status()).toContain('start one: tulle gateway --name edge');
  }, 90_000);

  it.each([
    [['--listen', '443=0.0.0.0:99999'], /is not PORT=\[HOST:\]PORT/],
    [['--listen', 'here'], /is no IP address/],
    [['--listen', '::', '--listen', '127.0.0.1'], /several addresses/],
  ])('%j is refused with what would be right', async (args, says) => {
    expect(await tulle('gateway', '--name', 'edge', ...args)).toMatchObject({
      code: 64,
      err: expect.stringMatching(says) as string,
    });
  });
});
