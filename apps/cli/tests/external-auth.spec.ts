import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';
import { call, ECHO } from './web-client.ts';

/**
 * Answers `envoy.service.auth.v3.Authorization/Check`: allows what holds the text `blue`. A CheckResponse with a status of
 * code 0, or of 7 and an HTTP response of 402 (fields 1.1 and 2.1.1), in bytes.
 */
const AUTH = `
const server = require('http2').createServer();
server.on('stream', (stream, { ':path': path }) => {
  const parts = [];
  stream.on('data', (part) => parts.push(part)).on('end', () => {
    if (path !== '/envoy.service.auth.v3.Authorization/Check') return stream.respond({ ':status': 404 }, { endStream: true });
    const request = Buffer.concat(parts).toString('latin1');
    const allowed = request.includes('blue') && !request.includes('x-secret');
    const message = allowed ? [10, 0] : [10, 2, 8, 7, 18, 5, 10, 3, 8, 146, 3];
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.from([0, 0, 0, 0, message.length, ...message]));
  });
});
server.listen(process.argv[1], '127.0.0.1');
`;

const RESOURCES = `
apiVersion: v1
kind: Service
metadata: { name: shop }
spec: { selector: { app: shop }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: auth }
spec: { selector: { app: auth }, ports: [{ name: grpc, port: 9000 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: tulle, listeners: [{ name: http, port: 80, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec:
  parentRefs: [{ name: edge }]
  rules:
    - matches: [{ path: { value: /guarded } }]
      filters:
        - type: ExternalAuth
          externalAuth:
            protocol: GRPC
            backendRef: { name: auth, port: 9000 }
            grpc: { allowedHeaders: [X-Badge] }
            forwardBody: { maxSize: 10 }
      backendRefs: [{ name: shop, port: 80 }]
    - backendRefs: [{ name: shop, port: 80 }]
`;

describe('ExternalAuth over gRPC', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;

  it('asks a service of the mesh over mutual TLS, with the headers and the body that are listed', async () => {
    await writeFile(join(bench.dir, 'edge.yaml'), RESOURCES);
    const applied = await tulle('apply', '-f', 'edge.yaml');
    expect(applied, applied.out).toMatchObject({ code: 0 });
    for (const [name, program] of [
      ['shop', ECHO],
      ['auth', AUTH],
    ] as const) {
      const port = await freePort();
      await start('run', '--name', name, '-p', port, '--', process.execPath, '-e', program, port).said(
        /takes calls/,
      );
    }
    const http = await freePort();
    await start('gateway', '--name', 'edge', '--listen', `80=${http}`).said(/Gateway default\/edge listens/);
    const ask = async (headers: Record<string, string>, body = ''): Promise<number> =>
      (await call(http, { method: 'POST', path: '/guarded', headers, ...(body === '' ? {} : { body }) }))
        .status;
    await expect.poll(() => ask({ 'x-badge': 'blue' }), { timeout: 15_000 }).toBe(200);
    expect(await ask({ 'x-badge': 'red' })).toBe(402);
    // Of the headers only those that are listed are told.
    expect(await ask({ 'x-badge': 'blue', 'x-secret': '1' })).toBe(200);
    expect(await ask({ 'x-other': 'blue' })).toBe(402);
    expect(await ask({}, 'sky blue')).toBe(200);
    expect(await ask({}, 'a lot of blue')).toBe(413);
    expect((await call(http, { path: '/' })).status).toBe(200);
    const status = await tulle('get', 'httproutes', 'shop', '-o', 'json');
    expect(status.out).toMatch(/"reason": "ResolvedRefs"/);
  }, 60_000);
});
