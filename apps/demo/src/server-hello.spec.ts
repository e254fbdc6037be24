import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import { createCa, memoryStore } from '@tulle/ca';
import { createKeyAndCsr } from '@tulle/spiffe';
import { describe, expect, it } from 'vitest';
import { handshakeKind, type HandshakeKind } from './server-hello.ts';

describe('handshakeKind', () => {
  it('tells a full handshake from a resumed one, in any chunking', async () => {
    const ca = await createCa({ trustDomain: 'a.test', store: memoryStore() });
    const { csrDer, privateKeyPem: key } = await createKeyAndCsr('spiffe://a.test/ns/default/sa/a');
    const { certificateChainPem: cert } = await ca.issueLocal('spiffe://a.test/ns/default/sa/a', csrDer);
    const server = tls.createServer({ cert, key, minVersion: 'TLSv1.3' }, (socket) => socket.end('hello'));
    const taps: Buffer[] = [];
    const relay = net.createServer((near) => {
      const far = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
      far.once('data', (bytes: Buffer) => taps.push(bytes));
      near.pipe(far).pipe(near);
      near.on('error', () => far.destroy());
    });
    for (const one of [server, relay]) await once(one.listen(0, '127.0.0.1'), 'listening');
    const connect = async (session?: Buffer): Promise<Buffer> => {
      const socket = tls.connect({
        host: '127.0.0.1',
        port: (relay.address() as AddressInfo).port,
        rejectUnauthorized: false,
        ...(session === undefined ? {} : { session }),
      });
      let ticket: Buffer = Buffer.alloc(0);
      socket.on('session', (bytes: Buffer) => (ticket = bytes)).resume();
      await once(socket, 'close');
      return ticket;
    };
    await connect(await connect());
    const kinds = taps.map((bytes): HandshakeKind | undefined => {
      for (let n = 0; n < bytes.length; n++) {
        const kind = handshakeKind(bytes.subarray(0, n));
        if (kind !== undefined) return kind;
      }
      return undefined;
    });
    expect(kinds).toEqual(['full', 'resumed']);
    for (const one of [server, relay]) one.close();
    await ca.close();
  });

  it('refuses what is no ServerHello', () => {
    expect(() => handshakeKind(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.padEnd(40_000)))).toThrow(
      'no ServerHello',
    );
  });
});
