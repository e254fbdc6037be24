import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { compileRoutes } from '@tulle/match';
import { createRegistry, renderText } from '@tulle/metrics';
import type { ProxyConfig } from '@tulle/model';
import { readResources, type Resource } from '@tulle/resources';
import type { SnapshotHandle } from '@tulle/xds-server';
import {
  createApi,
  createControlPlane,
  fileState,
  type ControlPlane,
  type SidecarMetadata,
} from '../src/index.ts';
import { manualClock } from './manual-clock.ts';
import { nodeOf } from './nodes.ts';
import { simulatedProxy } from './simulated-proxy.ts';

const SHOP = `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { selector: { app: reviews }, ports: [{ port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews-v1 }
spec: { selector: { app: reviews, version: v1 }, ports: [{ port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews-v2 }
spec: { selector: { app: reviews, version: v2 }, ports: [{ port: 9080 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ group: "", kind: Service, name: reviews }]
  rules:
    - backendRefs: [{ name: reviews-v1, port: 9080, weight: 95 }, { name: reviews-v2, port: 9080, weight: 5 }]
`;

const ANYBODY = `
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: anybody }
spec: { action: ALLOW, rules: [{ from: { identities: ['*'] } }] }
`;

const KNOWN_TO_BE_ILL = `
apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: ill, labels: { app: reviews, version: v1 } }
spec: { address: 10.9.9.9, ports: [{ port: 9080 }], inbound: { mode: none }, health: unhealthy }
`;

const server = (
  name: string,
  version: string,
  port: number,
  more: Partial<SidecarMetadata> = {},
): SidecarMetadata => ({
  workload: `${name}-${version}`,
  labels: { app: name, version },
  ports: [port],
  inbound: { address: '127.0.0.1', port: port + 1 },
  ...more,
});
const client = (name: string): SidecarMetadata => ({
  workload: name,
  upstreams: [{ service: 'reviews', localPort: 19080 }],
});

const open: ControlPlane[] = [];
const directories: string[] = [];
afterEach(async () => {
  for (const cp of open.splice(0)) await cp.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});
function make(more: Partial<Parameters<typeof createControlPlane>[0]> = {}): ControlPlane {
  const cp = createControlPlane({ trustDomain: 'mesh.local', mayClaim: () => true, ...more });
  open.push(cp);
  return cp;
}
async function resourcesOf(yaml: string): Promise<Resource[]> {
  const read = await readResources([{ text: yaml, file: 'f' }]);
  expect(read.diagnostics).toEqual([]);
  return read.resources.map((r) => r.resource);
}
async function put(cp: ControlPlane, yaml: string): Promise<ReturnType<ControlPlane['apply']>> {
  const result = cp.apply(await resourcesOf(yaml), []);
  cp.flush();
  return result;
}
/** Acknowledges everything that changed, as the ADS server would report it. */
/** A source of one file. */
async function attachFile(cp: ControlPlane, file: string, yaml: string): Promise<void> {
  const resources = await resourcesOf(yaml);
  await cp.attach({
    id: 'file:mesh',
    close: async () => {},
    start: async (sink) =>
      void sink.apply({
        cause: 'files',
        updates: [
          {
            owner: `file:${file}`,
            resources: resources.map((resource) => ({ resource, file, locate: () => undefined })),
          },
        ],
      }),
  });
}

function follow(handle: SnapshotHandle): { sent: string[]; ack: () => void } {
  const lists = {
    listener: 'listeners',
    route: 'routes',
    cluster: 'clusters',
    endpoint: 'endpoints',
  } as const;
  let had = new Map<string, unknown>();
  const sent: string[] = [];
  return {
    sent,
    ack() {
      const { changeId, config } = handle.current();
      const now = new Map<string, unknown>();
      for (const [kind, list] of Object.entries(lists) as ['listener', 'listeners'][]) {
        const resources = config[list].filter((r) => {
          now.set(`${kind} ${r.name}`, r);
          return had.get(`${kind} ${r.name}`) !== r;
        });
        if (resources.length === 0) continue;
        sent.push(...resources.map((r) => `${kind} ${r.name}`));
        handle.acked({
          kind,
          changeId,
          nonce: '1',
          resources: resources.map((r) => ({ name: r.name, version: 'v' })),
          removed: [],
          ok: true,
          sentAtMs: Date.now(),
          ackedAtMs: Date.now(),
        });
      }
      for (const kind of ['listener', 'route', 'cluster', 'endpoint'] as const)
        handle.upToDate?.(kind, changeId);
      had = now;
    },
  };
}

describe('a proxy gets what it needs and nothing else', () => {
  it('a caller: one listener an upstream, its routes, its clusters, endpoints with identity', async () => {
    const cp = make();
    cp.provider.open(nodeOf(server('reviews', 'v1', 5001)));
    cp.provider.open(nodeOf(server('reviews', 'v2', 5003)));
    cp.provider.open(nodeOf(server('ratings', 'v1', 5005)));
    await put(cp, SHOP);
    const { config } = cp.provider.open(nodeOf(client('web'))).current();
    expect(config.listeners.map((l) => l.name)).toEqual(['outbound_127.0.0.1_19080']);
    expect(config.routes.map((r) => r.name)).toEqual(['outbound|9080||reviews.default.svc.mesh.local']);
    expect(config.routes[0]?.virtualHosts[0]?.routes[0]?.action).toMatchObject({
      kind: 'forward',
      clusters: [{ weight: 95 }, { weight: 5 }],
    });
    expect(config.clusters.map((c) => c.name)).toEqual([
      'outbound|9080||reviews-v1.default.svc.mesh.local',
      'outbound|9080||reviews-v2.default.svc.mesh.local',
    ]);
    expect(config.endpoints.map((e) => e.endpoints)).toMatchObject([
      [
        {
          address: { host: '127.0.0.1', port: 5002 },
          mode: 'sidecar',
          identity: 'spiffe://mesh.local/ns/default/sa/reviews-v1',
          labels: { version: 'v1' },
        },
      ],
      [
        {
          address: { host: '127.0.0.1', port: 5004 },
          mode: 'sidecar',
          identity: 'spiffe://mesh.local/ns/default/sa/reviews-v2',
        },
      ],
    ]);
    expect(compileRoutes(config.routes[0]!, (r) => r.name).payloads).toEqual([
      'default/reviews/rule-0/match-0',
    ]);
  });

  it('a server: strict mutual TLS, authorization of the policies that select it, its application in plain text', async () => {
    const cp = make();
    await put(
      cp,
      `${SHOP}---
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: web-only }
spec:
  targetRefs: [{ group: "", kind: Service, name: reviews }]
  action: ALLOW
  rules: [{ from: { serviceAccounts: [web] }, to: { methods: [GET] } }]
---
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: slow }
spec: { selector: { matchLabels: { version: v1 } }, phase: fault, filter: tulle.http.fault, config: { delay: { durationMs: 5 } } }
`,
    );
    const { config } = cp.provider.open(nodeOf(server('reviews', 'v1', 5001))).current();
    const chain = config.listeners[0]?.filterChains[0];
    expect(chain?.tls).toEqual({
      certificate: { kind: 'workload' },
      trust: { kind: 'mesh' },
      clientCertificate: 'require',
    });
    expect(chain?.handler).toMatchObject({
      kind: 'http',
      identityHeaders: 'strip',
      filters: [
        {
          name: 'tulle.http.authz',
          mandatory: true,
          config: {
            policies: [
              {
                name: 'default/web-only',
                rules: [
                  {
                    from: { identities: ['spiffe://mesh.local/ns/default/sa/web'] },
                    to: { methods: ['GET'] },
                  },
                ],
              },
            ],
          },
        },
        { name: 'default/slow', filter: 'tulle.http.fault' },
      ],
    });
    expect(config.clusters).toMatchObject([
      {
        name: 'inbound|5001||reviews-v1.default.svc.mesh.local',
        discovery: { kind: 'static', endpoints: [{ address: { port: 5001 }, mode: 'none' }] },
      },
    ]);
    expect(config.endpoints).toEqual([]);
  });

  it('a TCP port that a request policy selects is closed, and ALLOW by identity is enforced by TLS', async () => {
    const cp = make();
    const tcp =
      'apiVersion: v1\nkind: Service\nmetadata: { name: db }\nspec: { selector: { app: db }, ports: [{ port: 5432, appProtocol: tcp, targetPort: 6001 }] }\n---\n';
    const policy = (rule: string): string =>
      `apiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: p }\nspec: { action: ALLOW, rules: [${rule}] }`;
    await put(cp, tcp + policy('{ from: { serviceAccounts: [web] } }'));
    const handle = cp.provider.open(nodeOf(server('db', 'v1', 6001)));
    expect(handle.current().config.listeners[0]?.filterChains[0]).toMatchObject({
      handler: { kind: 'tcp' },
      tls: { allowedIds: ['spiffe://mesh.local/ns/default/sa/web'] },
    });
    await put(cp, policy('{ to: { methods: [GET] } }'));
    expect(handle.current().config.listeners[0]?.filterChains[0]?.tls?.allowedIds).toEqual([]);
    await put(cp, policy("{ when: [{ key: 'request.auth.claims[role]', values: [admin] }] }"));
    expect(handle.current().config.listeners[0]?.filterChains[0]?.tls?.allowedIds).toEqual([]);
  });

  it('backends that lead nowhere get 500, for their share or for all', async () => {
    const cp = make();
    const handle = cp.provider.open(nodeOf(client('web')));
    expect(handle.current().config.listeners[0]?.filterChains[0]?.handler).toMatchObject({
      routes: { virtualHosts: [{ routes: [{ action: { kind: 'direct', status: 503 } }] }] },
    });
    await put(cp, SHOP);
    cp.apply([], ['Service/default/reviews-v2']);
    cp.flush();
    const { clusters, routes } = handle.current().config;
    expect(clusters.map((c) => c.name)).toEqual(['outbound|9080||reviews-v1.default.svc.mesh.local']);
    expect(routes[0]?.virtualHosts[0]?.routes[0]?.action).toMatchObject({
      clusters: [
        { name: 'outbound|9080||reviews-v1.default.svc.mesh.local', weight: 95 },
        { name: 'outbound|9080|invalid|reviews-v2.default.svc.mesh.local', weight: 5 },
      ],
      clusterNotFoundStatus: 500,
    });
    cp.apply([], ['Service/default/reviews-v1']);
    cp.flush();
    expect(handle.current().config.routes[0]?.virtualHosts[0]?.routes[0]?.action).toEqual({
      kind: 'direct',
      status: 500,
      code: 'TULLE_BACKEND_INVALID',
    });
  });

  it('a filter runs where its own definition says: tokens are read before they are judged', async () => {
    const cp = make();
    await put(
      cp,
      `${SHOP}---
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: tokens }
spec: { filter: tulle.http.jwt, config: { providers: [{ name: a, issuer: https://a.example, jwks: { url: https://a.example/keys } }] } }
---
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: networks }
spec: { filter: tulle.conn.ip-allow, config: { allow: [10.0.0.0/8] } }
---
${ANYBODY}`,
    );
    const extensions = ['http.authz', 'http.jwt', 'conn.ip-allow'].map((name) => `tulle.${name}@0.1.0`);
    const { config } = cp.provider.open(nodeOf(server('reviews', 'v1', 5001), '1', { extensions })).current();
    const [listener] = config.listeners;
    expect(listener?.connectionFilters?.map(({ filter }) => filter)).toEqual(['tulle.conn.ip-allow']);
    const handler = listener?.filterChains[0]?.handler;
    expect(handler?.kind === 'http' && handler.filters?.map(({ filter }) => filter)).toEqual([
      'tulle.http.jwt',
      'tulle.http.authz',
    ]);
  });

  it('a filter of a package runs where its proxy says that it wants to, unless a policy says otherwise', async () => {
    const cp = make();
    const policy = (phase: string): string =>
      `apiVersion: tulle.dev/v1alpha1\nkind: FilterPolicy\nmetadata: { name: own }\nspec: { filter: acme-tokens${phase} }`;
    await put(cp, `${policy('')}\n---\n${ANYBODY}`);
    const extensions = ['tulle.http.authz@0.1.0', 'acme-tokens@1.0.0'];
    const at = (filterPhases: SidecarMetadata['filterPhases']) =>
      nodeOf(server('reviews', 'v1', 5001, filterPhases === undefined ? {} : { filterPhases }), '1', {
        extensions,
      });
    const handle = cp.provider.open(at(undefined));
    const chain = (): unknown => {
      const handler = handle.current().config.listeners[0]?.filterChains[0]?.handler;
      return handler?.kind === 'http' && handler.filters.map(({ filter }) => filter);
    };
    expect(chain()).toEqual(['tulle.http.authz', 'acme-tokens']);
    handle.described?.(at({ 'acme-tokens': 'authn' }));
    expect(chain()).toEqual(['acme-tokens', 'tulle.http.authz']);
    await put(cp, `${policy(', phase: transform')}\n---\n${ANYBODY}`);
    expect(chain()).toEqual(['tulle.http.authz', 'acme-tokens']);
    expect(() => handle.described?.(at({ 'acme-tokens': 'first' as never }))).toThrow(
      'metadata/filterPhases/acme-tokens must be one of connection, cors',
    );
  });

  it('where nothing asks for them a chain has neither authorization nor retries; what a policy asks wins over a profile', async () => {
    const cp = make();
    const chains = ({ config }: { config: ProxyConfig }): unknown[] =>
      config.listeners.map(({ filterChains }) => {
        const handler = filterChains[0]?.handler;
        return handler?.kind === 'http' && handler.filters.map(({ filter, config }) => ({ filter, config }));
      });
    const upstreams = client('web').upstreams as NonNullable<SidecarMetadata['upstreams']>;
    const lean = cp.provider.open(nodeOf(server('web', 'v1', 5001, { upstreams, retries: 'asked' })));
    const full = cp.provider.open(nodeOf(server('shop', 'v1', 5003, { upstreams })));
    await put(cp, SHOP);
    expect(chains(lean.current())).toEqual([[], []]);
    expect(chains(full.current())).toEqual([[], [{ filter: 'tulle.http.retry', config: {} }]]);

    const retries = `apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: again }
spec: { targetRefs: [{ group: "", kind: Service, name: reviews }], retries: { attempts: 3 } }`;
    await put(cp, `${SHOP}---\n${retries}\n---\n${ANYBODY}`);
    expect(chains(lean.current())).toMatchObject([
      [{ filter: 'tulle.http.authz', config: { policies: [{ name: 'default/anybody' }] } }],
      [{ filter: 'tulle.http.retry', config: { retries: 0 } }],
    ]);
    cp.apply([], ['TrafficPolicy/default/again', 'AuthorizationPolicy/default/anybody']);
    cp.flush();
    expect(chains(lean.current())).toEqual([[], []]);
    expect(() => lean.described?.(nodeOf(server('web', 'v1', 5001, { retries: 'never' as never })))).toThrow(
      'metadata/retries must be default or asked, not "never"',
    );
  });

  it('a policy may trust Idempotency-Keys, for a Service or for one route of it', async () => {
    const cp = make();
    const handle = cp.provider.open(nodeOf(client('web')));
    const trusted = (): unknown[] =>
      handle
        .current()
        .config.routes.flatMap(({ virtualHosts }) =>
          virtualHosts.flatMap(({ routes }) =>
            routes.map(({ action }) => action.kind === 'forward' && action.trustIdempotencyKey),
          ),
        );
    const policy = (kind: string, group: string, trust: boolean): string =>
      `apiVersion: tulle.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: ${kind.toLowerCase()} }\nspec: { targetRefs: [{ group: "${group}", kind: ${kind}, name: reviews }], retries: { trustIdempotencyKey: ${trust} } }`;
    await put(cp, SHOP);
    expect(new Set(trusted())).toEqual(new Set([undefined]));
    await put(cp, policy('Service', '', true));
    expect(new Set(trusted())).toEqual(new Set([true]));
    await put(cp, policy('HTTPRoute', 'gateway.networking.k8s.io', false));
    expect(new Set(trusted())).toEqual(new Set([undefined]));
  });

  it('a mandatory filter that a proxy lacks refuses its traffic, and status names the proxy', async () => {
    const cp = make();
    await put(
      cp,
      `${SHOP}---\napiVersion: tulle.dev/v1alpha1\nkind: FilterPolicy\nmetadata: { name: waf }\nspec: { filter: acme-waf, mandatory: true }`,
    );
    const node = nodeOf(server('reviews', 'v1', 5001));
    const { config } = cp.provider.open(node).current();
    expect(config.listeners[0]?.filterChains[0]?.handler).toMatchObject({
      routes: { virtualHosts: [{ routes: [{ action: { kind: 'direct', status: 503 } }] }] },
    });
    expect(cp.status().filterPolicies).toEqual([
      expect.objectContaining({ name: 'default/waf', accepted: false, lacking: [node.id] }),
    ]);
  });
});

describe('a change reaches whom it concerns', () => {
  it('new weights are one resource for the two of five proxies that use the route; counters and propagation tell', async () => {
    const cp = make();
    const proxies = [
      client('web'),
      client('mobile'),
      server('reviews', 'v1', 5001),
      server('reviews', 'v2', 5003),
      server('ratings', 'v1', 5005),
    ].map((m) => {
      const handle = cp.provider.open(nodeOf(m));
      return { name: m.workload, ...follow(handle) };
    });
    await put(cp, SHOP);
    for (const p of proxies) p.ack();
    for (const p of cp.status().proxies)
      expect(Object.values(p.kinds).map((k) => k.state)).toEqual(Array(4).fill('SYNCED'));
    const before = new Map(cp.status().proxies.map((p) => [p.workload, p.kinds.route.acked]));
    for (const p of proxies) p.sent.length = 0;
    const { changeId } = await put(cp, SHOP.replace('95', '50').replace('weight: 5 ', 'weight: 50 '));
    expect(cp.status().proxies.map((p) => p.kinds.route.state)).toEqual([
      'STALE',
      'STALE',
      'SYNCED',
      'SYNCED',
      'SYNCED',
    ]);
    for (const p of proxies) p.ack();
    expect(proxies.filter((p) => p.sent.length > 0).map((p) => [p.name, p.sent])).toEqual([
      ['web', ['route outbound|9080||reviews.default.svc.mesh.local']],
      ['mobile', ['route outbound|9080||reviews.default.svc.mesh.local']],
    ]);
    expect(cp.status().proxies.map((p) => p.kinds.route.acked - (before.get(p.workload) ?? 0))).toEqual([
      1, 1, 0, 0, 0,
    ]);
    expect(Object.values(cp.change(changeId!)!.proxies).map((p) => p.state)).toEqual(['acked', 'acked']);
  });

  it('whoever waits for a change is told when the proxies that it concerns have answered, or left', async () => {
    const cp = make();
    await put(cp, SHOP);
    const [web, mobile] = ['web', 'mobile'].map((name) => simulatedProxy(() => cp, nodeOf(client(name))));
    for (const proxy of [web!, mobile!]) {
      proxy.connect();
      proxy.settle();
    }
    const weights = async (v1: number): Promise<string> => {
      const { changeId } = cp.apply(await resourcesOf(SHOP.replace('95', String(v1))), []);
      return changeId!;
    };
    const states = async (id: string, timeoutMs: number): Promise<unknown> => {
      const record = await cp.settled(id, timeoutMs);
      return record && [record.settled, ...Object.values(record.proxies).map((p) => p.state)];
    };
    const first = await weights(50);
    const waiting = states(first, 60_000); // begins before the change is even gathered
    cp.flush();
    expect(await states(first, 0)).toEqual([false, 'pending', 'pending']);
    web!.settle();
    expect(await states(first, 0)).toEqual([false, 'acked', 'pending']);
    mobile!.settle();
    expect(await waiting).toEqual([true, 'acked', 'acked']);

    const second = await weights(40);
    const left = states(second, 60_000);
    cp.flush();
    web!.refuses.add('route outbound|9080||reviews.default.svc.mesh.local');
    web!.settle();
    mobile!.disconnect('lost');
    expect(await left).toEqual([true, 'nacked', 'pending']);
    mobile!.connect();
    expect(await states(second, 0)).toEqual([false, 'nacked', 'pending']); // there again, and awaited again
    const back = states(second, 60_000);
    mobile!.settle();
    expect(await back).toEqual([true, 'nacked', 'acked']);

    const { changeId: nobody } = cp.apply(
      await resourcesOf(
        'apiVersion: v1\nkind: Service\nmetadata: { name: other }\nspec: { ports: [{ port: 1 }] }',
      ),
      [],
    );
    expect(await states(nobody!, 60_000)).toEqual([true]);
    expect(await cp.settled('unknown', 60_000)).toBeUndefined();
    const third = states(await weights(30), 60_000);
    await cp.close();
    expect(await third).toMatchObject([false]);
  });

  it('a proxy that comes back with what it should have is in sync, and is sent nothing', async () => {
    const cp = make();
    await put(cp, SHOP);
    const proxy = simulatedProxy(() => cp, nodeOf(client('web')));
    proxy.connect();
    proxy.settle();
    proxy.disconnect('lost');
    proxy.received.length = 0;
    proxy.connect();
    proxy.settle();
    expect(proxy.received).toEqual([]);
    const [status] = cp.status().proxies;
    for (const kind of ['listener', 'route', 'cluster', 'endpoint'] as const)
      expect(status?.kinds[kind], kind).toMatchObject({
        state: 'SYNCED',
        sent: 0,
        acked: 0,
        versions: Object.fromEntries(proxy.has[kind]),
      });
    expect(cp.change(status?.changeId ?? '')?.proxies[proxy.node.id]?.state).toBe('acked');
  });

  it('a change that is taken back before it went out leaves a proxy in sync', async () => {
    const cp = make();
    await put(cp, SHOP);
    const proxy = simulatedProxy(() => cp, nodeOf(client('web')));
    proxy.connect(); // and does not answer yet
    await put(cp, SHOP.replace('weight: 5 ', 'weight: 50 '));
    const { changeId } = await put(cp, SHOP);
    expect(cp.status().proxies[0]?.kinds.route).toMatchObject({ state: 'STALE' });
    proxy.settle();
    expect(cp.status().proxies[0]?.kinds.route).toMatchObject({ state: 'SYNCED' });
    expect(cp.change(changeId!)?.proxies[proxy.node.id]?.state).toBe('acked');
  });

  it('what a proxy refuses stays refused while it takes other changes, and is forgotten when it is gone', async () => {
    const cp = make();
    const proxy = simulatedProxy(() => cp, nodeOf(client('web')));
    const v2 = 'cluster outbound|9080||reviews-v2.default.svc.mesh.local';
    proxy.refuses.add(v2);
    proxy.connect();
    proxy.settle();
    const { changeId: refused } = await put(cp, SHOP);
    proxy.settle();
    const { changeId } = await put(
      cp,
      'apiVersion: tulle.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: t }\nspec: { targetRefs: [{ group: "", kind: Service, name: reviews-v1 }], timeouts: { connect: 3s } }',
    );
    proxy.settle();
    const cluster = (): unknown => cp.status().proxies[0]?.kinds.cluster;
    expect(cluster()).toMatchObject({
      state: 'NACKED',
      error: expect.stringContaining('no outbound') as string,
    });
    expect(cp.change(refused!)?.proxies[proxy.node.id]?.state).toBe('nacked');
    expect(cp.change(changeId!)?.proxies[proxy.node.id]?.state).toBe('acked');
    cp.apply([], ['HTTPRoute/default/reviews']);
    cp.flush();
    proxy.settle();
    expect(cluster()).toMatchObject({ state: 'SYNCED' });
  });

  it('a NACK shows with its reason', async () => {
    const cp = make();
    const handle = cp.provider.open(nodeOf(client('web')));
    await put(cp, SHOP);
    const { changeId, config } = handle.current();
    handle.acked({
      kind: 'route',
      changeId,
      nonce: '1',
      resources: config.routes.map((r) => ({ name: r.name, version: 'v' })),
      removed: [],
      ok: false,
      error: 'no such field',
      sentAtMs: 1,
      ackedAtMs: 2,
    });
    expect(cp.status().proxies[0]?.kinds.route).toMatchObject({
      state: 'NACKED',
      error: 'no such field',
      nacked: 1,
      acked: 0,
    });
    expect(cp.change(changeId)?.proxies).toMatchObject({
      [nodeOf(client('web')).id]: { state: 'nacked', error: 'no such field' },
    });
  });
});

describe('workloads come and go', () => {
  it('a clean end removes at once, a lost stream makes unhealthy at once and removes after the grace', async () => {
    const clock = manualClock();
    const cp = make({ clock, graceMs: 1000, maxHoldMs: 10_000 });
    await put(cp, SHOP);
    const [one, two, three] = ['a', 'b', 'c'].map((instance, i) =>
      cp.provider.open(nodeOf(server('reviews', 'v1', 5001 + 1000 * i), instance)),
    ) as [SnapshotHandle, SnapshotHandle, SnapshotHandle];
    const caller = cp.provider.open(nodeOf(client('web')));
    const seen = (): unknown[] =>
      caller.current().config.endpoints[0]!.endpoints.map((e) => e.health ?? 'healthy');
    clock.advance(20);
    expect(seen()).toEqual(['healthy', 'healthy', 'healthy']);
    one.closed('lost');
    expect(seen()).toEqual(['unhealthy', 'healthy', 'healthy']);
    two.closed('clean');
    expect(seen()).toEqual(['unhealthy', 'healthy']);
    clock.advance(1000);
    expect(seen()).toEqual(['healthy']);
    three.closed('lost');
    // Nobody else serves: it may be cut off from the control plane alone, and is believed.
    expect(seen()).toEqual(['healthy']);
    clock.advance(5000);
    expect(seen()).toEqual(['healthy']);
    clock.advance(6000);
    expect(seen()).toEqual([]);
  });

  it('lost ones are believed where all are lost, but not what a source calls unhealthy by its own word', async () => {
    const clock = manualClock();
    const cp = make({ clock, graceMs: 10_000 });
    await put(cp, SHOP);
    const handles = ['a', 'b'].map((instance, i) =>
      cp.provider.open(nodeOf(server('reviews', 'v1', 5001 + 1000 * i), instance)),
    );
    const caller = cp.provider.open(nodeOf(client('web')));
    const seen = (): unknown[] =>
      caller.current().config.endpoints[0]!.endpoints.map((e) => e.health ?? 'healthy');
    handles[0]!.closed('lost');
    expect(seen()).toEqual(['unhealthy', 'healthy']);
    handles[1]!.closed('lost');
    expect(seen()).toEqual(['healthy', 'healthy']);
    handles[1] = cp.provider.open(nodeOf(server('reviews', 'v1', 6001), 'b'));
    expect(seen()).toEqual(['unhealthy', 'healthy']);
    await put(cp, KNOWN_TO_BE_ILL);
    handles[1].closed('clean');
    expect(seen()).toEqual(['unhealthy', 'healthy']); // the one that is lost is all there is
    clock.advance(10_000);
    expect(seen()).toEqual(['unhealthy']);
  });

  it('one whose connection ends as a root is removed is there still, unless it does not come back', async () => {
    const clock = manualClock();
    const cp = make({ clock, graceMs: 10_000 });
    await put(cp, SHOP);
    const open = (instance: string, port: number): SnapshotHandle =>
      cp.provider.open(nodeOf(server('reviews', 'v1', port), instance));
    const handles = [open('a', 5001), open('b', 6001), open('c', 7001)];
    const caller = cp.provider.open(nodeOf(client('web')));
    const seen = (): unknown[] =>
      caller.current().config.endpoints[0]!.endpoints.map((e) => e.health ?? 'healthy');
    cp.expectReturn();
    clock.advance(1000);
    handles[0]!.closed('lost');
    handles[1]!.closed('lost');
    const before = caller.current();
    clock.advance(1000);
    handles[0] = open('a', 5001);
    clock.advance(1000);
    expect(caller.current()).toBe(before); // nobody had to hear of it
    clock.advance(2999);
    expect(seen()).toEqual(['healthy', 'healthy', 'healthy']);
    clock.advance(1);
    expect(seen()).toEqual(['healthy', 'unhealthy', 'healthy']);
    clock.advance(10_000);
    expect(seen()).toEqual(['healthy', 'healthy']);
    handles[0].closed('lost'); // long after
    expect(seen()).toEqual(['unhealthy', 'healthy']);
  });

  it('a control plane that ends takes nobody for lost whose stream it ends itself; one that leaves meanwhile has left', async () => {
    const clock = manualClock();
    const cp = make({ clock, graceMs: 1000 });
    await put(cp, SHOP);
    const [one, two] = ['a', 'b'].map((instance, i) =>
      cp.provider.open(nodeOf(server('reviews', 'v1', 5001 + 1000 * i), instance)),
    ) as [SnapshotHandle, SnapshotHandle];
    const caller = cp.provider.open(nodeOf(client('web')));
    const seen = (): unknown[] =>
      caller.current().config.endpoints[0]!.endpoints.map((e) => e.health ?? 'healthy');
    clock.advance(20);
    cp.retire();
    one.closed('lost');
    clock.advance(1000);
    expect(seen()).toEqual(['healthy', 'healthy']);
    two.closed('clean');
    expect(seen()).toEqual(['healthy']);
  });

  it('the last one of a Service that was lost goes when another takes its place', async () => {
    const clock = manualClock();
    const cp = make({ clock, graceMs: 1000 });
    await put(cp, SHOP);
    const caller = cp.provider.open(nodeOf(client('web')));
    cp.provider.open(nodeOf(server('reviews', 'v1', 5001), 'a')).closed('lost');
    clock.advance(5000);
    const seen = (): unknown[] =>
      caller.current().config.endpoints[0]!.endpoints.map((e) => e.health ?? 'healthy');
    expect(seen()).toEqual(['healthy']);
    cp.provider.open(nodeOf(server('reviews', 'v1', 6001), 'b'));
    expect(seen()).toEqual(['unhealthy', 'healthy']);
    clock.advance(1000);
    expect(seen()).toEqual(['healthy']);
  });

  it('one that is not ready is no endpoint until it says so, and none any more when it takes that back', async () => {
    const cp = make();
    await put(cp, SHOP);
    const caller = cp.provider.open(nodeOf(client('web')));
    const seen = (): readonly unknown[] => caller.current().config.endpoints[0]!.endpoints;
    const starting = nodeOf(server('reviews', 'v1', 5001, { ready: false }));
    const ready = nodeOf(server('reviews', 'v1', 5001, { ready: true }));
    const handle = cp.provider.open(starting);
    cp.flush();
    expect(handle.current().config.listeners.map((l) => l.name)).toEqual(['inbound_127.0.0.1_5002']);
    expect(seen()).toEqual([]);
    handle.described?.(ready);
    cp.flush();
    expect(seen()).toHaveLength(1);
    handle.described?.(starting);
    cp.flush();
    expect(seen()).toEqual([]);
    handle.described?.(ready);
    handle.closed('lost');
    cp.provider.open(starting); // a successor that has to start first
    cp.flush();
    expect(seen()).toEqual([]);
  });

  it('one behind a port mapping is reached where it says, and listens where it is', async () => {
    const cp = make();
    await put(cp, SHOP);
    const handle = cp.provider.open(
      nodeOf(
        server('reviews', 'v1', 5001, {
          inbound: { address: '0.0.0.0', port: 5002 },
          advertise: { address: '192.0.2.7', port: 443 },
        }),
      ),
    );
    const caller = cp.provider.open(nodeOf(client('web')));
    cp.flush();
    expect(handle.current().config.listeners[0]?.address).toEqual({ host: '0.0.0.0', port: 5002 });
    expect(caller.current().config.endpoints[0]?.endpoints[0]).toMatchObject({
      address: { host: '192.0.2.7', port: 443 },
      identity: 'spiffe://mesh.local/ns/default/sa/reviews-v1',
    });
    const at = (metadata: Partial<SidecarMetadata>) => (): unknown =>
      cp.provider.open(nodeOf(server('reviews', 'v1', 5001, metadata), 'x'));
    expect(at({ inbound: { address: '0.0.0.0', port: 5002 } })).toThrow(
      'metadata/advertise/address must be an IP address at which others reach it, not "0.0.0.0"',
    );
    expect(
      at({
        ports: [
          { port: 1, inboundPort: 11 },
          { port: 2, inboundPort: 12 },
        ],
        advertise: { port: 443 },
      }),
    ).toThrow('metadata/advertise/port is one port, but the workload has 2');
  });

  it('a node that claims another workload than it proved is refused, and so is nonsense', () => {
    const cp = make();
    expect(() =>
      cp.provider.open(nodeOf(client('web'), '1', { identity: 'spiffe://mesh.local/ns/default/sa/other' })),
    ).toThrow(/proved to be .*other/);
    expect(() => cp.provider.open(nodeOf({ workload: 'web', ports: [0, 70_000] }))).toThrow(
      /ports\/0.*ports\/1/,
    );
  });
});

describe('what survives', () => {
  const path = (): string => {
    const directory = mkdtempSync(join(tmpdir(), 'tulle-state-'));
    directories.push(directory);
    return join(directory, 'state');
  };

  it('resources of REST and joined workloads outlive the process; damage is told, not taken', async () => {
    const file = path();
    const first = make({ state: fileState(file) });
    await put(first, SHOP);
    first.provider.open(nodeOf(server('reviews', 'v1', 5001)));
    first.flush();
    const second = make({ state: fileState(file) });
    expect(
      second
        .resources()
        .map((h) => h.version)
        .toSorted(),
    ).toEqual(
      first
        .resources()
        .map((h) => h.version)
        .toSorted(),
    );
    expect(second.status().lostWorkloads).toEqual(['Workload/default/reviews-v1.1']);
    const text = readFileSync(file, 'utf8');
    for (const damaged of [text.slice(0, -5), text.replace('reviews', 'reviewz'), '']) {
      writeFileSync(file, damaged);
      expect(() => make({ state: fileState(file) })).toThrow(/damaged/);
    }
  });
});

describe('the API', () => {
  it('applies all or nothing with the same faults as files, and refuses what a file owns', async () => {
    const cp = make();
    const { app } = createApi({ controlPlane: cp });
    const post = (payload: string, type = 'application/yaml', url = '/api/v1/apply') =>
      app.inject({ method: 'POST', url, payload, headers: { 'content-type': type, host: 'localhost' } });
    const broken = await post(`${SHOP}---\nkind: [\n---\n${SHOP.replace('spec:', 'spek:')}`);
    expect(broken.statusCode).toBe(422);
    expect(broken.headers['content-type']).toContain('application/problem+json');
    expect(broken.json<{ issues: unknown[] }>().issues.length).toBeGreaterThan(2);
    expect(cp.resources()).toEqual([]);
    expect((await post(SHOP, 'application/yaml', '/api/v1/apply?dryRun=true')).json()).toMatchObject({
      dryRun: true,
    });
    expect(cp.resources()).toEqual([]);
    expect((await post(SHOP)).json()).toMatchObject({ changed: { length: 4 } });
    const json = await post(
      JSON.stringify([
        { apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' }, spec: { ports: [{ port: '1' }] } },
      ]),
      'application/json',
    );
    expect(json.json<{ issues: { pointer: string }[] }>().issues[0]?.pointer).toBe('/0/spec/ports/0/port');
    await attachFile(
      cp,
      'mesh/owned.yaml',
      'apiVersion: v1\nkind: Service\nmetadata: { name: owned }\nspec: { ports: [{ port: 80 }] }',
    );
    const refused = await post(
      'apiVersion: v1\nkind: Service\nmetadata: { name: owned }\nspec: { ports: [{ port: 81 }] }',
    );
    expect([refused.statusCode, refused.json<{ detail: string }>().detail]).toEqual([
      409,
      'Service default/owned belongs to file:mesh/owned.yaml',
    ]);
    const gone = await app.inject({ method: 'DELETE', url: '/api/v1/resources/httproutes/default/reviews' });
    expect([gone.statusCode, cp.resource('HTTPRoute/default/reviews')]).toEqual([200, undefined]);
    expect((await app.inject({ url: '/openapi.json' })).json()).toMatchObject({
      openapi: '3.1.0',
      components: { schemas: { HTTPRoute: { title: 'HTTPRoute' } } },
    });
    expect((await app.inject({ url: '/api/v1/status', headers: { host: 'evil.example' } })).statusCode).toBe(
      403,
    );
    await app.close();
  });
});

describe('a resource that two want', () => {
  it('is the file’s as soon as it is removed over REST, and the file has no fault any more', async () => {
    const cp = make();
    const service = (port: number): string =>
      `apiVersion: v1\nkind: Service\nmetadata: { name: both }\nspec: { ports: [{ port: ${port} }] }`;
    await put(cp, service(80));
    await attachFile(cp, 'mesh/both.yaml', service(81));
    const portOf = (): unknown => cp.resource('Service/default/both')?.resource;
    const faults = (): string[] => cp.status().sources.flatMap((one) => one.faults.map(({ code }) => code));
    expect(portOf()).toMatchObject({ spec: { ports: [{ port: 80 }] } });
    expect(faults()).toHaveLength(1);
    cp.apply([], ['Service/default/both']);
    expect(portOf()).toMatchObject({ spec: { ports: [{ port: 81 }] } });
    expect(faults()).toEqual([]);
  });
});

describe('scale', () => {
  it('one endpoint among 1,000 Services is recomputed for its callers only', async () => {
    const registry = createRegistry();
    const cp = make({ meter: registry });
    /** How often the configuration of a proxy was computed. */
    const computed = (): number => {
      const page = [...renderText(registry, 'prometheus')].join('');
      return Number(/^pilot_xds_push_time_count (\d+)$/m.exec(page)?.[1]);
    };
    const services = Array.from(
      { length: 1000 },
      (_, i) =>
        `apiVersion: v1\nkind: Service\nmetadata: { name: s${i} }\nspec: { selector: { app: s${i} }, ports: [{ port: 80 }] }`,
    );
    await put(cp, services.join('\n---\n'));
    for (let i = 0; i < 200; i++)
      cp.provider.open(
        nodeOf({
          workload: `c${i}`,
          upstreams: [
            { service: `s${i}`, localPort: 80 },
            { service: `s${i + 1}`, localPort: 81 },
          ],
        }),
      );
    const [before, changes] = [computed(), new Map(cp.status().proxies.map((p) => [p.id, p.changeId]))];
    cp.provider.open(nodeOf(server('s7', 'v1', 5001)));
    cp.flush();
    expect(computed() - before).toBe(3); // its own, and those of c6 and c7
    const changed = cp.status().proxies.filter((p) => changes.get(p.id) !== p.changeId);
    expect(changed.map((p) => p.workload)).toEqual(['c6', 'c7', 's7-v1']);
  });
});
