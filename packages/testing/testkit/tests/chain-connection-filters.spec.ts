import { CONTINUE, defineConnFilter } from '@tulle/filter';
import type { HttpHandler } from '@tulle/model';
import { route } from '@tulle/proxy';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { anything, started } from './support.ts';

interface Gate {
  readonly open: boolean;
  /** Whether it takes a while to say so. */
  readonly slow?: boolean;
}

let said: string[] = [];
beforeEach(() => {
  said = [];
});

/** Says what it is asked, and lets pass whom it is told to. */
const gate = defineConnFilter<Gate>({
  apiVersion: 1,
  id: 'gate',
  config: anything(),
  effects: 'local',
  create: (host, { open, slow = false }) => ({
    connect(connection) {
      said.push(`${host.name}: connect`);
      if (!slow) return open ? CONTINUE : connection.close('TULLE_ADDRESS_REFUSED', 'shut');
      return new Promise((resolve) => {
        host.after(100, () => resolve(open ? CONTINUE : connection.close('TULLE_ADDRESS_REFUSED', 'shut')));
      });
    },
    handshake({ tls, peerIdentity }) {
      said.push(`${host.name}: handshake ${tls ? 'tls' : 'plain'} ${peerIdentity ?? '-'}`);
      return CONTINUE;
    },
    close() {
      said.push(`${host.name}: close`);
      return undefined;
    },
  }),
});

const CALLER = 'spiffe://mesh.local/ns/default/sa/web';

/** A listener whose chain of HTTP has a gate of its own, behind one of the listener. */
async function proxy(config: Gate, tls = false, handler: Partial<HttpHandler> = {}): Promise<TestProxy> {
  const { connectionFilters: _none, ...more } = handler;
  return started({
    listeners: [
      {
        name: 'http',
        address: { host: '127.0.0.1', port: 8080 },
        connectionFilters: [gate({ open: true }, { name: 'listener' })],
        filterChains: [
          {
            name: 'chain',
            ...(tls && {
              tls: { certificate: { kind: 'workload' as const }, trust: { kind: 'mesh' as const } },
            }),
            handler: {
              ...more,
              kind: 'http',
              filters: [],
              connectionFilters: [gate(config, { name: 'chain' })],
              routes: {
                name: 'all',
                virtualHosts: [{ name: 'all', domains: ['*'], routes: [route('/', 'api')] }],
              },
            },
          },
        ],
      },
    ],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
    ],
    upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
  });
}

describe('connection filters of a chain of HTTP', () => {
  it('are asked once a connection, before its requests, and told when it is over', async () => {
    const test = await proxy({ open: true });
    const client = test.client();
    for (let i = 0; i < 3; i += 1) expect((await client.request()).status).toBe(200);
    expect(said).toEqual([
      'listener: connect',
      'listener: handshake plain -',
      'chain: connect',
      'chain: handshake plain -',
    ]);
    client.connection.close();
    await test.clock.settle();
    expect(said.slice(4)).toEqual(['chain: close', 'listener: close']);
  });

  it('know who the peer is', async () => {
    const test = await proxy({ open: true }, true);
    const client = test.client({ tls: { identity: CALLER } });
    expect((await client.request()).status).toBe(200);
    expect(said).toContain(`chain: handshake tls ${CALLER}`);
  });

  it.each([false, true])('refuse a connection before a request is read (later: %s)', async (slow) => {
    const test = await proxy({ open: false, slow });
    const connection = test.connect();
    connection.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await test.clock.advance(200);
    expect([connection.ended, connection.received]).toEqual([true, '']);
    expect(test.upstream('10.0.0.1:80').requests).toEqual([]);
    expect(said.slice(2)).toEqual(['chain: connect', 'chain: close', 'listener: close']);
    expect(test.log.lines.map(({ message }) => message).join()).toContain('TULLE_ADDRESS_REFUSED shut');
  });

  it.each(['auto', 'http1'] as const)('may take their time, and nothing is lost (%s)', async (codec) => {
    const test = await proxy({ open: true, slow: true }, false, { codec });
    const connection = test.connect();
    connection.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await test.clock.advance(50);
    expect(connection.received).toBe('');
    await test.clock.advance(1_000);
    expect(connection.received).toContain('HTTP/1.1 200');
    connection.close();
    await test.clock.settle();
    expect(said.filter((what) => what.endsWith('close'))).toEqual(['chain: close', 'listener: close']);
  });

  it('are told of a caller that leaves without a word', async () => {
    const test = await proxy({ open: true });
    test.connect().close(true);
    await test.clock.settle();
    expect(said.filter((what) => what.endsWith('close'))).toEqual(['chain: close', 'listener: close']);
  });
});
