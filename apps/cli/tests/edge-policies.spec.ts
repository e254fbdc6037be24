import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, tulleBench } from './tulle-bench.ts';
import { call, ECHO, headersOf } from './web-client.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');

/** A token of the issuer, signed with its key. */
function token(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'EdDSA', kid: 'k1' })}.${part({ iss: 'https://login.example.com/', exp: Math.floor(Date.now() / 1000) + 600, ...claims })}`;
  return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`;
}

describe('policies at a gateway', () => {
  const bench = tulleBench();
  const { start, tulle } = bench;
  let asked: Server;
  beforeEach(async () => {
    // Lets in whoever shows the badge, and says who that is.
    asked = createServer((q, r) =>
      q.headers['x-badge'] === 'blue'
        ? r.writeHead(200, { 'x-badge-of': 'ann' }).end()
        : r.writeHead(403).end('no badge'),
    ).listen(0, '127.0.0.1');
    await new Promise((resolve) => asked.once('listening', resolve));
  });
  afterEach(() => void asked.close());

  const target = (kind: string, name: string, sectionName?: string): object => ({
    group: 'gateway.networking.k8s.io',
    kind,
    name,
    ...(sectionName === undefined ? {} : { sectionName }),
  });
  const policy = (name: string, targetRef: object, spec: object): object => ({
    apiVersion: 'tulle.dev/v1alpha1',
    kind: 'FilterPolicy',
    metadata: { name },
    spec: { targetRefs: [targetRef], ...spec },
  });
  const resources = (): object[] => [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'shop' },
      spec: { selector: { app: 'shop' }, ports: [{ port: 80 }] },
    },
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'edge' },
      spec: {
        gatewayClassName: 'tulle',
        listeners: [
          { name: 'http', port: 80, protocol: 'HTTP' },
          { name: 'closed', port: 81, protocol: 'HTTP' },
        ],
      },
    },
    ...['api', 'limited', 'guarded', 'open'].map((name) => ({
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name },
      spec: {
        parentRefs: [{ name: 'edge' }],
        rules: [{ matches: [{ path: { value: `/${name}` } }], backendRefs: [{ name: 'shop', port: 80 }] }],
      },
    })),
    policy('cors', target('HTTPRoute', 'api'), {
      phase: 'cors',
      filter: 'tulle.http.cors',
      config: {
        allowOrigins: ['https://shop.example.com'],
        allowMethods: ['PUT'],
        allowHeaders: ['authorization'],
      },
    }),
    policy('login', target('HTTPRoute', 'api'), {
      phase: 'authn',
      filter: 'tulle.http.jwt',
      config: {
        providers: [
          {
            name: 'login',
            issuer: 'https://login.example.com/',
            audiences: ['shop'],
            jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'EdDSA' }] },
            claimsToHeaders: [{ claim: 'sub', header: 'x-user' }],
          },
        ],
      },
    }),
    policy('limit', target('HTTPRoute', 'limited'), {
      phase: 'limit',
      filter: 'tulle.http.ratelimit',
      config: { limits: [{ name: 'each', requests: 3, intervalMs: 3_600_000, by: ['address'] }] },
    }),
    policy('ask', target('HTTPRoute', 'guarded'), {
      phase: 'authz',
      filter: 'tulle.http.ext-authz',
      config: {
        service: {
          http: {
            url: `http://127.0.0.1:${(asked.address() as AddressInfo).port}/check`,
            requestHeaders: ['x-badge'],
            upstreamHeaders: ['x-badge-of'],
          },
        },
        timeoutMs: 5_000,
      },
    }),
    policy('nobody', target('Gateway', 'edge', 'closed'), {
      phase: 'connection',
      filter: 'tulle.conn.ip-allow',
      config: { allow: ['192.0.2.0/24'] },
    }),
    policy('mark', target('Gateway', 'edge'), {
      phase: 'transform',
      filter: 'tulle.http.headers',
      config: { response: { set: [{ name: 'x-edge', value: 'yes' }] } },
    }),
  ];

  it('hold for the Gateway, the listener or the route that they target, and for nothing else', async () => {
    await writeFile(
      join(bench.dir, 'edge.json'),
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: resources() }),
    );
    const applied = await tulle('apply', '-f', 'edge.json');
    expect(applied, applied.out).toMatchObject({ code: 0 });
    const port = await freePort();
    await start('run', '--name', 'shop', '-p', port, '--', process.execPath, '-e', ECHO, port).said(
      /takes calls/,
    );
    const [http, closed] = [await freePort(), await freePort()];
    await start('gateway', '--name', 'edge', '--listen', `80=${http}`, '--listen', `81=${closed}`).said(
      /Gateway default\/edge listens/,
    );

    const open = await call(http, { path: '/open' });
    expect([open.status, open.headers['x-edge']]).toEqual([200, 'yes']);

    // JWT: of the route api only; claims come as headers, forged ones do not.
    expect((await call(http, { path: '/api' })).status).toBe(401);
    const authorization = `Bearer ${token({ sub: 'ann', aud: 'shop' })}`;
    const known = await call(http, { path: '/api', headers: { authorization, 'x-user': 'root' } });
    expect([known.status, headersOf(known)['x-user'], headersOf(known)['authorization']]).toEqual([
      200,
      'ann',
      undefined,
    ]);
    const elsewhere = `Bearer ${token({ sub: 'ann', aud: 'other' })}`;
    expect((await call(http, { path: '/api', headers: { authorization: elsewhere } })).status).toBe(401);

    // CORS: answered before anybody asks who calls.
    const preflight = async (origin: string, path = '/api'): ReturnType<typeof call> =>
      call(http, { method: 'OPTIONS', path, headers: { origin, 'access-control-request-method': 'PUT' } });
    const allowed = await preflight('https://shop.example.com');
    expect([allowed.status, allowed.headers['access-control-allow-origin']]).toEqual([
      204,
      'https://shop.example.com',
    ]);
    const foreign = await preflight('https://evil.example');
    expect([foreign.status, foreign.headers['access-control-allow-origin']]).toEqual([204, undefined]);
    expect((await preflight('https://shop.example.com', '/open')).status).toBe(200); // the service's own affair

    // Rate limit: by address, of the route limited only.
    const statuses = [];
    for (let i = 0; i < 5; i++) statuses.push((await call(http, { path: '/limited' })).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    const refused = await call(http, { path: '/limited', headers: { 'x-forwarded-for': '192.0.2.200' } });
    expect([refused.status, Number(refused.headers['retry-after']) > 0]).toEqual([429, true]);
    expect((await call(http, { path: '/open' })).status).toBe(200);

    // External authorization: asked for the route guarded only.
    expect((await call(http, { path: '/guarded' })).status).toBe(403);
    const badge = await call(http, {
      path: '/guarded',
      headers: { 'x-badge': 'blue', 'x-badge-of': 'root' },
    });
    expect([badge.status, headersOf(badge)['x-badge-of']]).toEqual([200, 'ann']);

    // Networks: of one listener only, before a byte is read.
    await expect(call(closed, { path: '/open' })).rejects.toThrow(/hang up|RESET/);

    // What no route takes is 404, not the business of a route's filters.
    expect((await call(http, { path: '/nothing' })).status).toBe(404);
  }, 60_000);
});
