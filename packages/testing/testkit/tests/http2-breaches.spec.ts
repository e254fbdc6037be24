import { cluster, httpListener, route } from '@tulle/proxy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  fakeClock,
  Http2Client,
  http2Upstream,
  memoryNetwork,
  responseOf,
  type Http2Upstream,
  type TestProxy,
} from '../src/index.ts';
import { started } from './support.ts';

const clients: Http2Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

function http2Client(test: TestProxy): Http2Client {
  const client = new Http2Client(test.connect());
  clients.push(client);
  return client;
}

const DATA = 0;
const HEADERS = 1;
const SETTINGS = 4;
const END_HEADERS = 4;
/** Type, flags and id of the HEADERS frame that begins and ends the first request. */
const HEAD_OF_STREAM_1 = '\x01\x05\0\0\0\x01';

/** A frame as latin1 text. */
function frame(type: number, flags: number, id: number, payload: string): string {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return head.toString('latin1') + payload;
}

async function overHttp2(
  routes = [route('/', 'api')],
): Promise<{ test: TestProxy; upstream: Http2Upstream }> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const upstream = http2Upstream(network, '10.0.0.1:80');
  const test = await started({
    clock,
    network,
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes })],
    clusters: [cluster('api', ['10.0.0.1:80'], { pool: { protocol: 'http2' } })],
  });
  return { test, upstream };
}

describe('an endpoint that refuses a stream which it had begun to answer', () => {
  it.each([
    ['RST_STREAM', '00000403000000000100000007'],
    ['GOAWAY', '0000080700000000000000000000000000'],
  ])('by %s breaks the answer at once, and is not asked again', async (_frame, hex) => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    let asked = 0;
    network.listen('10.0.0.1:80', (connection) => {
      connection.send(frame(SETTINGS, 0, 0, ''));
      connection.onBytes = () => {
        if (!connection.received.includes(HEAD_OF_STREAM_1)) return;
        connection.received = '';
        asked++;
        // :status 200
        connection.send(frame(HEADERS, END_HEADERS, 1, '\x88') + frame(DATA, 0, 1, 'half'));
        connection.send(Buffer.from(hex, 'hex'));
      };
    });
    const test = await started({
      clock,
      network,
      listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['10.0.0.1:80'], { pool: { protocol: 'http2' } })],
    });
    await expect(responseOf(http2Client(test).open({}, true))).rejects.toThrow(/reset|closed/i);
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(0));
    expect(asked).toBe(1);
    expect(test.records[0]).toMatchObject({ status: 200, code: 'TULLE_UPSTREAM_RESET_AFTER_START' });
  });
});

describe('many answers in one turn', () => {
  const large = { set: [{ name: 'x-large', value: 'v'.repeat(3000) }] };
  const heads = route('/heads', { kind: 'direct', status: 204 }, { responseHeaders: large });

  it('with large heads are no sign of a caller that does not read', async () => {
    const { test } = await overHttp2([heads, route('/', 'api')]);
    const client = http2Client(test);
    client.connection.socket.incoming.capacityBytes = 16 * 1024 * 1024;
    await client.request({ path: '/heads' });
    const answers = Array.from({ length: 600 }, () => client.request({ path: '/heads' }));
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual(statuses.map(() => 204));
    expect(statuses).toHaveLength(600);
  });

  it('do not leave a body behind when they are taken at once', async () => {
    const { test } = await overHttp2([
      heads,
      route('/body', { kind: 'direct', status: 200, body: 'here' }),
      route('/', 'api'),
    ]);
    const client = http2Client(test);
    client.connection.socket.incoming.capacityBytes = 16 * 1024 * 1024;
    await client.request({ path: '/heads' });
    const before = Array.from({ length: 80 }, () => client.request({ path: '/heads' }));
    const body = client.request({ path: '/body' });
    await Promise.all(before);
    expect((await body).body).toBe('here');
  });
});
