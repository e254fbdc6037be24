import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { createCa, memoryStore, type Ca } from '@tulle/ca';
import type { DownstreamTls, TcpAddress, TicketKey } from '@tulle/model';
import { createProxy, httpListener, nodeTransport, route, type Proxy } from '@tulle/proxy';
import { createKeyAndCsr } from '@tulle/spiffe';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { memoryLog } from '../src/index.ts';

const ID = 'spiffe://mesh.test/ns/default/sa/server';
const patient = { timeout: 10_000, interval: 20 };

describe('tickets of TLS sessions', () => {
  let ca: Ca;
  let directory = '';
  let certificate: DownstreamTls['certificate'];
  const open: Proxy[] = [];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tulle-tickets-'));
    ca = await createCa({ trustDomain: 'mesh.test', store: memoryStore() });
    const { csrDer, privateKeyPem } = await createKeyAndCsr(ID);
    const { certificateChainPem } = await ca.issueLocal(ID, csrDer);
    certificate = { kind: 'inline', certificatePem: certificateChainPem, keyPem: privateKeyPem };
  });
  afterAll(async () => {
    await ca.close();
    await rm(directory, { recursive: true });
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((proxy) => proxy.stop()));
  });

  async function serving(tls: Partial<DownstreamTls>): Promise<number> {
    const proxy = createProxy({
      log: memoryLog(),
      transport: nodeTransport({ certificateWatchMs: 10 }),
      listeners: [
        httpListener({
          name: 'edge',
          port: 0,
          tls: { certificate, ...tls },
          routes: [route('/', { kind: 'direct', status: 200, body: 'ok' })],
        }),
      ],
    });
    await proxy.start();
    open.push(proxy);
    return (proxy.addresses()['edge'] as TcpAddress).port;
  }

  /** Asks once. @returns a session to go on with, and whether the one given was taken */
  async function ask(port: number, session?: Buffer): Promise<{ session: Buffer; reused: boolean }> {
    const socket = tlsConnect({
      host: '127.0.0.1',
      port,
      rejectUnauthorized: false,
      ...(session && { session }),
    });
    let latest = session;
    socket.on('session', (made: Buffer) => (latest = made));
    await once(socket, 'secureConnect');
    const reused = socket.isSessionReused();
    socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    return { session: latest as Buffer, reused };
  }

  const inline = (): TicketKey => ({ keyBase64: randomBytes(80).toString('base64') });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'of one proxy are taken by another with the same key: %s',
    async (version) => {
      const versions = { minVersion: 'TLSv1.2', maxVersion: version } as const;
      const sessionTicketKey = inline();
      const [one, two, other] = [
        await serving({ ...versions, sessionTicketKey }),
        await serving({ ...versions, sessionTicketKey }),
        await serving({ ...versions, sessionTicketKey: inline() }),
      ];
      const { session } = await ask(one);
      expect((await ask(two, session)).reused).toBe(true);
      expect((await ask(other, session)).reused).toBe(false);
    },
  );

  it('of one proxy are of no use to another where no key is given', async () => {
    const { session } = await ask(await serving({}));
    expect((await ask(await serving({}), session)).reused).toBe(false);
  });

  it('have the key of a file, from its replacement on the new one', async () => {
    const file = join(directory, 'key');
    await writeFile(file, randomBytes(80));
    const one = await serving({ sessionTicketKey: { file } });
    const { session } = await ask(one);
    expect((await ask(one, session)).reused).toBe(true);
    await writeFile(`${file}.new`, randomBytes(80));
    await rename(`${file}.new`, file);
    await vi.waitFor(async () => expect((await ask(one, session)).reused).toBe(false), patient);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('end with the time of their session: %s', async (version) => {
    const versions = { minVersion: 'TLSv1.2', maxVersion: version } as const;
    const [short, long] = [await serving({ ...versions, sessionTimeoutMs: 3_000 }), await serving(versions)];
    const [ending, going] = [(await ask(short)).session, (await ask(long)).session];
    expect((await ask(short, ending)).reused).toBe(true);
    await vi.waitFor(async () => expect((await ask(short, ending)).reused).toBe(false), patient);
    expect((await ask(long, going)).reused).toBe(true);
  });

  it('are refused with a key of another length', async () => {
    await expect(serving({ sessionTicketKey: { keyBase64: 'YWJj' } })).rejects.toThrow(
      'sessionTicketKey has 3 bytes: a key of session tickets has 80',
    );
  });
});
