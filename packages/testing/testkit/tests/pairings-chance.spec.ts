import { setImmediate as aWhile } from 'node:timers/promises';
import { cluster, httpListener, route } from '@tulle/proxy';
import { expect, it, vi } from 'vitest';
import {
  fakeClock,
  Http2Client,
  http2Upstream,
  HttpClient,
  httpUpstream,
  memoryNetwork,
  seededRandom,
  type UpstreamRequest,
} from '../src/index.ts';
import { started } from './support.ts';

type Version = 'http1' | 'http2';
/** More are played by `TULLE_CHANCE_SEEDS=50 vitest run pairings-chance`, from `TULLE_CHANCE_FIRST` on. */
const SEEDS: number = Number(process.env['TULLE_CHANCE_SEEDS'] ?? 2);
const FIRST_SEED: number = Number(process.env['TULLE_CHANCE_FIRST'] ?? 10);

/** Bytes that only this request has. */
function bodyOf(id: string, bytes: number): string {
  return `${id};`.repeat(Math.ceil(bytes / (id.length + 1))).slice(0, bytes);
}

/** Requests of every size, on wires that give any number of bytes at a time, some given up by their callers. */
async function play(caller: Version, endpoint: Version, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random() * most);
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const asked = new Map<string, number>();
  const answer = async (request: UpstreamRequest): Promise<{ chunks: string[] }> => {
    asked.set(request.target, (asked.get(request.target) ?? 0) + 1);
    if (random() < 0.3) for (let turns = upTo(20); turns > 0; turns--) await aWhile();
    const answered = `${request.target}|${request.body}`;
    const at = upTo(answered.length);
    return { chunks: [answered.slice(0, at), answered.slice(at)].filter((chunk) => chunk !== '') };
  };
  const upstream = (endpoint === 'http1' ? httpUpstream : http2Upstream)(network, '10.0.0.1:80', answer);
  const test = await started({
    clock,
    network,
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        bufferLimitBytes: 32_768,
        routes: [route('/', 'api')],
      }),
    ],
    clusters: [cluster('api', ['10.0.0.1:80'], { pool: { protocol: endpoint } })],
  });
  let number = 0;
  let givenUp = 0;
  const one = async (client: HttpClient | Http2Client): Promise<void> => {
    const path = `/${seed}-${caller}-${endpoint}-${number++}`;
    const body = random() < 0.3 ? '' : bodyOf(path, upTo(random() < 0.2 ? 200_000 : 5_000));
    if (client instanceof Http2Client && random() < 0.15) {
      givenUp++;
      const stream = client.open({ method: 'POST', path });
      stream.on('error', () => {});
      stream.write(bodyOf(path, 1 + upTo(100_000)));
      for (let turns = upTo(10); turns > 0; turns--) await aWhile();
      stream.close(8);
      return;
    }
    const response = await client.request({ method: 'POST', path, body });
    expect(response.status).toBe(200);
    // Compared before it is shown: they are long.
    expect(response.body === `${path}|${body}`).toBe(true);
    expect(asked.get(path)).toBe(1);
  };
  const clients = Array.from({ length: 4 }, () => {
    const connection = test.connect();
    connection.chunk((available) => 1 + upTo(random() < 0.5 ? available : 3_000));
    connection.socket.incoming.chunkBytes = (available) => 1 + upTo(available);
    connection.socket.incoming.capacityBytes = 1_000 + upTo(100_000);
    return caller === 'http1' ? new HttpClient(connection) : new Http2Client(connection);
  });
  await Promise.all(
    clients.map(async (client) => {
      for (let round = 0; round < 5; round++) {
        if (client instanceof HttpClient) await one(client);
        else await Promise.all(Array.from({ length: 1 + upTo(8) }, () => one(client)));
        for (const { socket } of upstream.connections) {
          socket.incoming.chunkBytes = (available) => 1 + upTo(available);
          socket.peer.incoming.chunkBytes = (available) => 1 + upTo(available);
        }
      }
    }),
  );
  await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(0));
  for (const [path, times] of asked) expect([path, times]).toEqual([path, 1]);
  // One record a request, but for those that were given up before they came.
  const recorded = test.records.map(({ path }) => path);
  expect(new Set(recorded).size).toBe(recorded.length);
  expect(number - recorded.length).toBeLessThanOrEqual(givenUp);
  for (const name of ['rq', 'rq_pending'])
    expect(test.meter.value(`tulle_cluster_upstream_${name}_active`, { cluster: 'api' })).toBe(0);
  for (const client of clients) if (client instanceof Http2Client) client.close();
}

it.each([
  ['http1', 'http1'],
  ['http1', 'http2'],
  ['http2', 'http1'],
  ['http2', 'http2'],
] as const)(
  'each request is asked once and answered with its own, from %s to %s',
  async (caller, endpoint) => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) await play(caller, endpoint, seed);
  },
);
