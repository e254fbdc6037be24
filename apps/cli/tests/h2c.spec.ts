import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';
import { call } from './web-client.ts';

/** Speaks HTTP/2 with prior knowledge and nothing else, and answers with what it was asked by. */
const H2C =
  "require('http2').createServer((q,r)=>r.end('HTTP/'+q.httpVersion+' '+q.url)).listen(process.argv[1],'127.0.0.1')";

const resources = (appProtocol: string): string => `apiVersion: v1
kind: Service
metadata: { name: shop }
spec: { selector: { app: shop }, ports: [{ port: 80${appProtocol} }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: tulle, listeners: [{ name: http, port: 80, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { parentRefs: [{ name: edge }, { group: '', kind: Service, name: shop }], rules: [{ backendRefs: [{ name: shop, port: 80 }] }] }
`;

describe('a port of appProtocol kubernetes.io/h2c', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('is called by HTTP/2 with prior knowledge, from a Gateway and within the mesh, for callers of HTTP/1.1', async () => {
    const apply = async (yaml: string): Promise<void> => {
      await writeFile(join(bench.dir, 'shop.yaml'), yaml);
      expect(await tulle('apply', '-f', 'shop.yaml')).toMatchObject({ code: 0 });
    };
    await apply(resources(', appProtocol: kubernetes.io/h2c'));
    const port = await freePort();
    await start('run', '--name', 'shop', '-p', port, '--', process.execPath, '-e', H2C, port).said(
      /takes calls/,
    );
    const http = await freePort();
    await start('gateway', '--name', 'edge', '--listen', `80=${http}`).said(/Gateway default\/edge listens/);
    const [, local = ''] = await start('run', '--name', 'web', '-u', 'shop=0', '--', 'sleep', '1000').said(
      /shop → 127\.0\.0\.1:(\d+)/,
    );
    const ask = async (at: string, path: string): Promise<string> => {
      const { status, text } = await call(at, { path });
      return `${status} ${text}`;
    };
    await expect.poll(async () => ask(http, '/edge'), { timeout: 15_000 }).toBe('200 HTTP/2.0 /edge');
    await expect.poll(async () => ask(local, '/mesh'), { timeout: 15_000 }).toBe('200 HTTP/2.0 /mesh');
    // Where the port says nothing it is called by HTTP/1.1, which this program does not speak.
    await apply(resources(''));
    await expect.poll(async () => ask(http, '/edge'), { timeout: 15_000 }).not.toMatch(/HTTP\/2\.0/);
  }, 90_000);
});
