import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { identityHolder } from '../src/identity-holder.ts';
import { createMeshTls, type MeshTls, type MeshTlsChange } from '../src/mesh-tls.ts';
import type { IdentitySnapshot } from '@tulle/model';
import { badPeers, goodId, oddPeers, type BadPeer } from './bad-peers.ts';
import { bundle, forgeIssuer, forgeLeaf, forgeMesh, forgeRoot, snapshot } from './forge.ts';
import { dial, echoServer, sayPlainly, type EchoServer } from './wire.ts';

const world = await forgeMesh();
const apiId = 'spiffe://example.org/ns/default/sa/api';
const api = await world.identity(apiId);
const web = await world.identity(goodId);

const open: EchoServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});
async function serve(mesh: MeshTls, expected?: readonly string[]): Promise<EchoServer> {
  const server = await echoServer(mesh, expected);
  open.push(server);
  return server;
}
const tlsOf = (who: IdentitySnapshot): MeshTls => createMeshTls({ identity: identityHolder(who) });

const presentedBy = (side: 'client' | 'server'): [string, BadPeer['reason'], BadPeer][] =>
  badPeers
    .filter((peer) => peer.unservable !== true && (peer.only ?? side) === side)
    .map((peer) => [peer.what, peer.reason, peer]);

describe('mutual TLS on the wire', () => {
  it('lets two members of a mesh talk, each knowing the other, on TLS 1.3 with ALPN', async () => {
    const server = await serve(tlsOf(api), [goodId]);
    const handshake = tlsOf(web).outbound({ alpn: ['http/1.1'] });
    const socket = connect({ host: '127.0.0.1', port: server.port, ...handshake?.options });
    await once(socket, 'secureConnect');
    expect(socket.getProtocol()).toBe('TLSv1.3');
    expect(socket.alpnProtocol).toBe('http/1.1');
    expect(handshake?.verify(socket)).toMatchObject({ ok: true, spiffeId: apiId, serial: api.svid.serial });
    expect((await server.next()).verdict).toMatchObject({
      ok: true,
      spiffeId: goodId,
      serial: web.svid.serial,
    });
    socket.destroy();
  });

  it.each(presentedBy('client'))('a server refuses a client with %s: %s', async (_what, reason, peer) => {
    const server = await serve(tlsOf(api));
    const { echo } = await dial(tlsOf(await peer.make(world)), server.port);
    expect((await server.next()).verdict).toMatchObject({ ok: false, reason });
    expect(echo).toBeUndefined();
    expect(server.bytesBelieved).toBe(0);
  });

  it.each(presentedBy('server'))('a client refuses a server with %s: %s', async (_what, reason, peer) => {
    const server = await serve(tlsOf(await peer.make(world)));
    const { verdict, echo } = await dial(tlsOf(web), server.port);
    expect(verdict).toMatchObject({ ok: false, reason });
    expect(echo).toBeUndefined();
    expect(server.bytesBelieved).toBe(0);
  });

  it.each(oddPeers.map((peer) => [peer.what, peer] as const))('both sides take %s', async (_what, peer) => {
    const odd = await peer.make(world);
    const [asServer, asClient] = [await serve(tlsOf(odd)), await serve(tlsOf(api))];
    expect(await dial(tlsOf(web), asServer.port)).toMatchObject({
      verdict: { ok: true, spiffeId: goodId },
      echo: 'ping',
    });
    expect(await dial(tlsOf(odd), asClient.port)).toMatchObject({
      verdict: { ok: true, spiffeId: apiId },
      echo: 'ping',
    });
  });

  it('refuses a valid identity that was not expected, both ways', async () => {
    const server = await serve(tlsOf(api), ['spiffe://example.org/ns/default/sa/other']);
    await dial(tlsOf(web), server.port);
    expect((await server.next()).verdict).toMatchObject({
      reason: 'unexpected-identity',
      claimedSpiffeId: goodId,
    });
    const other = await serve(tlsOf(api));
    expect((await dial(tlsOf(web), other.port, { expected: [goodId] })).verdict).toMatchObject({
      reason: 'unexpected-identity',
      claimedSpiffeId: apiId,
    });
  });

  it.each([
    ['HTTP', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['zeros', '\0'.repeat(64)],
    ['a line', 'hello, is this plain text?\n'],
  ])('names %s in plain text as such', async (_what, text) => {
    const server = await serve(tlsOf(api));
    await sayPlainly(server.port, text);
    expect((await server.next()).verdict).toMatchObject({ ok: false, reason: 'plaintext' });
    expect(server.bytesBelieved).toBe(0);
  });

  it('refuses TLS 1.2, and a client without a certificate', async () => {
    const server = await serve(tlsOf(api));
    const old = connect({
      host: '127.0.0.1',
      port: server.port,
      maxVersion: 'TLSv1.2',
      rejectUnauthorized: false,
      cert: web.svid.certificateChainPem,
      key: web.svid.privateKeyPem,
    });
    old.on('error', () => undefined);
    expect((await server.next()).verdict).toMatchObject({ reason: 'old-tls' });
    const bare = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
    bare.on('error', () => undefined);
    expect((await server.next()).verdict).toMatchObject({ reason: 'no-certificate' });
    old.destroy();
    bare.destroy();
  });

  it('refuses, and cannot connect, before it has an identity', async () => {
    const holder = identityHolder();
    const late = createMeshTls({ identity: holder });
    const server = await serve(late);
    expect(await dial(late, server.port)).toMatchObject({ verdict: { reason: 'no-identity' } });
    await sayPlainly(server.port, 'x');
    expect((await server.next()).verdict).toMatchObject({ reason: 'no-identity' });
    holder.set(api);
    expect(late.generation).toBe(1);
    expect(await dial(tlsOf(web), server.port)).toMatchObject({ verdict: { ok: true } });
  });
});

describe('resumed sessions', () => {
  it('are judged like full handshakes on both sides', async () => {
    const client = tlsOf(web);
    const server = await serve(tlsOf(api), [goodId]);
    const reused: boolean[] = [];
    for (let i = 0; i < 4; i++) {
      const { verdict, echo } = await dial(client, server.port, { sessionKey: 'api', expected: [apiId] });
      expect([verdict.ok, echo]).toEqual([true, 'ping']);
      const seen = await server.next();
      expect(seen.verdict).toMatchObject({ ok: true, spiffeId: goodId });
      reused.push(seen.reused);
    }
    expect(reused).toEqual([false, true, true, true]);
    const wrong = await dial(client, server.port, { sessionKey: 'api', expected: [goodId] });
    expect(wrong).toMatchObject({ reused: true, verdict: { reason: 'unexpected-identity' } });
  });

  it('are bounded in number', async () => {
    const client = createMeshTls({ identity: identityHolder(web), maxSessions: 2 });
    const server = await serve(tlsOf(api));
    for (const sessionKey of ['a', 'b', 'c']) await dial(client, server.port, { sessionKey });
    expect(client.stats().sessions).toBe(2);
  });

  it("end with each of the server's rotations: its old tickets are worth a full handshake only", async () => {
    const holder = identityHolder(api);
    const server = await serve(createMeshTls({ identity: holder }));
    const client = tlsOf(web);
    await dial(client, server.port, { sessionKey: 'api' });
    holder.set(await world.identity(apiId));
    expect(await dial(client, server.port, { sessionKey: 'api' })).toMatchObject({
      reused: false,
      echo: 'ping',
    });
  });

  it("end with the client's own rotation, so that its peers see the new certificate", async () => {
    const holder = identityHolder(web);
    const client = createMeshTls({ identity: holder });
    const server = await serve(tlsOf(api));
    await dial(client, server.port, { sessionKey: 'api' });
    await server.next();
    const renewed = await world.identity(goodId);
    holder.set(renewed);
    await dial(client, server.port, { sessionKey: 'api' });
    expect(await server.next()).toMatchObject({ reused: false, verdict: { serial: renewed.svid.serial } });
  });

  it('are not kept when the ticket comes after a rotation', async () => {
    const holder = identityHolder(web);
    const client = createMeshTls({ identity: holder });
    const server = await serve(tlsOf(api));
    const renewed = await world.identity(goodId);
    const handshake = client.outbound({ sessionKey: 'api' });
    const socket = connect({ host: '127.0.0.1', port: server.port, ...handshake?.options });
    const ticket = once(socket, 'session');
    socket.on('secureConnect', () => {
      handshake?.verify(socket);
      holder.set(renewed);
      socket.write('ping');
    });
    await ticket;
    expect(client.stats().sessions).toBe(0);
    socket.destroy();
  });

  it('are refused by a server once the root that vouched for the client is gone', async () => {
    // The client's certificate comes from a root that the server then drops; the session is offered by hand.
    const oldRoot = await forgeRoot('CN=old');
    const oldIssuer = await forgeIssuer(oldRoot);
    const both = [bundle('example.org', 1, world.root, oldRoot)];
    const visitor = await snapshot([await forgeLeaf(oldIssuer, goodId), oldIssuer], both);
    const holder = identityHolder({ svid: api.svid, bundles: both });
    const mesh = createMeshTls({ identity: holder });
    const server = await serve(mesh);
    const client = tlsOf(visitor);
    await dial(client, server.port, { sessionKey: 'api' });
    const { verdict } = await server.next();
    expect(verdict.ok && mesh.stillTrusted(verdict)).toBe(true);

    const changes: MeshTlsChange[] = [];
    mesh.subscribe((change) => changes.push(change));
    holder.set({ svid: api.svid, bundles: [bundle('example.org', 2, world.root)] });
    expect(changes).toEqual([{ generation: 2, removedRoots: [verdict.ok ? verdict.rootFingerprint : ''] }]);
    expect(verdict.ok && mesh.stillTrusted(verdict)).toBe(false);
    expect((await dial(client, server.port, { sessionKey: 'api' })).echo).toBeUndefined();
    expect((await server.next()).verdict).toMatchObject({ reason: 'unknown-issuer' });
  });
});

describe('rotation', () => {
  it('changes nothing for a snapshot that says the same', async () => {
    const holder = identityHolder(api);
    const mesh = createMeshTls({ identity: holder });
    holder.set({ svid: { ...api.svid }, bundles: [bundle('example.org', 7, world.root)] });
    expect(mesh.generation).toBe(1);
    mesh.close();
    holder.set(web);
    expect(mesh.identity).toBe(api);
  });

  it('keeps what works when a snapshot cannot be used', async () => {
    const holder = identityHolder(api);
    const errors: Error[] = [];
    const mesh = createMeshTls({ identity: holder, onBadSnapshot: (error) => errors.push(error) });
    holder.set({ svid: { ...web.svid, privateKeyPem: api.svid.privateKeyPem }, bundles: api.bundles });
    holder.set({ svid: web.svid, bundles: [{ trustDomain: 'example.org', rootsPem: [], generation: 2 }] });
    expect(errors).toHaveLength(2);
    expect(mesh.generation).toBe(1);
    const server = await serve(mesh);
    expect(await dial(tlsOf(web), server.port)).toMatchObject({
      verdict: { ok: true, spiffeId: apiId },
      echo: 'ping',
    });
  });

  it(
    'of leaves, issuers and roots loses none of 500 full handshakes, and open connections live on',
    { timeout: 60_000 },
    async () => {
      const secondRoot = await forgeRoot('CN=second');
      let issuer = world.issuer;
      let bundles = [world.bundle];
      const serverHolder = identityHolder(api);
      const clientHolder = identityHolder(web);
      const [serverTls, clientTls] = [
        createMeshTls({ identity: serverHolder }),
        createMeshTls({ identity: clientHolder }),
      ];
      const server = await serve(serverTls, [goodId]);
      const standing = connect({ host: '127.0.0.1', port: server.port, ...clientTls.outbound()?.options });
      await once(standing, 'secureConnect');
      await server.next();

      const serials = { server: new Set<string>(), client: new Set<string>() };
      const failures: unknown[] = [];
      const handshake = async (): Promise<void> => {
        const { verdict, echo } = await dial(clientTls, server.port, { expected: [apiId] });
        if (!verdict.ok || echo !== 'ping') failures.push(verdict);
        else serials.server.add(verdict.serial);
        const seen = await server.next();
        if (!seen.verdict.ok || seen.reused) failures.push(seen);
        else serials.client.add(seen.verdict.serial);
      };
      const rotateLeaves = async (): Promise<void> => {
        serverHolder.set(await snapshot([await forgeLeaf(issuer, apiId), issuer], bundles));
        clientHolder.set(await snapshot([await forgeLeaf(issuer, goodId), issuer], bundles));
      };
      const steps: (() => Promise<void>)[] = [
        rotateLeaves,
        async () => {
          issuer = await forgeIssuer(world.root, { subject: 'CN=issuer 2' });
          await rotateLeaves();
        },
        // A root: believed first, used second, the old one dropped last.
        async () => {
          bundles = [bundle('example.org', 2, world.root, secondRoot)];
          await rotateLeaves();
        },
        async () => {
          issuer = await forgeIssuer(secondRoot, { subject: 'CN=issuer 3' });
          await rotateLeaves();
        },
        async () => {
          bundles = [bundle('example.org', 3, secondRoot)];
          await rotateLeaves();
        },
      ];
      for (const step of steps) {
        // Five at a time; the rotation happens among them.
        for (let round = 0; round < 20; round++) {
          const running = Array.from({ length: 5 }, handshake);
          if (round === 10) running.push(step());
          await Promise.all(running);
        }
      }
      expect(failures).toEqual([]);
      expect(serials.server.size).toBeGreaterThanOrEqual(6);
      expect(serials.client.size).toBeGreaterThanOrEqual(6);
      standing.write('still here');
      const [data] = (await once(standing, 'data')) as [Buffer];
      expect(data.toString()).toBe('still here');
      standing.destroy();
    },
  );
});
