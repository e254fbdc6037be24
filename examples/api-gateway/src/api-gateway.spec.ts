import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Proxy } from '@tulle/proxy';
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { apiGateway } from './api-gateway.ts';

const ISSUER = 'https://issuer.example';
const directory = mkdtempSync(join(tmpdir(), 'tulle-gateway-'));
const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), kid: 'k' };

const token = (claims: JWTPayload = {}): Promise<string> =>
  new SignJWT({ groups: [], ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(ISSUER)
    .setSubject('alice')
    .setAudience('api')
    .setExpirationTime('5 minutes')
    .sign(privateKey);

/** What the authorization service does with a check; reset before each test. */
let authorize: RequestListener = (_request, response) => void response.end();
const servers: (http.Server | https.Server)[] = [];
let gateway: Proxy;
let base = '';
let jwksFetches = 0;

async function listen(server: http.Server | https.Server): Promise<string> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server as Server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      keyFile,
      '-out',
      certFile,
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    ],
    { stdio: 'ignore' },
  );
  const api = http.createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ url: request.url, headers: request.headers, pad: 'x'.repeat(2_000) }));
  });
  const issuer = https.createServer(
    { key: readFileSync(keyFile), cert: readFileSync(certFile) },
    (_request, response) => {
      jwksFetches += 1;
      response.end(JSON.stringify({ keys: [jwk] }));
    },
  );
  const authorizer = http.createServer((request, response) => authorize(request, response));
  gateway = apiGateway({
    port: 0,
    api: await listen(api),
    authorizer: await listen(authorizer),
    issuer: { name: ISSUER, address: await listen(issuer), caPem: readFileSync(certFile, 'utf8') },
  });
  await gateway.start();
  base = `http://127.0.0.1:${(gateway.addresses()['edge'] as { port: number }).port}`;
});

beforeEach(() => {
  authorize = (_request, response) => void response.end();
});

afterAll(async () => {
  await gateway.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(directory, { recursive: true });
});

const ask = async (path: string, headers: Readonly<Record<string, string>> = {}, init: RequestInit = {}) => {
  const response = await fetch(base + path, { ...init, headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
};
const bearer = async (claims?: JWTPayload): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await token(claims)}`,
});

describe('the gateway', () => {
  it('lets a good token pass with keys fetched over TLS, once, and tells the API who it is', async () => {
    const answers = await Promise.all(
      [1, 2, 3].map(async () => ask('/orders', { ...(await bearer()), 'x-user': 'root' })),
    );
    for (const { status, headers, text } of answers) {
      expect(status).toBe(200);
      expect(headers.get('content-encoding')).not.toBe(null);
      const seen = JSON.parse(text) as { headers: Record<string, string> };
      expect(seen.headers['x-user']).toBe('alice');
      expect(seen.headers['authorization']).toBe(undefined);
    }
    expect(jwksFetches).toBe(1);
  });

  it('refuses strangers, on paths that exist and on those that do not', async () => {
    expect((await ask('/orders')).status).toBe(401);
    expect((await ask('/orders', { authorization: 'Bearer a.b.c' })).status).toBe(401);
  });

  it('asks for a claim where a policy does', async () => {
    expect((await ask('/admin', await bearer())).status).toBe(403);
    expect((await ask('/admin', await bearer({ groups: ['admin'] }))).status).toBe(200);
  });

  it('answers the preflight of a listed page without a token, and names no other page', async () => {
    const preflight = { 'access-control-request-method': 'PUT' };
    const listed = await ask(
      '/orders',
      { ...preflight, origin: 'https://shop.example' },
      { method: 'OPTIONS' },
    );
    expect([listed.status, listed.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://shop.example',
    ]);
    const other = await ask(
      '/orders',
      { ...preflight, origin: 'https://evil.example' },
      { method: 'OPTIONS' },
    );
    expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([204, null]);
  });

  it('asks the authorization service with the verified user, and gives its refusal to the caller', async () => {
    const checks: (readonly [string | undefined, string | undefined, unknown])[] = [];
    authorize = (request, response) => {
      checks.push([request.method, request.url, request.headers['x-user']]);
      response.writeHead(302, { location: '/login' }).end('log in');
    };
    const { status, headers, text } = await ask('/orders?a=1', await bearer(), { redirect: 'manual' });
    expect([status, headers.get('location'), text]).toEqual([302, '/login', 'log in']);
    expect(checks).toEqual([['GET', '/check/orders?a=1', 'alice']]);
  });

  it.each<[string, RequestListener]>([
    ['says nothing', () => {}],
    ['resets', (request) => request.socket.resetAndDestroy()],
    ['closes', (request) => request.socket.end()],
    ['speaks nonsense', (request) => request.socket.end('nonsense\r\n\r\n')],
    ['fails', (_request, response) => void response.writeHead(500).end()],
    [
      'answers without end',
      (_request, response) => void response.writeHead(200, { 'content-length': '10' }).write('a'),
    ],
    ['answers too much', (_request, response) => void response.end('x'.repeat(100_000))],
  ])('lets nothing pass when that service %s', async (_what, listener) => {
    authorize = listener;
    const { status, text } = await ask('/orders', await bearer());
    expect(status).toBe(403);
    expect(text).toContain('TULLE_EXT_AUTHZ_ERROR');
  });
});
