import { strict as assert } from 'node:assert';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { ResourceInput } from '@tulle/xds-server';
import type { StartProxy } from '../raw/proxies.ts';
import { until } from '../until.ts';
import { NODE, sourceOf, typed, type Way, withSetting } from './setting.ts';

const UDP = 'envoy.extensions.filters.udp.udp_proxy.v3';

const listener = (port: number, cluster: string): ResourceInput =>
  typed('envoy.config.listener.v3.Listener', {
    name: 'datagrams',
    address: { socket_address: { protocol: 'UDP', address: '127.0.0.1', port_value: port } },
    udp_listener_config: {},
    listener_filters: [
      {
        name: 'envoy.filters.udp_listener.udp_proxy',
        typed_config: typed(`${UDP}.UdpProxyConfig`, {
          stat_prefix: 'datagrams',
          matcher: {
            on_no_match: { action: { name: 'route', typed_config: typed(`${UDP}.Route`, { cluster }) } },
          },
        }),
      },
    ],
  });

const endpoints = (name: string, ports: readonly number[]): ResourceInput =>
  typed('envoy.config.endpoint.v3.ClusterLoadAssignment', {
    cluster_name: name,
    endpoints: [
      {
        lb_endpoints: ports.map((port) => ({
          endpoint: {
            address: { socket_address: { protocol: 'UDP', address: '127.0.0.1', port_value: port } },
          },
        })),
      },
    ],
  });

const eds = (name: string, source: object): ResourceInput =>
  typed('envoy.config.cluster.v3.Cluster', {
    name,
    type: 'EDS',
    connect_timeout: '1s',
    eds_cluster_config: { eds_config: source },
  });

/** A caller, or an origin. */
async function open(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** Sends one datagram. @returns the answer; `undefined` where none came in a moment */
async function exchange(caller: Socket, port: number, text: string): Promise<string | undefined> {
  const answer = once(caller, 'message', { signal: AbortSignal.timeout(500) }).then(
    ([bytes]) => (bytes as Buffer).toString(),
    () => undefined,
  );
  caller.send(text, port, '127.0.0.1');
  return answer;
}

const SESSIONS = 20;
/** More than fits into one packet of the link, and than proxies of datagrams take by default is refused by both. */
const LARGE = 1_400;

/** Callers and an origin that answers each: every session has its own way back; endpoints and listener change under them. */
export async function datagrams(startProxy: StartProxy, way: Way): Promise<string> {
  const sockets = await Promise.all([open(), open(), open()]);
  const [one, two, reserved] = sockets;
  const { port } = reserved.address();
  for (const [name, origin] of [
    ['one', one],
    ['two', two],
  ] as const)
    origin.on('message', (bytes, from) =>
      origin.send(`${name} heard ${bytes.toString()}`, from.port, from.address),
    );
  const callers: Socket[] = [];
  const caller = async (): Promise<Socket> => {
    const made = await open();
    callers.push(made);
    return made;
  };
  reserved.close();
  try {
    return await withSetting(startProxy, way, async ({ server, start }) => {
      server.setSnapshot(NODE, [
        listener(port, 'echo'),
        eds('echo', sourceOf(way)),
        endpoints('echo', [one.address().port]),
      ]);
      await start();
      await server.acked(NODE, { timeoutMs: 10_000 });
      const first = await caller();
      await until('an answer', async () => assert.equal(await exchange(first, port, 'x'), 'one heard x'));
      const large = 'y'.repeat(LARGE);
      assert.equal(await exchange(first, port, large), `one heard ${large}`);
      assert.equal(await exchange(first, port, ''), 'one heard ', 'an empty datagram');
      const all = await Promise.all(Array.from({ length: SESSIONS }, caller));
      const answers = await Promise.all(all.map((each, i) => exchange(each, port, `session ${i}`)));
      assert.deepEqual(
        answers,
        all.map((_, i) => `one heard session ${i}`),
      );
      // Endpoints change: who comes then goes to the new one.
      server.put(NODE, endpoints('echo', [two.address().port]));
      await server.acked(NODE);
      await until('an answer of the other', async () =>
        assert.equal(await exchange(await caller(), port, 'z'), 'two heard z'),
      );
      // The listener goes: nobody is answered any more.
      server.delete(NODE, 'listener', 'datagrams');
      await server.acked(NODE);
      await until('silence', async () => assert.equal(await exchange(await caller(), port, 'w'), undefined));
      const { state, streams } = server.status(NODE);
      const nacks = streams.flatMap(({ types }) => types).reduce((sum, { nacks: one }) => sum + one, 0);
      assert.deepEqual([state, nacks], ['acked', 0]);
      return `${callers.length} sessions`;
    });
  } finally {
    for (const socket of [one, two, ...callers]) socket.close();
  }
}
