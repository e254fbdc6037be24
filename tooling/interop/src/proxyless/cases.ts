import { strict as assert } from 'node:assert';
import type { Case } from '../suite.ts';
import { noneFailed } from '../none-failed.ts';
import { until } from '../until.ts';
import type { Answer, ProxylessClient } from './client.ts';
import { orders, type ProxylessMesh } from './mesh.ts';
import type { Language } from './programs.ts';

const CALLER = 'URI:spiffe://mesh.local/ns/default/sa/web';
/** The promise: an endpoint's change is followed within this, of when `tulle apply` says that it is confirmed. */
const FOLLOWED_MS = 1_000;
/** Calls of which none goes to another server, where it is followed. */
const CALLS_ON_END = 50;

const resource = (apiVersion: string, kind: string, name: string, spec: object): string =>
  `---\napiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${JSON.stringify(spec)}\n`;
const tulleResource = (kind: string, name: string, spec: object): string =>
  resource('tulle.dev/v1alpha1', kind, name, spec);
const forOrders = { targetRefs: [{ group: '', kind: 'Service', name: 'orders' }] };
const traffic = (spec: object): string => tulleResource('TrafficPolicy', 'orders', { ...forOrders, ...spec });
const route = (rules: readonly object[]): string =>
  resource('gateway.networking.k8s.io/v1', 'GRPCRoute', 'orders', {
    parentRefs: [{ group: '', kind: 'Service', name: 'orders' }],
    rules,
  });

const serversOf = (answers: readonly Answer[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const { code, server = code } of answers) counts[server] = (counts[server] ?? 0) + 1;
  return counts;
};

/** Asks again until an answer satisfies: a change is confirmed a moment before calls go by it. */
async function answered(
  client: ProxylessClient,
  what: string,
  ask: (client: ProxylessClient) => Promise<readonly Answer[]>,
  judge: (answers: readonly Answer[]) => void,
): Promise<readonly Answer[]> {
  return until(
    what,
    async () => {
      const answers = await ask(client);
      judge(answers);
      return answers;
    },
    10_000,
  );
}

const allOk = (answers: readonly Answer[]): void =>
  assert(
    answers.every(({ code }) => code === 'OK'),
    JSON.stringify(answers.filter(({ code }) => code !== 'OK').slice(0, 3)),
  );

type Play = (mesh: ProxylessMesh, client: ProxylessClient) => Promise<string | void>;

const plays: Readonly<Record<string, Play>> = {
  'finds xds:///orders.default:80, and calls both servers over mutual TLS': async (_mesh, client) => {
    const answers = await answered(
      client,
      'both servers',
      (one) => one.call({ times: 20 }),
      (got) => {
        allOk(got);
        assert.deepEqual(Object.keys(serversOf(got)).toSorted(), ['one', 'two']);
      },
    );
    assert(
      answers.every(({ caller }) => caller === CALLER),
      JSON.stringify(answers[0]),
    );
  },

  'shares calls out by the weights of a GRPCRoute': (mesh, client) =>
    mesh.with(
      route([
        {
          backendRefs: [
            { name: 'one', port: 80, weight: 4 },
            { name: 'two', port: 80, weight: 1 },
          ],
        },
      ]),
      async () => {
        const answers = await answered(
          client,
          'four of five calls at one',
          (one) => one.together({ times: 1_000 }),
          (got) => {
            allOk(got);
            const { one = 0 } = serversOf(got);
            // Within five standard deviations (12.6) of 800.
            assert(Math.abs(one - 800) < 64, JSON.stringify(serversOf(got)));
          },
        );
        return JSON.stringify(serversOf(answers));
      },
    ),

  'goes by methods and metadata that a GRPCRoute names': (mesh, client) =>
    mesh.with(
      route([
        {
          matches: [{ method: { service: 'tulle.interop.Echo', method: 'Secret' } }],
          backendRefs: [{ name: 'two', port: 80 }],
        },
        {
          matches: [
            { method: { service: 'tulle.interop.Echo' }, headers: [{ name: 'tenant', value: 'gold' }] },
          ],
          backendRefs: [{ name: 'one', port: 80 }],
        },
        { backendRefs: [{ name: 'two', port: 80 }] },
      ]),
      async () => {
        await answered(
          client,
          'the method at two',
          (one) => one.call({ times: 5, method: 'secret' }),
          (got) => assert.deepEqual(serversOf(got), { two: 5 }),
        );
        await answered(
          client,
          'gold at one',
          (one) => one.call({ times: 5, headers: { tenant: 'gold' } }),
          (got) => assert.deepEqual(serversOf(got), { one: 5 }),
        );
        assert.deepEqual(serversOf(await client.call({ times: 5, headers: { tenant: 'tin' } })), { two: 5 });
      },
    ),

  'delays and aborts calls as a FilterPolicy says': async (mesh, client) => {
    const fault = (config: object): string =>
      tulleResource('FilterPolicy', 'faults', {
        ...forOrders,
        direction: 'outbound',
        filter: 'tulle.http.fault',
        config,
      });
    await mesh.with(fault({ abort: { status: 503, grpcStatus: 14, percent: 100 } }), async () => {
      await answered(
        client,
        'calls that are aborted',
        (one) => one.call({ times: 5 }),
        (got) => assert.deepEqual(serversOf(got), { UNAVAILABLE: 5 }),
      );
    });
    await mesh.with(fault({ delay: { durationMs: 300, percent: 100 } }), async () => {
      await answered(
        client,
        'calls that are late',
        (one) => one.call({ times: 2 }),
        (got) =>
          assert(
            got.every(({ code, ms }) => code === 'OK' && ms >= 290),
            JSON.stringify(got),
          ),
      );
    });
    await answered(
      client,
      'calls as before',
      (one) => one.call({ times: 5 }),
      (got) => {
        allOk(got);
        assert(
          got.every(({ ms }) => ms < 250),
          JSON.stringify(got),
        );
      },
    );
  },

  'repeats a call for a status that a TrafficPolicy names, and for no other': (mesh, client) =>
    mesh.with(traffic({ retries: { attempts: 2, on: ['unavailable'], backoff: '10ms' } }), async () => {
      await answered(
        client,
        'a call that is repeated',
        (one) => one.call({ request: { failures: 2 } }),
        ([got]) => assert.deepEqual([got?.code, got?.attempts], ['OK', 2]),
      );
      const [tooOften] = await client.call({ request: { failures: 3 } });
      assert.equal(tooOften?.code, 'UNAVAILABLE');
      const [other] = await client.call({ request: { failures: 1, status: 'ABORTED' } });
      assert.equal(other?.code, 'ABORTED');
    }),

  'ends a call at the time limit of a TrafficPolicy': (mesh, client) =>
    mesh.with(traffic({ timeouts: { request: '200ms' } }), async () => {
      const [got] = await answered(
        client,
        'a call that is ended',
        (one) => one.call({ request: { delayMs: 3_000 } }),
        ([one]) => assert.equal(one?.code, 'DEADLINE_EXCEEDED'),
      );
      assert((got?.ms ?? 0) < 2_000, JSON.stringify(got));
    }),

  'is denied what an AuthorizationPolicy denies it, and nothing else': (mesh, client) =>
    mesh.with(
      tulleResource('AuthorizationPolicy', 'secrets', {
        selector: { matchLabels: { part: 'orders' } },
        action: 'DENY',
        rules: [{ from: { serviceAccounts: ['web'] }, to: { paths: ['/tulle.interop.Echo/Sec*'] } }],
      }),
      async () => {
        await answered(
          client,
          'both servers deny',
          (one) => one.call({ times: 10, method: 'secret' }),
          (got) => assert.deepEqual(serversOf(got), { PERMISSION_DENIED: 10 }),
        );
        allOk(await client.call({ times: 10 }));
      },
    ),

  'is let in by identity where only some may call': async (mesh, client) => {
    const only = (account: string): string =>
      tulleResource('AuthorizationPolicy', 'callers', {
        selector: { matchLabels: { part: 'orders' } },
        action: 'ALLOW',
        rules: [{ from: { serviceAccounts: [account] } }],
      });
    await mesh.with(only('other'), async () => {
      await answered(
        client,
        'nobody but other',
        (one) => one.call({ times: 10 }),
        (got) => assert.deepEqual(serversOf(got), { PERMISSION_DENIED: 10 }),
      );
      await mesh.tulle.apply(only('web'));
      await answered(client, 'web may call', (one) => one.call({ times: 10 }), allOk);
    });
  },

  'sends what has a field in common to one server, by a ring': (mesh, client) =>
    mesh.with(traffic({ balancing: { policy: 'RingHash', hashOn: [{ header: 'x-user' }] } }), async () => {
      const found = await until(
        'each user at one server, and users at both',
        async () => {
          const used = new Set<string>();
          for (let user = 0; user < 12; user++) {
            const counts = serversOf(await client.call({ times: 5, headers: { 'x-user': `user ${user}` } }));
            assert.equal(Object.keys(counts).length, 1, JSON.stringify(counts));
            for (const server of Object.keys(counts)) used.add(server);
          }
          assert.deepEqual([...used].toSorted(), ['one', 'two']);
          return used;
        },
        10_000,
      );
      return [...found].join(' and ');
    }),

  'leaves alone a server that fails more often than others': (mesh, client) =>
    mesh.with(
      traffic({
        outlierDetection: {
          successRate: { belowPercent: 50, minimumRequests: 5 },
          interval: '1s',
          baseEjection: '30s',
          maxEjectionPercent: 50,
        },
      }),
      async () => {
        await answered(
          client,
          'a server that is left alone',
          (one) => one.call({ times: 20, request: { failures: 99, at: 'two' } }),
          (got) => assert.deepEqual(serversOf(got), { one: 20 }),
        );
      },
    ),

  'has no more calls under way than a TrafficPolicy allows': (mesh, client) =>
    mesh.with(traffic({ limits: { maxRequests: 2 } }), async () => {
      await answered(
        client,
        'calls that are too many',
        (one) => one.together({ times: 10, staggerMs: 20, request: { delayMs: 500 } }),
        (got) => {
          const { UNAVAILABLE: refused = 0, ...served } = serversOf(got);
          assert(
            refused >= 6 && Object.values(served).reduce((sum, one) => sum + one, 0) >= 2,
            JSON.stringify(got),
          );
        },
      );
    }),

  'follows a change of endpoints within a second of its confirmation, without a failed call': async (
    mesh,
    client,
  ) => {
    await answered(client, 'calls as before', (one) => one.call({ times: 10 }), allOk);
    await client.soak(5);
    const took: number[] = [];
    const commands: number[] = [];
    for (const name of ['one', 'two', 'one']) {
      const startedMs = performance.now();
      await mesh.tulle.apply(orders({ app: name }));
      const confirmedMs = performance.now();
      // Until none but the one server is called any more.
      let [others, own, sinceMs] = [-1, 0, confirmedMs];
      await until('all calls at one server', async () => {
        const { servers, calls } = await client.counts();
        const at = servers[name] ?? 0;
        if (calls - at !== others) [others, own, sinceMs] = [calls - at, at, performance.now()];
        assert(at - own >= CALLS_ON_END, `${at - own} on end`);
      });
      took.push(sinceMs - confirmedMs);
      commands.push(confirmedMs - startedMs);
    }
    await mesh.tulle.apply(orders());
    const { calls, failed } = await client.stop();
    noneFailed(failed);
    const text = (all: readonly number[]): string => all.map((ms) => ms.toFixed(0)).join(', ');
    assert(Math.max(...took) < FOLLOWED_MS, `followed after ${text(took)} ms`);
    assert(Math.max(...commands) < COMMAND_MS, `confirmed after ${text(commands)} ms`);
    return `followed ${text(took)} ms after the confirmation, which took ${text(commands)} ms, ${calls} calls`;
  },

  'loses no call while the control plane is killed and comes back, and follows it then': async (
    mesh,
    client,
  ) => {
    await answered(client, 'calls as before', (one) => one.call({ times: 10 }), allOk);
    await client.soak(5);
    await mesh.killControlPlane();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await mesh.startControlPlane();
    await until(
      'the programs are back',
      async () => {
        const status = await mesh.tulle.run('status', '--no-headers');
        assert.equal(status.match(/ yes .*SYNCED +SYNCED +SYNCED +SYNCED/g)?.length, PROGRAMS, status);
      },
      60_000,
    );
    const before = (await client.counts()).calls;
    await mesh.tulle.apply(orders({ app: 'two' }));
    await until('calls at two alone', async () => {
      const { servers: first } = await client.counts();
      await new Promise((resolve) => setTimeout(resolve, 200));
      const { servers: then } = await client.counts();
      assert(first['one'] === then['one'] && (first['two'] ?? 0) < (then['two'] ?? 0), JSON.stringify(then));
    });
    await mesh.tulle.apply(orders());
    const { calls, failed } = await client.stop();
    noneFailed(failed);
    return `${calls} calls, ${before} until it was back`;
  },

  'tells by its own status service that it took all, as the control plane says too (CSDS)': async (
    mesh,
    client,
  ) => {
    await answered(client, 'calls as before', (one) => one.call({ times: 10 }), allOk);
    const held = await client.csds();
    const listener = held.find(({ name }) => name === 'orders.default:80');
    assert.deepEqual([listener?.type, listener?.status], ['Listener', 'ACKED']);
    for (const type of ['RouteConfiguration', 'Cluster', 'ClusterLoadAssignment'])
      assert.equal(held.find((one) => one.type === type)?.status, 'ACKED', JSON.stringify(held));
    const status = await mesh.tulle.run('status', '--no-headers');
    assert.match(status, /^web-.* yes .*SYNCED +SYNCED +SYNCED +SYNCED/m);
  },

  'goes on by what it had where a route asks for what gRPC cannot do, and is told of with the reason': async (
    mesh,
    client,
  ) => {
    const edited = resource('gateway.networking.k8s.io/v1', 'HTTPRoute', 'edited', {
      parentRefs: [{ group: '', kind: 'Service', name: 'orders' }],
      rules: [
        {
          filters: [
            { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x-a', value: 'b' }] } },
          ],
          backendRefs: [{ name: 'one', port: 80 }],
        },
      ],
    });
    const refused = await mesh.tulle.apply(edited).then(
      () => assert.fail('it was taken'),
      (error: Error) => error.message,
    );
    assert.match(
      refused,
      /refused by \S+\/sa\/web~.*requestHeaders: gRPC clients change no metadata of calls/,
    );
    assert.match(await mesh.tulle.run('status', '--no-headers'), /^web-.* yes .*NACKED/m);
    // What the route that it has leads to stays, also when the time is over until which removals wait.
    for (let i = 0; i < 15; i++) {
      allOk(await client.call({ times: 10 }));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await mesh.tulle.run('delete', 'HTTPRoute', 'edited');
    return /\/virtualHosts[^.]*\./.exec(refused)?.[0];
  },
};

/** Servers and clients, each with a stream of its own. */
const PROGRAMS = 4;

/** What `tulle apply` takes to start and to hear the confirmation, on a machine with other things to do. */
const COMMAND_MS = 2_000;

const NAMES: Readonly<Record<Language, string>> = { js: '@grpc/grpc-js-xds', go: 'grpc-go' };

export const cases: readonly Case<ProxylessMesh>[] = (Object.keys(NAMES) as Language[]).flatMap((language) =>
  Object.entries(plays).map(([name, play]): Case<ProxylessMesh> => ({
    name: `${NAMES[language]} ${name}`,
    run: (mesh) => play(mesh, mesh.clients[language]),
  })),
);
