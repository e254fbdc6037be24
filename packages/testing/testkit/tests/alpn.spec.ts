import { describe, expect, it } from 'vitest';
import type { Socket } from '@tulle/proxy';
import { fakeClock, memoryNetwork, type MemoryNetwork } from '../src/index.ts';

const certificate = { kind: 'workload' } as const;
const id = 'spiffe://mesh/ns/default/sa/web';

/** Connects to a TLS listener of a proxy's kind; resolves with what both ends know of ALPN, or with the fault. */
async function handshake(
  network: MemoryNetwork,
  offered: readonly string[] | undefined,
  taken: readonly string[] | undefined,
): Promise<readonly (string | undefined)[] | string> {
  const { transport } = network.machine({ address: '10.0.0.9', identity: id });
  const trust = { kind: 'mesh' } as const;
  const listening = await transport.listen(
    { host: '10.0.0.9', port: 15_006 },
    {
      mayUseTls: true,
      accept(socket) {
        const tls = transport.serverTls({
          certificate,
          trust,
          ...(taken === undefined ? {} : { alpn: taken }),
        });
        server = transport.secure(socket, tls, undefined);
        server.events = quiet;
      },
    },
  );
  let server: Socket | undefined;
  const client = transport.connect(listening.address, {
    tls: transport.clientTls({ certificate, trust, ...(offered === undefined ? {} : { alpn: offered }) }),
    expectedIdentity: id,
  });
  return new Promise((resolve) => {
    client.events = {
      ...quiet,
      onOpen: () => resolve([client.tls?.alpn, server?.tls?.alpn]),
      onEnd: () => resolve('refused'),
      onClose: (fault) => resolve(fault?.reason ?? 'closed'),
    };
  });
}

const quiet = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };

describe('ALPN on the memory network', () => {
  it('chooses what the listener prefers of what was offered, and tells both ends', async () => {
    const network = memoryNetwork(fakeClock());
    expect(await handshake(network, ['http/1.1', 'h2'], ['h2', 'http/1.1'])).toEqual(['h2', 'h2']);
  });

  it('chooses nothing where nothing is offered', async () => {
    expect(await handshake(memoryNetwork(fakeClock()), undefined, ['h2'])).toEqual([undefined, undefined]);
  });

  it('takes HTTP/1.1 where the listener says nothing, and refuses who offers only others', async () => {
    expect(await handshake(memoryNetwork(fakeClock()), ['h2', 'http/1.1'], undefined)).toEqual([
      'http/1.1',
      'http/1.1',
    ]);
    expect(await handshake(memoryNetwork(fakeClock()), ['h2'], undefined)).toBe('refused');
  });

  it('tells who calls a service what the service chose', async () => {
    const network = memoryNetwork(fakeClock());
    network.listen('10.0.0.1:443', (connection) => connection.send('hello'), { identity: id, alpn: ['h2'] });
    const { transport } = network;
    const tls = transport.clientTls({ trust: { kind: 'mesh' }, alpn: ['h2', 'http/1.1'], allowedIds: [id] });
    const socket = transport.connect({ host: '10.0.0.1', port: 443 }, { tls });
    const alpn = await new Promise((resolve) => {
      socket.events = { ...quiet, onOpen: () => resolve(socket.tls?.alpn) };
    });
    expect(alpn).toBe('h2');
  });
});
