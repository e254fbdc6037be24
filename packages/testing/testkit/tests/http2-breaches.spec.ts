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
const GOAWAY = 7;
const END_STREAM = 1;
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

describe('many requests in one read', () => {
  const large = { set: [{ name: 'x-large', value: 'v'.repeat(3000) }] };
  const routes = [
    route('/heads', { kind: 'direct', status: 204 }, { responseHeaders: large }),
    route('/body', { kind: 'direct', status: 200, body: 'here' }),
  ];

  /** HEADERS of a GET (RFC 7541 §6: indexed method and scheme, literal path and authority). */
  const get = (id: number, path: string): string =>
    frame(
      HEADERS,
      END_HEADERS | END_STREAM,
      id,
      `\x82\x86\x04${String.fromCharCode(path.length)}${path}\x01\x04test`,
    );

  /** Sends all in one piece, to a proxy whose caller takes whatever comes at once. @returns the frames that came back */
  async function sendAtOnce(
    paths: readonly string[],
  ): Promise<{ type: number; id: number; payload: string }[]> {
    const { test } = await overHttp2(routes);
    const connection = test.connect();
    connection.socket.incoming.capacityBytes = 64 * 1024 * 1024;
    connection.send(
      `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${frame(SETTINGS, 0, 0, '')}${paths.map((path, i) => get(i * 2 + 1, path)).join('')}`,
    );
    await test.clock.advance(100);
    const bytes = Buffer.from(connection.received, 'latin1');
    const frames: { type: number; id: number; payload: string }[] = [];
    for (let at = 0; at + 9 <= bytes.length;) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      const id = bytes.readUInt32BE(at + 5);
      frames.push({ type: bytes[at + 3] as number, id, payload: bytes.toString('latin1', at + 9, end) });
      at = end;
    }
    return frames;
  }

  it('with large answers are no sign of a caller that does not read', async () => {
    const frames = await sendAtOnce(Array.from({ length: 600 }, () => '/heads'));
    expect(frames.filter(({ type }) => type === GOAWAY)).toEqual([]);
    expect(frames.filter(({ type }) => type === HEADERS)).toHaveLength(600);
  });

  it('get their bodies also where all that was gathered before is taken at once', async () => {
    const frames = await sendAtOnce([...Array.from({ length: 80 }, () => '/heads'), '/body']);
    expect(frames.filter(({ type }) => type === DATA).map(({ payload }) => payload)).toEqual(['here']);
  });
});
