import { Client, Metadata, status, type ClientReadableStream } from '@grpc/grpc-js';
import { create } from '@bufbuild/protobuf';
import { createKeyAndCsr, createMeshTls, identityHolder, parseSpiffeId } from '@tulle/spiffe';
import { grpcService } from '@tulle/xds-proto/grpc';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, chmod, writeFile } from 'node:fs/promises';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { connect, createServer as tlsServer } from 'node:tls';
import type { IdentitySnapshot } from '@tulle/model';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Ca } from '../src/ca.ts';
import { createCa } from '../src/create-ca.ts';
import { firstContact } from '../src/first-contact.ts';
import {
  AttestRequestSchema,
  IdentityService,
  RenewRequestSchema,
  WatchRequestSchema,
  type WatchResponse,
} from '../src/gen/tulle/ca/v1/ca_pb.ts';
import { heldFrom } from '../src/identity-keeper.ts';
import { parseJoinToken } from '../src/join-tokens.ts';
import { joiningChannel, meshChannel } from '../src/mesh-channel.ts';
import { memoryStore } from '../src/store.ts';
import { controlPlane, join, trustDomain, web, webId, type TestControlPlane } from './control-plane.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});
const keep = <T extends { close(): unknown }>(one: T): T => {
  opened.push(() => one.close());
  return one;
};
const start = async (...args: Parameters<typeof controlPlane>): Promise<TestControlPlane> =>
  keep(await controlPlane(...args));
const joinAs = async (...args: Parameters<typeof join>): ReturnType<typeof join> => keep(await join(...args));
async function temporary(): Promise<string> {
  const directory = await mkdtemp(joinPath(tmpdir(), 'tulle-identity-'));
  opened.push(() => rm(directory, { recursive: true }));
  return directory;
}
const patient = { timeout: 15_000, interval: 5 };
const methods = grpcService(IdentityService);

/** An identity straight from a CA, for callers that are not a proper client. */
async function identityFrom(ca: Ca, id: string): Promise<IdentitySnapshot> {
  const { csrDer, privateKeyPem } = await createKeyAndCsr(id);
  return heldFrom(await ca.issueLocal(id, csrDer), privateKeyPem, id, Date.now()).snapshot;
}
function rawClient(plane: TestControlPlane, identity?: IdentitySnapshot): Client {
  const bundle = plane.ca.published().bundles[0];
  if (bundle === undefined) throw new Error('no bundle');
  const channel = keep(
    identity === undefined
      ? joiningChannel(trustDomain, bundle)
      : meshChannel(trustDomain, { identity: identityHolder(identity) }),
  );
  return keep(new Client(plane.address, channel.credentials, channel.options));
}
function call(
  client: Client,
  name: 'attest' | 'renew',
  request: { joinToken?: string; csrDer: Uint8Array },
): Promise<{ spiffeId: string }> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, answer?: { spiffeId: string }): void => {
      if (error !== null) reject(error);
      else if (answer !== undefined) resolve(answer);
    };
    const options = { deadline: Date.now() + 10_000 };
    const { joinToken = '', csrDer } = request;
    if (name === 'attest') {
      const { path, requestSerialize, responseDeserialize } = methods.attest;
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(AttestRequestSchema, { joinToken, csrDer }),
        new Metadata(),
        options,
        done,
      );
    } else {
      const { path, requestSerialize, responseDeserialize } = methods.renew;
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(RenewRequestSchema, { csrDer }),
        new Metadata(),
        options,
        done,
      );
    }
  });
}
function watch(client: Client): ClientReadableStream<WatchResponse> {
  const { path, requestSerialize, responseDeserialize } = methods.watch;
  const stream = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    create(WatchRequestSchema),
  );
  stream.on('error', () => undefined);
  return stream;
}
const csrFor = async (id: string): Promise<Buffer> => (await createKeyAndCsr(id)).csrDer;

describe('joining', () => {
  it('gives a workload its identity for its token, and renews it over mutual TLS', async () => {
    const plane = await start();
    const { token } = await plane.ca.createJoinToken(web);
    const client = await joinAs(plane, { joinToken: token });
    const { svid, bundles } = await client.ready();
    expect(svid.spiffeId).toBe(webId);
    expect(client.expiresAtMs).toBe(svid.notAfterMs);
    expect(bundles).toEqual(plane.ca.published().bundles);
    await client.renewNow();
    expect(client.current()?.svid.serial).not.toBe(svid.serial);
    expect(plane.events.filter((event) => event.kind === 'issued').map((event) => event.how)).toEqual([
      'local',
      'attest',
      'renew',
    ]);
    expect(plane.refused).toEqual([]);
  });

  it.each(['used', 'expired', 'revoked', 'forged', 'of another workload', 'of another CA', 'cut'])(
    'gives nothing for a token that is %s',
    async (what) => {
      const plane = await start();
      const { token, id } = await plane.ca.createJoinToken(
        what === 'of another workload'
          ? { ...web, serviceAccount: 'api' }
          : { ...web, ...(what === 'expired' ? { lifetimeMs: 1 } : {}) },
      );
      let joinToken = token;
      if (what === 'used') await plane.ca.attest(token, await csrFor(webId));
      if (what === 'revoked') await plane.ca.revokeJoinToken(id);
      if (what === 'forged')
        joinToken = token.replace(/\.[A-Za-z0-9_-]{43}\./, `.${Buffer.alloc(32, 7).toString('base64url')}.`);
      if (what === 'cut') joinToken = token.slice(0, -3);
      if (what === 'expired') await new Promise((resolve) => setTimeout(resolve, 5));
      if (what === 'of another CA') {
        const other = keep(await createCa({ trustDomain, store: memoryStore() }));
        joinToken = (await other.createJoinToken(web)).token;
      }
      const client = await joinAs(plane, { joinToken });
      await expect(client.ready()).rejects.toMatchObject({ code: 'TULLE_CA_JOIN_REFUSED' });
      expect(client.current()).toBeUndefined();
      expect(
        plane.events.some((event) => event.kind === 'issued' && event.how === 'attest' && what !== 'used'),
      ).toBe(false);
    },
  );

  it('tells the caller of a refused token only that it was refused, and the log why', async () => {
    const plane = await start();
    const { token } = await plane.ca.createJoinToken(web);
    await plane.ca.attest(token, await csrFor(webId));
    const unknown = token.replace(/\.[0-9a-f]{16}\./, '.0123456789abcdef.');
    const client = rawClient(plane);
    for (const joinToken of [token, unknown, 'nonsense'])
      await expect(call(client, 'attest', { joinToken, csrDer: await csrFor(webId) })).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
        details: 'the join token was refused; ask for a new one',
      });
    const reasons = plane.events.flatMap((event) => (event.kind === 'refused' ? [event.reason] : []));
    expect(reasons).toEqual(['token-used', 'token-unknown', 'token-malformed']);
  });

  it('waits for a control plane that is not there yet', async () => {
    const plane = await start();
    const { token } = await plane.ca.createJoinToken(web);
    const placeholder = createServer();
    placeholder.listen(0, '127.0.0.1');
    await once(placeholder, 'listening');
    const bound = placeholder.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    placeholder.close();
    await once(placeholder, 'close');
    const client = await joinAs({ address: `127.0.0.1:${port}` }, { joinToken: token });
    await vi.waitFor(
      () => expect(client.events.some((event) => event.kind === 'renewal-failed')).toBe(true),
      patient,
    );
    const late = await start({ ca: plane.ca, grpc: { port } });
    expect((await client.ready()).svid.spiffeId).toBe(webId);
    expect(late.refused).toEqual([]);
  });

  it.each(['127.0.0.1', 'localhost:0', 'localhost:99999', '::1:15012', '', 'http://a:1'])(
    'refuses %j as an address',
    async (address) => {
      await expect(join({ address }, { joinToken: 'x' })).rejects.toThrow('is not host:port');
    },
  );
});

describe('first contact', () => {
  it('believes only the root whose key the token pins', async () => {
    const [real, fake] = [await start(), await start()];
    const { token } = await real.ca.createJoinToken(web);
    const client = await joinAs(fake, { joinToken: token });
    await expect(client.ready()).rejects.toThrow('does not present the root that the join token pins');
    expect(fake.events.filter((event) => event.kind === 'refused')).toEqual([]);
  });

  it('sends no token to a server that cannot prove to be the control plane, even with a certificate of the mesh', async () => {
    const plane = await start();
    const { token } = await plane.ca.createJoinToken(web);
    // A workload of the mesh, gone bad, serves at the control plane's address. It sends the root along.
    const bad = keep(
      localServer(plane, await identityFrom(plane.ca, 'spiffe://example.org/ns/default/sa/bad')),
    );
    await once(bad.server, 'listening');
    const client = await joinAs({ address: bad.address() }, { joinToken: token });
    await expect(client.ready()).rejects.toThrow('unexpected-identity');
    expect(bad.received()).not.toContain(token);
    expect(bad.bytes()).toBe(0);
  });

  it('is not the only time that the server is judged: a member gets nothing from another workload at that address', async () => {
    const plane = await start();
    const bad = keep(
      localServer(plane, await identityFrom(plane.ca, 'spiffe://example.org/ns/default/sa/bad')),
    );
    await once(bad.server, 'listening');
    const astray = { ...plane, address: bad.address() };
    const csrDer = await csrFor(webId);
    const tries = [
      call(rawClient(astray, await identityFrom(plane.ca, webId)), 'renew', { csrDer }),
      call(rawClient(astray), 'attest', { joinToken: 'secret', csrDer }),
    ];
    for (const one of tries) await expect(one).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(bad.bytes()).toBe(0);
  });

  it('ends at its deadline when the server says nothing', async () => {
    const silent = createServer(() => undefined);
    const sockets: { destroy(): void }[] = [];
    silent.on('connection', (socket) => sockets.push(socket));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    opened.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const bound = silent.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    await expect(
      firstContact({ host: '127.0.0.1', port, trustDomain, pin: 'x', timeoutMs: 50 }),
    ).rejects.toThrow('within 50 ms');
  });
});

/** A TLS server with any identity, that records what it is sent. */
function localServer(
  plane: TestControlPlane,
  identity: IdentitySnapshot,
): {
  server: import('node:tls').Server;
  address(): string;
  bytes(): number;
  received(): string;
  close(): void;
} {
  let text = '';
  let bytes = 0;
  const roots = plane.ca.published().bundles.flatMap((bundle) => bundle.rootsPem);
  const sockets = new Set<import('node:tls').TLSSocket>();
  const server = tlsServer(
    {
      cert: identity.svid.certificateChainPem + roots.join(''),
      key: identity.svid.privateKeyPem,
      ALPNProtocols: ['h2'],
    },
    (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (data: Buffer) => {
        text += data.toString('latin1');
        bytes += data.length;
      });
    },
  );
  server.listen(0, '127.0.0.1');
  return {
    server,
    address() {
      const bound = server.address();
      return `127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
    },
    bytes: () => bytes,
    received: () => text,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe('the gRPC server', () => {
  it('renews and watches for nobody without a certificate, and says so', async () => {
    const plane = await start();
    const client = rawClient(plane);
    await expect(call(client, 'renew', { csrDer: await csrFor(webId) })).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
    });
    const [error] = (await once(watch(client).removeAllListeners('error').resume(), 'error', {}).catch(
      (thrown: unknown) => [thrown],
    )) as [unknown];
    expect(error).toMatchObject({ code: status.UNAUTHENTICATED });
    expect(plane.service.watchers).toBe(0);
  });

  it('knows its callers by their certificates', async () => {
    const plane = await start();
    const id = 'spiffe://example.org/ns/shop/sa/cart';
    const client = rawClient(plane, await identityFrom(plane.ca, id));
    expect((await call(client, 'renew', { csrDer: await csrFor(id) })).spiffeId).toBe(id);
    expect(plane.callers).toEqual([id]);
    await expect(call(client, 'renew', { csrDer: await csrFor(webId) })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  it('refuses the certificate of a foreign CA before a byte of HTTP/2, and plain text, by name', async () => {
    const plane = await start();
    const foreign = keep(await createCa({ trustDomain, store: memoryStore() }));
    const other = keep(await createCa({ trustDomain: 'other.test', store: memoryStore() }));
    const liars = [
      await identityFrom(foreign, webId),
      await identityFrom(other, 'spiffe://other.test/ns/a/sa/b'),
    ];
    for (const liar of liars) {
      const socket = connect({
        host: '127.0.0.1',
        port: plane.grpc.port,
        cert: liar.svid.certificateChainPem,
        key: liar.svid.privateKeyPem,
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
      });
      socket.on('error', () => undefined);
      socket.resume();
      await once(socket, 'close');
    }
    const plain = connectTcp(plane.grpc.port, '127.0.0.1', () =>
      plain.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    );
    plain.on('error', () => undefined);
    plain.resume();
    await once(plain, 'close');
    await vi.waitFor(
      () => expect(plane.refused).toEqual(['unknown-issuer', 'wrong-trust-domain', 'plaintext']),
      patient,
    );
  });

  it('speaks nothing older than TLS 1.3, and nothing but HTTP/2', async () => {
    const plane = await start();
    const old = connect({
      host: '127.0.0.1',
      port: plane.grpc.port,
      maxVersion: 'TLSv1.2',
      rejectUnauthorized: false,
    });
    const [error] = (await once(old, 'error')) as [Error];
    expect(error.message).toContain('protocol version');
    const http1 = connect({ host: '127.0.0.1', port: plane.grpc.port, rejectUnauthorized: false });
    http1.on('error', () => undefined);
    await once(http1, 'close');
    expect(plane.refused).toEqual(['old-tls', 'handshake-failed']);
  });

  it('turns its own certificate over without dropping a stream', async () => {
    const plane = await start();
    const { token } = await plane.ca.createJoinToken(web);
    const client = await joinAs(plane, { joinToken: token });
    await client.ready();
    // A proper client goes to a new connection with each of its certificates; this one stays where it is.
    const staying = watch(rawClient(plane, await identityFrom(plane.ca, webId)));
    const heard: number[] = [];
    const ends: unknown[] = [];
    staying.on('data', ({ leafEpoch }: WatchResponse) => heard.push(Number(leafEpoch)));
    for (const event of ['error', 'end'] as const) staying.on(event, (error: unknown) => ends.push(error));
    await vi.waitFor(() => expect(plane.service.watchers).toBe(2), patient);
    const before = plane.own.current()?.svid.serial;
    const probe = async (): Promise<string | undefined> => {
      const socket = connect({
        host: '127.0.0.1',
        port: plane.grpc.port,
        rejectUnauthorized: false,
        ALPNProtocols: ['h2'],
      });
      socket.on('error', () => undefined);
      await once(socket, 'secureConnect');
      const serial = socket.getPeerX509Certificate()?.serialNumber.toLowerCase();
      socket.destroy();
      return serial;
    };
    expect(await probe()).toBe(before);
    for (let i = 0; i < 3; i++) {
      const epoch = plane.ca.status().leafEpoch + 1;
      const changed = new Promise<void>((resolve) => {
        const end = plane.own.subscribe(() => {
          end();
          resolve();
        });
      });
      await plane.ca.rotateIssuer();
      await changed;
      await vi.waitFor(
        () =>
          expect(client.events.filter((event) => event.kind === 'renewed').at(-1)).toMatchObject({
            leafEpoch: epoch,
          }),
        patient,
      );
    }
    expect(await probe()).toBe(plane.own.current()?.svid.serial);
    expect(plane.own.current()?.svid.serial).not.toBe(before);
    expect(
      client.events.filter((event) => event.kind === 'watch-ended' || event.kind === 'renewal-failed'),
    ).toEqual([]);
    expect([heard, ends]).toEqual([[1, 2, 3, 4], []]);
    staying.cancel();
  });

  it('ends connections whose root is removed', async () => {
    const plane = await start();
    const foreign = keep(await createCa({ trustDomain: 'other.test', store: memoryStore() }));
    const own = plane.own.current();
    if (own === undefined) throw new Error('no identity');
    const friends = { svid: own.svid, bundles: [...own.bundles, ...foreign.published().bundles] };
    const identity = identityHolder(friends);
    const { Server } = await import('@grpc/grpc-js');
    const { serveMeshGrpc } = await import('../src/mesh-grpc-server.ts');
    const grpc = keep(await serveMeshGrpc(new Server(), { identity }));
    const friend = await identityFrom(foreign, 'spiffe://other.test/ns/a/sa/b');
    const socket = connect({
      host: '127.0.0.1',
      port: grpc.port,
      cert: friend.svid.certificateChainPem,
      key: friend.svid.privateKeyPem,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'secureConnect');
    await vi.waitFor(() => expect(grpc.stats().connections).toBe(1), patient);
    const closed = once(socket, 'close');
    identity.set(own);
    await closed;
    await vi.waitFor(() => expect(grpc.stats().connections).toBe(0), patient);
  });

  it('closes although a connection has not finished its handshake', async () => {
    const plane = await controlPlane();
    const silent = connectTcp(plane.grpc.port, '127.0.0.1');
    silent.on('error', () => undefined);
    silent.resume();
    const ended = once(silent, 'close');
    await once(silent, 'connect');
    const greeted = connectTcp(plane.grpc.port, '127.0.0.1', () => greeted.write(Buffer.from([0x16, 3, 1])));
    greeted.on('error', () => undefined);
    greeted.resume();
    const beganMs = performance.now();
    await once(greeted, 'connect');
    await plane.close();
    await ended;
    expect(performance.now() - beganMs).toBeLessThan(5_000); // a handshake may take 10 s
  });

  it('bounds its watchers', async () => {
    const plane = await start();
    const { addCaService } = await import('../src/ca-service.ts');
    const { Server } = await import('@grpc/grpc-js');
    const { serveMeshGrpc } = await import('../src/mesh-grpc-server.ts');
    const server = new Server();
    const grpc = keep(await serveMeshGrpc(server, { identity: plane.own }));
    const service = addCaService(server, plane.ca, { callerIdentity: grpc.callerIdentity, maxWatchers: 1 });
    const client = rawClient(
      { ...plane, address: `127.0.0.1:${grpc.port}` },
      await identityFrom(plane.ca, webId),
    );
    const first = watch(client);
    await once(first, 'data');
    const second = watch(client);
    second.resume();
    const [error] = (await once(second, 'error').catch((thrown: unknown) => [thrown])) as [unknown];
    expect(error).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    first.cancel();
    await vi.waitFor(() => expect(service.watchers).toBe(0), patient);
  });
});

describe('an identity client', () => {
  it('lets another process make its own key: it carries only the request', async () => {
    const plane = await start();
    const { token } = await plane.ca.createJoinToken(web);
    const client = await joinAs(plane, { joinToken: token });
    const engine = await createKeyAndCsr(webId);
    const signed = await client.signCsr(engine.csrPem);
    expect(heldFrom(signed, engine.privateKeyPem, webId, Date.now()).snapshot.svid.serial).toBe(
      signed.serial,
    );
    const other = await createKeyAndCsr('spiffe://example.org/ns/default/sa/admin');
    await expect(client.signCsr(other.csrPem)).rejects.toThrow('csr-identity');
    await expect(client.signCsr('nothing')).rejects.toThrow('no PEM');
  });

  it('starts from disk while the CA is dead, and goes on when it is back', async () => {
    const ca = keep(await createCa({ trustDomain, store: memoryStore() }));
    const plane = await controlPlane({ ca });
    const stateDir = joinPath(await temporary(), 'state');
    const { token } = await ca.createJoinToken(web);
    const first = await join(plane, { joinToken: token, stateDir });
    const { svid } = await first.ready();
    await vi.waitFor(
      async () =>
        expect(JSON.parse(await readFile(joinPath(stateDir, 'identity.json'), 'utf8'))).toMatchObject({
          leafEpoch: 1,
        }),
      patient,
    );
    expect((await stat(joinPath(stateDir, 'identity.json'))).mode & 0o777).toBe(0o600);
    await first.close();
    await plane.close();

    const second = await joinAs(plane, { joinToken: token, stateDir });
    expect((await second.ready()).svid).toEqual(svid);
    const [mesh] = [createMeshTls({ identity: second })];
    expect(mesh.generation).toBe(1);

    const back = await start({ ca, grpc: { port: plane.grpc.port } });
    await vi.waitFor(() => expect(back.service.watchers).toBe(1), patient);
    await second.renewNow();
    expect(second.current()?.svid.serial).not.toBe(svid.serial);
    expect(parseJoinToken(token)).toBeDefined();
  });

  it('refuses a state directory of another workload, or a key that others may read', async () => {
    const plane = await start();
    const stateDir = joinPath(await temporary(), 'state');
    const { token } = await plane.ca.createJoinToken(web);
    const client = await join(plane, { joinToken: token, stateDir });
    await client.ready();
    await vi.waitFor(() => stat(joinPath(stateDir, 'identity.json')), patient);
    await client.close();
    await expect(join(plane, { serviceAccount: 'api', stateDir })).rejects.toThrow(
      'holds the identity of spiffe://example.org/ns/default/sa/web',
    );
    await chmod(joinPath(stateDir, 'identity.json'), 0o644);
    await expect(join(plane, { stateDir })).rejects.toThrow('chmod 0600');
  });

  it('says what is wrong with a damaged or ended saved identity, and needs a token again', async () => {
    const plane = await start();
    const stateDir = await temporary();
    await writeFile(joinPath(stateDir, 'identity.json'), '{', { mode: 0o600 });
    const without = await joinAs(plane, { stateDir });
    expect(without.events[0]).toMatchObject({ kind: 'saved-unusable' });
    await expect(without.ready()).rejects.toThrow('start it with a new join token');
    const { token } = await plane.ca.createJoinToken(web);
    const withToken = await joinAs(plane, { stateDir, joinToken: token });
    expect((await withToken.ready()).svid.spiffeId).toBe(webId);
  });

  it('renews when all leaves are turned over, wherever it was when that was said', async () => {
    const ca = keep(await createCa({ trustDomain, store: memoryStore() }));
    const plane = await controlPlane({ ca });
    const { token } = await ca.createJoinToken(web);
    const client = await joinAs(plane, { joinToken: token });
    const { svid } = await client.ready();
    await plane.close();
    await ca.rotateLeaves();
    await start({ ca, grpc: { port: plane.grpc.port } });
    await vi.waitFor(() => expect(client.current()?.svid.serial).not.toBe(svid.serial), patient);
    expect(parseSpiffeId(client.spiffeId).trustDomain).toBe(trustDomain);
  });
});
