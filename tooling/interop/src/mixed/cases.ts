import { strict as assert } from 'node:assert';
import { Agent } from 'node:http';
import { freePort } from '@tulle/processes';
import type { Case } from '../suite.ts';
import { noneFailed } from '../none-failed.ts';
import { until } from '../until.ts';
import { ask, startLoad, type Call } from './load.ts';
import { type MixedMesh, SEATS, type Seat, type ServiceName } from './mesh.ts';
import { adminPage, linesOf } from './processes.ts';

const other = (seat: Seat): Seat => (seat === 'alpha' ? 'beta' : 'alpha');
const idOf = (name: string): string => `spiffe://mesh.local/ns/default/sa/${name}`;

/** Every pair of who calls and who is called. */
const PAIRS: readonly (readonly [caller: Seat, callee: Seat])[] = SEATS.flatMap((caller) =>
  SEATS.map((callee) => [caller, callee] as const),
);

export const mixedCases: readonly Case<MixedMesh>[] = [
  {
    name: 'each seat calls the other over mutual TLS, and the service behind it is told who called',
    async run({ ports, seen }) {
      for (const [caller, callee] of PAIRS) {
        seen.length = 0;
        const { status, body } = await ask({ port: ports[caller][callee], path: '/shop/a?b=1' });
        assert.deepEqual([status, body], [200, callee], `${caller} calls ${callee}`);
        const [asked] = seen;
        assert.equal(asked?.path, '/shop/a?b=1');
        assert.match(
          String(asked.headers['x-forwarded-client-cert']),
          new RegExp(`(?:^|;)URI=${idOf(caller)}(?:;|$)`),
          `${caller} calls ${callee}`,
        );
      }
    },
  },
  {
    name: "a caller's own words of who it is are believed in neither seat",
    async run({ ports, seen }) {
      for (const [caller, callee] of PAIRS) {
        seen.length = 0;
        const headers = { 'x-forwarded-client-cert': `URI=${idOf('boss')}` };
        assert.equal((await ask({ port: ports[caller][callee], path: '/shop/', headers })).status, 200);
        const told = String(seen[0]?.headers['x-forwarded-client-cert']);
        assert(!told.includes('boss'), `${caller} calls ${callee}: ${told}`);
      }
    },
  },
  { name: 'a policy allows and denies the same calls in both seats', run: policy },
  { name: 'a canary gets its share of the calls of both seats', run: canary },
  { name: 'what is safe to send again is sent again by both seats, and what is not is not', run: retries },
  {
    name: 'an endpoint at which nobody listens costs no call of either seat, whatever its method',
    run: deadEndpoint,
  },
  { name: 'each seat reports who called whom, and one trace goes through both', run: telemetry },
  {
    name: 'no request fails while a route changes, an endpoint comes and goes, every certificate is made anew, and control plane and agent die',
    run: changes,
  },
];

/** Calls that a policy allows or not, by who makes them. */
const CALLS: readonly (Omit<Call, 'port'> & { readonly as: Seat; readonly want: 'allowed' | 'denied' })[] = [
  { as: 'alpha', method: 'GET', path: '/shop/7', want: 'allowed' },
  { as: 'alpha', method: 'GET', path: '/shop', want: 'allowed' },
  { as: 'alpha', method: 'POST', path: '/shop/7', want: 'denied' },
  { as: 'alpha', method: 'GET', path: '/orders/7', want: 'denied' },
  { as: 'alpha', method: 'GET', path: '/shopping', want: 'denied' },
  { as: 'alpha', method: 'GET', path: '/SHOP', want: 'denied' },
  { as: 'alpha', method: 'GET', path: '/shop/../orders/7', want: 'denied' },
  { as: 'alpha', method: 'GET', path: '/shop/%2e%2e/orders/7', want: 'denied' },
  { as: 'alpha', method: 'GET', path: '/shop/..;/orders/7', want: 'denied' },
  { as: 'alpha', method: 'GET', path: '/shop/7', headers: { 'x-tier': 'gold' }, want: 'allowed' },
  { as: 'beta', method: 'GET', path: '/shop/7', want: 'allowed' },
  { as: 'beta', method: 'POST', path: '/orders', want: 'allowed' },
  { as: 'beta', method: 'DELETE', path: '/orders/7', want: 'denied' },
  { as: 'beta', method: 'GET', path: '/shop/admin', want: 'denied' },
  { as: 'beta', method: 'GET', path: '/shop/%61dmin', want: 'denied' },
  { as: 'beta', method: 'GET', path: '/shop//admin', want: 'denied' },
  { as: 'beta', method: 'GET', path: '/shop/admin;x=1', want: 'denied' },
  { as: 'beta', method: 'GET', path: '/shop/ADMIN', want: 'denied' },
  { as: 'beta', method: 'GET', path: '/shop/7', headers: { 'x-debug': 'on' }, want: 'denied' },
];

const POLICIES = `apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: shop }
spec:
  targetRefs: [{ group: '', kind: Service, name: web }]
  action: ALLOW
  rules:
    - from: { serviceAccounts: [alpha, beta] }
      to: { methods: [GET], paths: [/shop, '/shop/*'] }
    - from: { serviceAccounts: [beta] }
      to: { methods: [GET, POST], paths: [/orders, '/orders/*'] }
---
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: nobody }
spec:
  targetRefs: [{ group: '', kind: Service, name: web }]
  action: DENY
  rules:
    - to: { paths: [/shop/admin] }
    - to: { headers: [{ name: x-debug, match: { kind: present } }] }
`;

/** Between a proxy's acknowledgement and the moment when each of its threads does as it says. */
const IN_FORCE_MS = 1_000;

async function policy({ tulle, ports, seen }: MixedMesh): Promise<string> {
  await tulle.apply(POLICIES);
  const statusOf = async ({ as, ...call }: (typeof CALLS)[number], callee: Seat): Promise<string> => {
    seen.length = 0;
    const { status } = await ask({ ...call, port: ports[as][callee] });
    // Refused as no valid request, or denied by the policy: either way the service never heard of it.
    const came = seen.length > 0;
    assert.equal(came, status === 200, `${as} ${call.method} ${call.path} at ${callee}: ${status}`);
    return String(status);
  };
  // Over connections that were there before it, too: the proxies have theirs from the cases above.
  for (const [caller, callee] of PAIRS)
    await until(
      `the policy in force at ${callee} for ${caller}`,
      async () => assert.equal((await ask({ port: ports[caller][callee], path: '/shop/admin' })).status, 403),
      IN_FORCE_MS,
    );
  const rows: string[][] = [];
  const wrong: string[] = [];
  for (const call of CALLS) {
    const [atAlpha, atBeta] = [await statusOf(call, 'alpha'), await statusOf(call, 'beta')];
    const header = Object.entries(call.headers ?? {}).map(([name, value]) => ` (${name}: ${value})`);
    const what = `${call.method} ${call.path}${header.join('')}`;
    rows.push([call.as, what, call.want, atAlpha, atBeta]);
    for (const status of [atAlpha, atBeta])
      if ((status === '200') !== (call.want === 'allowed')) wrong.push(`${call.as} ${what}: ${status}`);
  }
  assert.deepEqual(wrong, []);
  await tulle.run('delete', 'authorizationpolicy', 'shop', 'nobody');
  return `\n${table(['caller', 'call', 'is', 'by Tulle', 'by Envoy'], rows)}`;
}

const split = (weights: Readonly<Record<Seat, number>>): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ kind: Service, group: '', name: web }]
  rules:
    - backendRefs:
        - { name: alpha, port: 80, weight: ${weights.alpha} }
        - { name: beta, port: 80, weight: ${weights.beta} }
`;

async function canary({ tulle, ports }: MixedMesh): Promise<string> {
  const shares: string[] = [];
  for (const seat of SEATS) {
    const canarySeat = other(seat);
    await tulle.apply(split({ alpha: 0, beta: 0, [seat]: 80, [canarySeat]: 20 }));
    for (const caller of SEATS) {
      const agent = new Agent({ keepAlive: true });
      const count = { alpha: 0, beta: 0 };
      for (let i = 0; i < 400; i++) {
        const { status, body } = await ask({ port: ports[caller].web, path: '/shop/' }, agent);
        assert.equal(status, 200);
        count[body as Seat]++;
      }
      agent.destroy();
      // Five standard deviations of 400 draws at a fifth are 40.
      assert(Math.abs(count[canarySeat] - 80) <= 40, `${caller}: ${JSON.stringify(count)}`);
      shares.push(`${caller}: ${count[canarySeat] / 4} % to ${canarySeat}`);
    }
  }
  await tulle.run('delete', 'httproute', 'web');
  return shares.join(', ');
}

async function retries({ tulle, ports, seen }: MixedMesh): Promise<void> {
  await tulle.apply(`apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ kind: Service, group: '', name: web }]
  rules:
    - backendRefs: [{ name: web, port: 80 }]
      retry: { codes: [503], attempts: 2, backoff: 10ms }
`);
  for (const [i, caller] of SEATS.entries()) {
    await until(`an answer of the second attempt to ${caller}`, async () => {
      seen.length = 0;
      const { status } = await ask({ port: ports[caller].web, path: `/shop/flaky?${caller}${Date.now()}` });
      assert.equal(status, 200);
      assert.equal(seen.length, 2);
    });
    seen.length = 0;
    const post = { port: ports[caller].web, path: `/shop/flaky?post${i}`, method: 'POST' };
    assert.equal((await ask(post)).status, 503, `${caller} sent a POST again`);
    assert.equal(seen.length, 1);
  }
  await tulle.run('delete', 'httproute', 'web');
}

async function deadEndpoint({ tulle, ports }: MixedMesh): Promise<void> {
  const dead = await freePort();
  await tulle.apply(`apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: dead, labels: { part: web } }
spec: { address: 127.0.0.1, serviceAccount: alpha, ports: [{ name: http, port: 1 }], inbound: { mode: sidecar, port: ${dead} } }
`);
  for (const caller of SEATS)
    for (const method of ['GET', 'POST'])
      for (let i = 0; i < 10; i++) {
        const { status, body } = await ask({ port: ports[caller].web, path: '/shop/', method });
        assert.equal(status, 200, `${caller} ${method}: ${body}`);
      }
  await tulle.run('delete', 'workload', 'dead');
}

async function telemetry(mesh: MixedMesh): Promise<void> {
  const { ports, collector, accessLogs, envoyAdmin, tulle, seen } = mesh;
  for (const caller of SEATS) {
    const callee = other(caller);
    const path = `/shop/traced-by-${caller}`;
    seen.length = 0;
    assert.equal((await ask({ port: ports[caller][callee], path })).status, 200);
    const [, traceId = ''] = /^00-([0-9a-f]{32})-/.exec(String(seen[0]?.headers['traceparent'])) ?? [];
    assert.notEqual(traceId, '', 'the service was told no trace');
    // Caller's and callee's proxy: a server and a client span each.
    await until(`four spans of one trace begun by ${caller}`, () => {
      const spans = collector.spans.filter((span) => span.traceId === traceId);
      const services = new Set(spans.map(({ resource }) => resource['service.name']));
      assert.deepEqual(services, new Set(['alpha.default', 'beta.default']));
      const ids = new Set(spans.map(({ spanId }) => spanId));
      assert.equal(spans.filter(({ parentSpanId }) => !ids.has(parentSpanId ?? '')).length, 1, 'one root');
    });
    await until(`the access logs of both seats name both peers`, async () => {
      const line = async (seat: Seat): Promise<Record<string, unknown>[]> =>
        (await linesOf(accessLogs[seat]))
          .filter((text) => text.includes(path))
          .map((text) => JSON.parse(text) as Record<string, unknown>);
      const [out] = await line(caller);
      const [into] = await line(callee);
      assert.equal(out?.['upstream_peer_identity'], idOf(callee));
      assert.equal(into?.['downstream_peer_identity'], idOf(caller));
      assert.deepEqual([out['trace_id'], into['trace_id']], [traceId, traceId]);
    });
  }
  const metrics = await tulle.run('metrics', 'alpha', '--grep', 'tulle_requests_total');
  const has = (direction: string, ...labels: string[]): boolean =>
    metrics
      .split('\n')
      .some((text) => [`direction="${direction}"`, ...labels].every((label) => text.includes(label)));
  assert(has('inbound', 'source_workload="beta"'), metrics);
  assert(
    has('outbound', 'destination_workload="beta"') || has('outbound', 'destination_service="beta'),
    metrics,
  );
  const stats = await adminPage(envoyAdmin, '/stats?filter=ssl.handshake|ssl.connection_error');
  assert.match(stats, /listener\.[^\n]*ssl\.handshake: [1-9]/);
  assert.match(stats, /cluster\.outbound[^\n]*alpha[^\n]*ssl\.handshake: [1-9]/);
}

/** Serial of the certificate that Envoy shows. */
async function envoySerial(mesh: MixedMesh): Promise<string> {
  const certs = JSON.parse(await adminPage(mesh.envoyAdmin, '/certs')) as {
    readonly certificates: readonly { readonly cert_chain?: readonly { readonly serial_number: string }[] }[];
  };
  const serials = new Set(certs.certificates.map(({ cert_chain }) => cert_chain?.[0]?.serial_number ?? ''));
  assert.equal(serials.size, 1, `Envoy shows several certificates: ${[...serials].join(', ')}`);
  return [...serials][0] ?? '';
}

async function changes(mesh: MixedMesh): Promise<string> {
  const { tulle, ports } = mesh;
  const names: readonly ServiceName[] = ['alpha', 'beta', 'web'];
  const calls = SEATS.flatMap((caller) =>
    names.map((name) => ({ name: `${caller} calls ${name}`, port: ports[caller][name], path: '/shop/load' })),
  );
  const load = startLoad(calls, 2, 10);
  const under = async (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const told: string[] = [];
  const step = async (what: string, act: () => Promise<void>): Promise<void> => {
    const [ok, failed] = [load.ok, load.failed.length];
    await act();
    await under(500); // calls go on with what is new
    told.push(`${what}: ${load.ok - ok} calls, ${load.failed.length - failed} failed`);
  };
  try {
    await under(500);
    await step('a route', async () => {
      await tulle.apply(split({ alpha: 50, beta: 50 }));
      await tulle.apply(split({ alpha: 10, beta: 90 }));
      await tulle.run('delete', 'httproute', 'web');
    });
    await step('certificates', async () => {
      const before = await envoySerial(mesh);
      await tulle.run('ca', 'rotate', 'leaves');
      await until('another certificate in Envoy', async () =>
        assert.notEqual(await envoySerial(mesh), before),
      );
    });
    await step('the issuer', async () => {
      const before = await envoySerial(mesh);
      await tulle.run('ca', 'rotate', 'issuer');
      await until('another certificate in Envoy', async () =>
        assert.notEqual(await envoySerial(mesh), before),
      );
    });
    await step('the root', async () => {
      const before = await envoySerial(mesh);
      await tulle.run('ca', 'rotate-root', '--timeout', '60');
      await until('another certificate in Envoy', async () =>
        assert.notEqual(await envoySerial(mesh), before),
      );
    });
    await step("the agent's process", async () => {
      await mesh.restartAgent();
      const before = await envoySerial(mesh);
      await tulle.run('ca', 'rotate', 'leaves');
      await until('another certificate in Envoy', async () =>
        assert.notEqual(await envoySerial(mesh), before),
      );
    });
    await step('the control plane', async () => {
      await mesh.killControlPlane();
      await mesh.restartAgent(); // with what it has on disk
      await under(1_000);
      await mesh.startControlPlane();
      await until('both seats back', async () => {
        const status = await tulle.run('status', '--no-headers');
        assert.equal(status.match(/^(?:alpha|beta)-.* yes /gm)?.length, 2, status);
      });
      await tulle.apply(split({ alpha: 50, beta: 50 }));
      await tulle.run('delete', 'httproute', 'web');
    });
    await step('an endpoint', async () => {
      const replica = await mesh.startReplica();
      await under(500);
      await replica.stop();
    });
    await step('an endpoint that is killed', async () => {
      for (let i = 0; i < 3; i++) {
        const replica = await mesh.startReplica();
        await under(500);
        await replica.stop('SIGKILL');
      }
    });
    await step('an endpoint behind Envoy', async () => {
      for (let i = 0; i < 3; i++) {
        const replica = await mesh.startEnvoyReplica();
        await under(500);
        await replica.stop();
      }
    });
  } finally {
    await load.stop();
  }
  noneFailed(load.failed);
  assert(load.ok > 500, `only ${load.ok} calls`);
  return `${load.ok} calls, 0 failed (${told.join('; ')})`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]?.length ?? 0)));
  return [head, ...rows]
    .map(
      (row) =>
        `      ${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}`,
    )
    .join('\n');
}
