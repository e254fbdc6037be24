import { afterEach, describe, expect, it } from 'vitest';
import type { FilterChain } from '@tulle/model';
import {
  memoryState,
  createControlPlane,
  type ControlPlane,
  type GatewayStatus,
  type RouteStatus,
} from '../src/index.ts';
import { closeAll, clock, make, put } from './gateway-mesh.ts';
import { nodeOf } from './nodes.ts';
import {
  authzOf,
  behindNodeProxy,
  chainsOf,
  denies,
  hbone,
  id,
  join,
  letIn,
  process,
  service,
  WAYPOINT,
} from './waypoint-mesh.ts';

afterEach(closeAll);

describe('a waypoint before a workload of a node proxy', () => {
  it('is where callers find the Service, and the only one who is let in at its port', async () => {
    const cp = make();
    await put(cp, service());
    const web = join(cp, behindNodeProxy('web', '10.0.1.1'));
    const orders = join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const name = 'outbound|80||orders.default.svc.mesh.local';
    const found = (): readonly unknown[] =>
      web.config().endpoints.find((one) => one.name === name)?.endpoints ?? [];
    const gate = join(cp, process());
    // A process is no waypoint before its Gateway is one, and somebody who says so is none.
    await put(
      cp,
      '\napiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: claims, labels: { gateway.networking.k8s.io/gateway-name: gate } }\nspec: { address: 10.0.9.9, ports: [], inbound: { mode: hbone, port: 1 }, serviceAccount: gate }\n',
    );
    expect(found()).toEqual([]);
    cp.apply([], ['Workload/default/claims']);
    await put(cp, WAYPOINT);
    expect(found()).toMatchObject([
      {
        address: { host: '10.0.9.1', port: 15_008 },
        mode: 'hbone',
        identity: id('gate'),
        tunnel: {
          address: { host: '10.0.9.1', port: 15_008 },
          authority: 'orders.default.svc.mesh.local:80',
        },
      },
    ]);
    expect(gate.config().endpoints.find((one) => one.name === name)?.endpoints).toMatchObject([
      { address: { host: '10.0.2.1', port: 8080 }, mode: 'hbone', identity: id('orders') },
    ]);
    const { listeners } = orders.config();
    const [tunnels, others] = chainsOf(listeners, 'inbound_hbone');
    expect(tunnels?.match).toEqual({ destinationCidrs: ['10.0.2.1/32'], destinationPort: 8080 });
    expect(letIn(tunnels)).toEqual([
      [
        {
          name: 'waypoint',
          action: 'ALLOW',
          expression: {
            anyOf: [{ allOf: [{ anyOf: [{ identity: { kind: 'exact', value: id('gate') } }] }] }],
          },
        },
      ],
    ]);
    expect(letIn(others)).toEqual([]);
    expect(listeners.find((one) => one.name === 'inbound_hbone')?.hbone?.trustedForwarders).toEqual([
      id('gate'),
    ]);
    cp.apply([], ['Gateway/default/gate']);
    expect(found()).toEqual([]);
    expect(cp.resource('Workload/default/gate.g')).toBeUndefined();
  });

  it('is not gone around in plain text either, where that is let in elsewhere', async () => {
    const cp = make();
    await put(
      cp,
      WAYPOINT,
      service(),
      '\napiVersion: tulle.dev/v1alpha1\nkind: PeerAuthentication\nmetadata: { name: open }\nspec: { mtls: { mode: PERMISSIVE } }\n',
    );
    const orders = join(cp, behindNodeProxy('orders', '10.0.2.1'));
    expect(
      chainsOf(orders.config().listeners, 'inbound_plain').map(({ name, match, handler }) => [
        name,
        match?.destinationPort,
        handler.kind === 'tcp' && handler.clusters[0]?.name,
      ]),
    ).toEqual([
      ['waypoint_8080', 8080, 'BlackHoleCluster'],
      ['plain', undefined, 'workload'],
    ]);
  });

  it('lets nobody in whom an application of its account could be', async () => {
    const cp = make();
    await put(cp, WAYPOINT, service());
    const orders = join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const policies = (): unknown => letIn(chainsOf(orders.config().listeners, 'inbound_hbone')[0]);
    const nobody = [[{ name: 'waypoint', action: 'ALLOW', expression: { not: { any: true } } }]];
    expect(policies()).toEqual(nobody);
    join(cp, process());
    expect(policies()).not.toEqual(nobody);
    join(cp, behindNodeProxy('gate', '10.0.3.1'));
    expect(policies()).toEqual(nobody);
    expect(cp.conditions('Service/default/orders')).toMatchObject([
      {},
      {
        type: 'WaypointReady',
        status: 'False',
        message: expect.stringContaining('account of its own') as string,
      },
    ]);
  });
});

describe('a waypoint', () => {
  it('asks what policies say when they change, in whichever namespace', async () => {
    const cp = make();
    await put(cp, WAYPOINT, service());
    join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const gate = join(cp, process());
    const chain = (): FilterChain | undefined =>
      chainsOf(gate.config().listeners, 'gateway_10.0.9.1_15008')[0];
    expect(authzOf(chain())).toEqual([]);
    await put(cp, denies('{ to: { methods: [POST] } }'));
    expect(authzOf(chain())).toMatchObject([{ policies: [{ action: 'DENY' }] }]);
    await put(
      cp,
      denies('{ to: { methods: [PUT] } }')
        .replace('name: p }', 'name: q, namespace: tulle-system }')
        .replace(/targetRefs: [^,]*, kind: Service, name: orders \}\], /, ''),
    );
    expect(JSON.stringify(authzOf(chain()))).toContain('tulle-system/q');
    // Of a backend that is in another one.
    await put(
      cp,
      '\napiVersion: v1\nkind: Service\nmetadata: { name: beta, namespace: team }\nspec: { selector: { app: beta }, ports: [{ port: 80 }] }\n',
      "\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: team }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }], to: [{ group: '', kind: Service }] }\n",
      "\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: orders }\nspec: { parentRefs: [{ group: '', kind: Service, name: orders }], rules: [{ backendRefs: [{ name: beta, namespace: team, port: 80 }] }] }\n",
    );
    expect(JSON.stringify(gate.config().routes)).not.toContain('team/r');
    await put(
      cp,
      '\napiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: r, namespace: team }\nspec: { action: DENY, rules: [{ to: { methods: [PATCH] } }] }\n',
    );
    expect(JSON.stringify(gate.config().routes)).toContain('team/r');
  });

  it('of a port that is not HTTP judges connections', async () => {
    const cp = make();
    await put(cp, WAYPOINT, service(undefined, ', appProtocol: tcp'), denies('{ to: { methods: [POST] } }'));
    join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const gate = join(cp, process());
    const [chain] = chainsOf(gate.config().listeners, 'gateway_10.0.9.1_15008');
    expect(chain).toMatchObject({
      match: { serverNames: ['orders.default.svc.mesh.local'], destinationPort: 80 },
      handler: { kind: 'tcp', clusters: [{ name: 'outbound|80||orders.default.svc.mesh.local' }] },
    });
    expect(letIn(chain)).toEqual([
      [{ name: 'default/p', action: 'DENY', expression: { anyOf: [{ any: true }] } }],
    ]);
  });

  it('asks of a Service whose workloads differ what each of them asks', async () => {
    const cp = make();
    const allow = (version: string, account: string): string => `
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: ${version} }
spec: { selector: { matchLabels: { version: ${version} } }, action: ALLOW, rules: [{ from: { serviceAccounts: [${account}] } }] }
`;
    await put(cp, WAYPOINT, service(), allow('v1', 'web'), allow('v2', 'ops'));
    for (const [version, address] of [
      ['v1', '10.0.2.1'],
      ['v2', '10.0.2.2'],
      ['v3', '10.0.2.3'],
    ] as const)
      join(
        cp,
        nodeOf(
          {
            workload: 'orders',
            labels: { app: 'orders', version },
            ports: [8080],
            inbound: { address, port: 1 },
            hbone,
          },
          version,
        ),
      );
    const gate = join(cp, process());
    const [chain] = chainsOf(gate.config().listeners, 'gateway_10.0.9.1_15008');
    expect(
      authzOf(chain).map((config) =>
        (config as { policies: { name: string }[] }).policies.map(({ name }) => name),
      ),
    ).toEqual([['default/v1'], ['default/v2']]);
    expect(new Set(chain?.handler.filters?.map(({ name }) => name)).size).toBe(
      chain?.handler.filters?.length,
    );
  });

  it('asks what the Service asks of endpoints that are no workloads, and not of those that are', async () => {
    const cp = make();
    const slice = (endpoint: string): string => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: e, labels: { kubernetes.io/service-name: orders } }
addressType: IPv4
ports: [{ port: 8080 }]
endpoints: [{ ${endpoint} }]
`;
    const ofWorkload =
      '\napiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: w }\nspec: { selector: { matchLabels: { app: orders } }, action: ALLOW, rules: [{ from: { serviceAccounts: [web] } }] }\n';
    join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const toWorkload =
      'addresses: [10.0.2.1], targetRef: { kind: Workload, name: orders.1, namespace: default }';
    await put(cp, WAYPOINT, service(), ofWorkload, denies('{ to: { methods: [POST] } }'), slice(toWorkload));
    const gate = join(cp, process());
    const names = (): unknown =>
      authzOf(chainsOf(gate.config().listeners, 'gateway_10.0.9.1_15008')[0]).map((config) =>
        (config as { policies: { name: string }[] }).policies.map(({ name }) => name),
      );
    expect(names()).toEqual([['default/p', 'default/w']]);
    await put(cp, slice('addresses: [10.0.2.9]'));
    expect(names()).toEqual([['default/p', 'default/w'], ['default/p']]);
  });

  it('says whether it is served, and for whom', async () => {
    const cp = make();
    await put(cp, WAYPOINT);
    const said = (): string[] =>
      (cp.resourceStatus('Gateway/default/gate') as GatewayStatus).conditions.map(
        ({ type, status, reason, message }) => `${type}=${status}/${reason} ${message}`,
      );
    expect(said()).toEqual([
      'Accepted=True/Accepted no Service asks for it yet, by the label tulle.dev/use-waypoint: gate',
      'Programmed=False/Pending no process serves it; start one: tulle gateway --name gate',
      'ResolvedRefs=True/ResolvedRefs what it refers to is there',
    ]);
    await put(cp, service());
    expect(cp.conditions('Service/default/orders')).toMatchObject([
      {},
      {
        type: 'WaypointReady',
        status: 'False',
        reason: 'WaypointNotProgrammed',
        message: expect.stringMatching(/^nobody can call it: no process/) as string,
      },
    ]);
    expect(cp.status().services).toMatchObject([{ name: 'default/orders', leftOut: [] }]);
    const { proxy } = join(cp, process('any', '0.0.0.0'));
    cp.flush();
    proxy.settle();
    expect(said()).toEqual([
      'Accepted=True/Accepted it is the waypoint of orders',
      expect.stringMatching(/^Programmed=False\/AddressNotUsable .* listens at 0.0.0.0/),
      expect.stringMatching(/^ResolvedRefs=True/),
    ]);
    proxy.disconnect('clean');
    const served = join(cp, process());
    served.config();
    expect(said()[1]).toBe('Programmed=True/Programmed its process takes tunnels');
    expect(cp.conditions('Service/default/orders')).toMatchObject([{}, { status: 'True' }]);
    expect(cp.status().services).toEqual([]);
  });

  it('is said no subset to by routes elsewhere, which say so; its own split the Service', async () => {
    const cp = make();
    const routeOf = (parent: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: r }
spec:
  parentRefs: [{ group: '', kind: Service, name: ${parent} }]
  rules: [{ backendRefs: [{ group: tulle.dev, kind: ServiceSubset, name: orders.v1, port: 80 }] }]
`;
    await put(
      cp,
      WAYPOINT,
      service(),
      service('{}').replace('name: orders', 'name: other'),
      '\napiVersion: tulle.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: t }\nspec: { targetRefs: [{ group: "", kind: Service, name: orders }], subsets: [{ name: v1, labels: { version: v1 } }] }\n',
      routeOf('other'),
    );
    const said = (): unknown =>
      (cp.resourceStatus('HTTPRoute/default/r') as RouteStatus).parents[0]?.conditions.find(
        ({ type }) => type === 'ResolvedRefs',
      );
    expect(said()).toMatchObject({ status: 'False', message: expect.stringContaining('waypoint') as string });
    const node = nodeOf({
      workload: 'orders',
      labels: { app: 'orders', version: 'v1' },
      ports: [8080],
      inbound: { address: '10.0.2.1', port: 1 },
      hbone,
    });
    join(cp, node);
    const gate = join(cp, process());
    const web = join(cp, nodeOf({ workload: 'web', upstreams: [{ service: 'other', localPort: 9001 }] }));
    const ofSubset = (config: ReturnType<typeof web.config>): number[] =>
      config.endpoints.flatMap((one) => (one.name.includes('|v1|') ? [one.endpoints.length] : []));
    expect(ofSubset(web.config())).toEqual([0]);
    await put(cp, routeOf('orders'));
    expect(said()).toMatchObject({ status: 'True' });
    expect(ofSubset(gate.config())).toEqual([1]);
  });

  it('makes the ports again that a change concerns, and no others', async () => {
    const cp = make();
    await put(cp, WAYPOINT, service(), service().replaceAll('orders', 'items'));
    const gate = join(cp, process());
    const chainOf = (name: string): FilterChain | undefined =>
      gate.config().listeners[0]?.filterChains.find((one) => one.name.includes(`|${name}.`));
    const [orders, items] = [chainOf('orders'), chainOf('items')];
    expect([orders, items]).not.toContain(undefined);
    await put(
      cp,
      '\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: r }\nspec: { parentRefs: [{ group: "", kind: Service, name: orders }], rules: [{ backendRefs: [{ name: orders, port: 80 }] }] }\n',
    );
    expect(chainOf('orders')).not.toEqual(orders); // it takes requests alone now
    expect(chainOf('items')).toBe(items);
    // Another Service that asks for it, or that does not.
    const led = chainOf('orders');
    await put(cp, service().replaceAll('orders', 'more'), service('{}').replaceAll('orders', 'beside'));
    expect(chainOf('more')).toBeDefined();
    expect([chainOf('orders'), chainOf('items')]).toEqual([led, items]);
    expect(chainOf('items')).toBe(items);
    expect(chainOf('orders')).toBe(led);
    // Policies of another namespace, and of its own.
    const allows = (namespace: string): string =>
      `\napiVersion: tulle.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: a, namespace: ${namespace} }\nspec: { action: ALLOW, rules: [{ from: { serviceAccounts: [web] } }] }\n`;
    await put(cp, allows('elsewhere'));
    expect(chainOf('items')).toBe(items);
    await put(cp, allows('default'));
    expect(chainOf('items')).not.toEqual(items);
  });

  it('asks what another Service says of a workload as soon as that selects it, and no more when it does not', async () => {
    const cp = make();
    const extra = (app: string): string =>
      `\napiVersion: v1\nkind: Service\nmetadata: { name: extra }\nspec: { selector: { app: ${app} }, ports: [{ port: 90 }] }\n`;
    await put(
      cp,
      WAYPOINT,
      service(),
      denies('{ from: { serviceAccounts: [web] } }').replace('name: orders', 'name: extra'),
    );
    join(cp, behindNodeProxy('orders', '10.0.2.1'));
    const gate = join(cp, process());
    const asked = (): boolean => JSON.stringify(gate.config().listeners).includes('default/p');
    expect(asked()).toBe(false);
    for (const [app, isAsked] of [
      ['orders', true],
      ['others', false],
      ['orders', true],
    ] as const) {
      await put(cp, extra(app));
      expect(asked()).toBe(isAsked);
    }
    cp.apply([], ['Service/default/extra']);
    expect(asked()).toBe(false);
  });

  it('asks what another Service says of a workload as soon as a slice of that leads there', async () => {
    const cp = make();
    await put(
      cp,
      WAYPOINT,
      service(),
      denies('{ from: { serviceAccounts: [web] } }').replace('name: orders', 'name: extra'),
      '\napiVersion: v1\nkind: Service\nmetadata: { name: extra }\nspec: { ports: [{ port: 80, targetPort: 8080 }] }\n',
      '\napiVersion: tulle.dev/v1alpha1\nkind: Workload\nmetadata: { name: w, labels: { app: orders } }\nspec: { address: 10.0.2.1, ports: [{ port: 8080 }], inbound: { mode: sidecar, port: 1 } }\n',
    );
    const gate = join(cp, process());
    const asked = (): string => JSON.stringify(gate.config().listeners);
    expect(asked()).not.toContain('default/p');
    await put(
      cp,
      '\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: e, labels: { kubernetes.io/service-name: extra } }\naddressType: IPv4\nports: [{ port: 8080 }]\nendpoints: [{ addresses: [10.0.2.1], targetRef: { kind: Workload, name: w } }]\n',
    );
    expect(asked()).toContain('default/p');
    cp.apply([], ['EndpointSlice/default/e']);
    expect(asked()).not.toContain('default/p');
  });

  it('alone chooses among the endpoints, and what is urgent, as the TrafficPolicy of the Service says', async () => {
    const cp = make();
    await put(
      cp,
      WAYPOINT,
      service(),
      '\napiVersion: tulle.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: t }\nspec: { targetRefs: [{ group: "", kind: Service, name: orders }], priority: High, balancing: { policy: RingHash, hashOn: [{ header: x-user }] } }\n',
    );
    const gate = join(cp, process());
    const web = join(cp, nodeOf({ workload: 'web', upstreams: [{ service: 'orders', localPort: 9001 }] }));
    const said = ({ config }: typeof web): string => JSON.stringify(config().routes);
    for (const word of ['"priority":"high"', '"hashPolicy"']) {
      expect(said(gate)).toContain(word);
      expect(said(web)).not.toContain(word);
    }
  });

  it('that went away without a word is still called, and is not forgotten by a restart', async () => {
    const state = memoryState();
    const plane = (): ControlPlane => createControlPlane({ trustDomain: 'mesh.local', clock, state });
    const cp = plane();
    await put(cp, WAYPOINT, service());
    const endpoints = (of: ControlPlane): number => {
      const web = join(of, behindNodeProxy('web', '10.0.1.1'));
      const sets = web.config().endpoints;
      return sets
        .flatMap((one) => (one.name.includes('orders') ? one.endpoints : []))
        .filter(({ health = 'healthy' }) => health === 'healthy').length;
    };
    const one = join(cp, process());
    expect(endpoints(cp)).toBe(1);
    one.proxy.disconnect('lost');
    clock.advance(120_000);
    expect(endpoints(cp)).toBe(1);
    await cp.close();
    const next = plane();
    expect(endpoints(next)).toBe(1);
    await next.close();
  });
});
