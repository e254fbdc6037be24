import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIdentityClient, type IdentityClient } from '@tulle/ca';
import { afterEach, expect, it, vi } from 'vitest';
import { startControlPlane, type RunningControlPlane } from '../src/index.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'tulle-control-plane-'));
let running: RunningControlPlane | undefined;
afterEach(async () => {
  await running?.close();
  rmSync(stateDir, { recursive: true, force: true });
});

it('starts, can be found, applies, makes tokens, and is where it was and what it was after a restart', async () => {
  running = await startControlPlane({ stateDir });
  const file = join(stateDir, 'control-plane.json');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(running.endpoints);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const { pid: _, ...before } = running.endpoints;
  const { api, apiSecret } = before;
  const post = (path: string, type: string, body: string, headers: Record<string, string> = {}) =>
    fetch(api + path, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${apiSecret}`, 'content-type': type, ...headers },
    });
  const service = 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { ports: [{ port: 80 }] }';
  expect((await post('/api/v1/apply', 'application/yaml', service)).status).toBe(200);
  const web = JSON.stringify({ namespace: 'default', serviceAccount: 'web' });
  const token = await post('/api/v1/join-tokens', 'application/json', web);
  expect(await token.text()).toContain('tulle-join-1.');
  expect(await (await fetch(`${api}/metrics`)).text()).toContain('# TYPE');
  // Whom a browser or another user of the machine could be.
  for (const [headers, status] of [
    [{ authorization: '' }, 401],
    [{ authorization: 'Bearer guessed' }, 401],
    [{ origin: 'http://evil.example' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'content-type': 'text/plain' }, 415],
  ] as const)
    for (const path of ['/api/v1/join-tokens', '/api/v1/apply', '/api/v1/ca/rotate-issuer']) {
      const { status: got } = await post(path, 'application/json', web, headers);
      expect([path, headers, got]).toEqual([path, headers, status]);
    }

  await running.close();
  running = await startControlPlane({ stateDir });
  expect(running.endpoints).toMatchObject(before);
  expect(running.controlPlane.resource('Service/default/a')).toBeDefined();
});

it('makes, lists and revokes join tokens, and replaces the root, over REST', async () => {
  running = await startControlPlane({ stateDir, log: { debug() {}, info() {}, warn() {}, error() {} } });
  const { api, apiSecret, rootPin } = running.endpoints;
  const call = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(`${api}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiSecret}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  };
  const web = { namespace: 'default', serviceAccount: 'web' };
  const made = await call('POST', '/join-tokens', { ...web, labels: { app: 'orders' } });
  expect(made).toMatchObject({ status: 200, body: { labels: { app: ['orders'] } } });
  const { id, token } = made.body as { id: string; token: string };
  const listed = await call('GET', '/join-tokens');
  expect(listed.body).toMatchObject({ items: [{ id, state: 'unused', labels: { app: ['orders'] } }] });
  expect(JSON.stringify(listed.body)).not.toContain(token.split('.')[2]);
  expect(await call('DELETE', `/join-tokens/${id}`)).toEqual({ status: 200, body: { revoked: id } });
  expect(await call('DELETE', `/join-tokens/${id}`)).toMatchObject({ status: 404 });
  for (const [body, detail] of [
    [{ ...web, label: {} }, '"label" is no field'],
    [{ ...web, labels: ['app'] }, 'labels is neither'],
    [{ ...web, labels: { app: 1 } }, 'labels is neither'],
    [{ ...web, labels: { 'a b': 'c' } }, "is not a label's name"],
    [{ ...web, lifetimeMs: -1 }, 'lifetimeMs is -1'],
    [{ ...web, namespace: 'A B' }, 'namespace'],
    [{ namespace: 'default' }, 'serviceAccount is no text'],
    ['web', 'no object'],
  ] as const)
    expect([body, await call('POST', '/join-tokens', body)]).toMatchObject([
      body,
      { status: 400, body: { detail: expect.stringContaining(detail) as string } },
    ]);

  const [old] = running.ca.status().roots;
  expect((await call('GET', '/ca')).body).toMatchObject({ roots: [{ id: old?.id }], signingRootId: old?.id });
  expect(await call('POST', '/ca/switch-root')).toMatchObject({
    status: 409,
    body: { code: 'TULLE_CA_REFUSED' },
  });
  expect(await call('POST', '/ca/rotate-root')).toMatchObject({ status: 200 });
  const { ca } = running;
  await vi.waitFor(() => expect(ca.status().rootRotation?.phase).toBe('overlapping')); // nobody to wait for
  expect(await call('POST', '/ca/rotate-root')).toMatchObject({ status: 409 });
  const file = JSON.parse(readFileSync(join(stateDir, 'control-plane.json'), 'utf8')) as { rootPin: string };
  expect(file.rootPin).toBe(ca.rootPin);
  expect(file.rootPin).not.toBe(rootPin);
  expect(await call('POST', '/ca/remove-old-root')).toMatchObject({ status: 200 });
  const after = (await call('GET', '/ca')).body as { roots: { id: string }[]; rootRotation?: unknown };
  expect(after.roots.map((root) => root.id)).not.toContain(old?.id);
  expect(after.rootRotation).toBeUndefined();
  // Its own certificate follows, so that whoever joins now finds the root that the new token pins.
  const joined = await createIdentityClient({
    ...web,
    address: running.endpoints.xds,
    trustDomain: running.endpoints.trustDomain,
    joinToken: async () => ((await call('POST', '/join-tokens', web)).body as { token: string }).token,
  });
  await joined.ready();
  await joined.close();
});

it('shows what the CA does: who was certified and who was refused, in the log and in the metrics', async () => {
  const lines: { level: string; message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const line =
    (level: string) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
      void lines.push({ level, message, fields });
  const log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  running = await startControlPlane({ stateDir, log, leafLifetimeMs: 60_000 });
  const { api, xds, trustDomain } = running.endpoints;
  const { token } = await running.ca.createJoinToken({ namespace: 'default', serviceAccount: 'web' });
  const join = async (serviceAccount: string): Promise<IdentityClient> =>
    createIdentityClient({
      address: xds,
      trustDomain,
      namespace: 'default',
      serviceAccount,
      joinToken: token,
    });
  const thief = await join('admin');
  await expect(thief.ready()).rejects.toThrow('csr-identity');
  const web = await join('web');
  await web.ready();
  await expect(fetch(`http://${xds}/`)).rejects.toThrow(); // no TLS
  const page = async (): Promise<string> => (await fetch(`${api}/metrics`)).text();
  await vi.waitFor(async () => {
    const text = await page();
    expect(text).toContain('tulle_ca_issued_total{how="attest"} 1\n');
    expect(text).toContain('tulle_ca_refused_total{how="attest",reason="csr-identity"} 1\n');
    expect(text).toContain('tulle_control_connections_refused_total{reason="plaintext"} 1\n');
    expect(text).toContain('tulle_ca_watchers 1\n');
  });
  expect(await page()).toMatch(/tulle_ca_authority_life_used_ratio\{authority="root"\} \d/);
  expect(await page()).toMatch(/tulle_ca_authority_expiry_timestamp_seconds\{authority="issuer"\} \d{10}/);
  expect(await page()).toMatch(/tulle_identity_life_used_ratio 0/);
  expect(lines).toContainEqual({
    level: 'warn',
    message: 'refused a certificate (attest): csr-identity',
    fields: {
      askedId: `spiffe://${trustDomain}/ns/default/sa/admin`,
      peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      detail: expect.stringContaining('/sa/web names') as string,
    },
  });
  expect(lines).toContainEqual({
    level: 'info',
    message: 'issued a certificate (attest)',
    fields: expect.objectContaining({ spiffeId: web.spiffeId, serial: web.current()?.svid.serial }) as object,
  });
  expect(lines).toContainEqual(
    expect.objectContaining({ level: 'warn', message: 'refused a connection: plaintext' }),
  );
  expect(JSON.stringify(lines)).not.toContain(token);
  await Promise.all([thief.close(), web.close()]);
});

it('takes endpoints of whom a join token granted the labels, and of no thief; is closed by default where told so', async () => {
  running = await startControlPlane({ stateDir, defaultAction: 'deny' });
  const { endpoints, ca, controlPlane } = running;
  const members: IdentityClient[] = [];
  const join = async (
    serviceAccount: string,
    port: number,
    labels: Record<string, string>,
  ): Promise<void> => {
    const { token } = await ca.createJoinToken({ namespace: 'default', serviceAccount, labels });
    const { xds: address, trustDomain } = endpoints;
    const member = await createIdentityClient({
      address,
      trustDomain,
      namespace: 'default',
      serviceAccount,
      joinToken: token,
    });
    members.push(member);
    await member.ready();
    controlPlane.provider.open({
      id: `${member.spiffeId}~1`,
      cluster: serviceAccount,
      metadata: {
        workload: serviceAccount,
        labels: { app: 'orders' },
        ports: [port],
        inbound: { port: port + 1 },
      },
      identity: member.spiffeId,
      userAgent: 'tulle',
      extensions: [],
    });
  };
  const service =
    'apiVersion: v1\nkind: Service\nmetadata: { name: orders }\nspec: { selector: { app: orders }, ports: [{ port: 80 }] }';
  const applied = await fetch(`${endpoints.api}/api/v1/apply`, {
    method: 'POST',
    body: service,
    headers: { authorization: `Bearer ${endpoints.apiSecret}`, 'content-type': 'application/yaml' },
  });
  expect(applied.status).toBe(200);
  await join('orders-v2', 7001, { app: 'orders' });
  await join('evil', 7003, {});
  expect(controlPlane.status().services.map(({ leftOut }) => leftOut.map((l) => l.serviceAccount))).toEqual([
    ['default/evil'],
  ]);
  expect(controlPlane.status().defaultAction).toBe('deny');
  await Promise.all(members.map((member) => member.close()));
});

it('takes other ports where somebody has those of last time', async () => {
  running = await startControlPlane({ stateDir });
  const { xds, api } = running.endpoints;
  await running.close();
  const squatters = [xds, api].map((address) => {
    const { port } = new URL(address.includes('://') ? address : `tcp://${address}`);
    return createServer().listen(Number(port), '127.0.0.1');
  });
  await Promise.all(squatters.map((squatter) => once(squatter, 'listening')));
  running = await startControlPlane({ stateDir });
  expect(running.endpoints.xds).not.toBe(xds);
  expect(running.endpoints.api).not.toBe(api);
  for (const squatter of squatters) squatter.close();
});
