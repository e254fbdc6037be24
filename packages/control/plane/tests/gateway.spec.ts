import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, GatewayMetadata, GatewayStatus, RouteStatus } from '../src/index.ts';
import {
  GATEWAY,
  SHOP,
  route,
  SHOP_ROUTE,
  clock,
  make,
  put,
  gatewayNode,
  join,
  said,
  saidOfRoute,
  closeAll,
  FINE,
} from './gateway-mesh.ts';
import { nodeOf } from './nodes.ts';
import { simulatedProxy } from './simulated-proxy.ts';

afterEach(closeAll);

describe('what is said of a Gateway', () => {
  it('is pending until a process has confirmed it, and again when that is gone', async () => {
    const cp = make();
    await put(cp, GATEWAY, SHOP, SHOP_ROUTE);
    expect(said(cp)).toEqual({
      '': ['Accepted=True/Accepted', 'Programmed=False/Pending', 'ResolvedRefs=True/ResolvedRefs'],
      'http 1': [...FINE, 'Programmed=False/Pending'],
      'https 1': [...FINE, 'Programmed=False/Pending'],
    });
    const since = (): unknown[] =>
      (cp.resourceStatus('Gateway/default/edge') as GatewayStatus).conditions.map(
        (c) => c.lastTransitionTime,
      );
    const [acceptedSince] = since();
    clock.advance(5_000);
    const proxy = join(cp);
    expect(said(cp)).toEqual({
      '': ['Accepted=True/Accepted', 'Programmed=True/Programmed', 'ResolvedRefs=True/ResolvedRefs'],
      'http 1': [...FINE, 'Programmed=True/Programmed'],
      'https 1': [...FINE, 'Programmed=True/Programmed'],
    });
    const joinedAt = new Date(clock.epochMs()).toISOString().replace(/\.\d+Z/, 'Z');
    clock.advance(5_000);
    expect(since()).toEqual([acceptedSince, joinedAt, acceptedSince]);
    expect(joinedAt).not.toBe(acceptedSince);
    proxy.disconnect('clean');
    expect(said(cp)['']).toEqual([
      'Accepted=True/Accepted',
      'Programmed=False/Pending',
      'ResolvedRefs=True/ResolvedRefs',
    ]);
  });

  it('names the process that refuses a listener, and why', async () => {
    const cp = make();
    await put(cp, GATEWAY);
    const proxy = simulatedProxy(() => cp, gatewayNode());
    proxy.refuses.add('listener gateway_127.0.0.1_80');
    proxy.connect();
    proxy.settle();
    expect(said(cp)).toEqual({
      '': ['Accepted=True/Accepted', 'Programmed=True/Programmed', 'ResolvedRefs=True/ResolvedRefs'],
      'http 0': [...FINE, 'Programmed=False/Invalid'],
      'https 0': [...FINE, 'Programmed=True/Programmed'],
    });
    const [http] = (cp.resourceStatus('Gateway/default/edge') as GatewayStatus).listeners;
    expect(http?.conditions.at(-1)?.message).toMatch(/edge~1 refuses it: no gateway_127.0.0.1_80/);
  });

  it('a certificate that a process lacks keeps its listener closed, the others open', async () => {
    const cp = make();
    await put(cp, GATEWAY);
    const proxy = join(cp, gatewayNode({ certificates: { directory: '/certs', names: [] } }));
    expect([...proxy.has.listener.keys()]).toEqual(['gateway_127.0.0.1_80']);
    expect(said(cp)).toEqual({
      '': ['Accepted=True/Accepted', 'Programmed=True/Programmed', 'ResolvedRefs=False/ListenersNotResolved'],
      'http 0': [...FINE, 'Programmed=True/Programmed'],
      'https 0': [
        'Accepted=True/Accepted',
        'Conflicted=False/NoConflicts',
        'ResolvedRefs=False/InvalidCertificateRef',
        'Programmed=False/Invalid',
      ],
    });
    const [, https] = (cp.resourceStatus('Gateway/default/edge') as GatewayStatus).listeners;
    expect(https?.conditions.at(-1)?.message).toContain('/certs/default/shop/tls.crt');
  });

  it('listeners of two protocols on one port are all refused', async () => {
    const cp = make();
    await put(cp, GATEWAY.replace('443', '80'));
    const proxy = join(cp);
    expect([...proxy.has.listener.keys()]).toEqual([]);
    const conflict = [
      'Accepted=False/ProtocolConflict',
      'Conflicted=True/ProtocolConflict',
      'ResolvedRefs=True/ResolvedRefs',
      'Programmed=False/Invalid',
    ];
    expect(said(cp)).toEqual({
      '': ['Accepted=False/ListenersNotValid', 'Programmed=False/Invalid', 'ResolvedRefs=True/ResolvedRefs'],
      'http 0': conflict,
      'https 0': conflict,
    });
  });

  it('a certificate of another namespace needs a grant there', async () => {
    const cp = make();
    await put(cp, GATEWAY.replace('{ name: shop }', '{ name: shop, namespace: keys }'));
    const names = { certificates: { directory: '/certs', names: ['keys/shop'] } };
    const proxy = join(cp, gatewayNode(names));
    expect(said(cp)['https 0']).toContain('ResolvedRefs=False/RefNotPermitted');
    await put(
      cp,
      '\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: keys }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: Gateway, namespace: default }], to: [{ group: "", kind: Secret }] }\n',
    );
    proxy.settle();
    expect(said(cp)['https 0']).toEqual([...FINE, 'Programmed=True/Programmed']);
  });

  it.each([
    ['from another group', "{ group: '', kind: Gateway, namespace: default }", "{ group: '', kind: Secret }"],
    [
      'to another group',
      '{ group: gateway.networking.k8s.io, kind: Gateway, namespace: default }',
      '{ group: a.example, kind: Secret }',
    ],
    ['of other kinds', '{ group: a.example, kind: Thing, namespace: default }', "{ group: '', kind: Thing }"],
  ])('a grant %s grants nothing of the kind of that name here', async (_, from, to) => {
    const cp = make();
    await put(
      cp,
      GATEWAY.replace('{ name: shop }', '{ name: shop, namespace: keys }'),
      `\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: keys }\nspec: { from: [${from}], to: [${to}] }\n`,
    );
    join(cp, gatewayNode({ certificates: { directory: '/certs', names: ['keys/shop'] } }));
    expect(said(cp)['https 0']).toContain('ResolvedRefs=False/RefNotPermitted');
  });

  it('is nothing where it is of another class; its generation counts changes', async () => {
    const cp = make();
    await put(cp, GATEWAY.replace('tulle', 'nginx'));
    const proxy = join(cp);
    expect([...proxy.has.listener.keys()]).toEqual([]);
    expect(said(cp)).toEqual({ '': [] });
    await put(cp, GATEWAY);
    await put(cp, GATEWAY);
    expect(cp.resource('Gateway/default/edge')?.generation).toBe(2);
    const { conditions } = cp.resourceStatus('Gateway/default/edge') as GatewayStatus;
    expect(conditions.map((c) => c.observedGeneration)).toEqual([2, 2, 2]);
  });
});

describe('what is said of a Gateway that asks for more', () => {
  const asking = (spec: string): string => GATEWAY.replace('  listeners:', `  ${spec}\n  listeners:`);
  const ofGateway = (cp: ControlPlane): string[] => said(cp)[''] ?? [];

  it('an address that cannot be had is said to be so', async () => {
    const cp = make();
    await put(cp, asking('addresses: [{ value: 192.0.2.9 }]'));
    const proxy = simulatedProxy(() => cp, gatewayNode());
    proxy.refuses.add('listener gateway_192.0.2.9_80');
    proxy.refusal = 'cannot listen on 192.0.2.9:80: EADDRNOTAVAIL';
    proxy.connect();
    proxy.settle();
    expect(ofGateway(cp)).toEqual([
      'Accepted=True/Accepted',
      'Programmed=False/AddressNotUsable',
      'ResolvedRefs=True/ResolvedRefs',
    ]);
    const { conditions, addresses } = cp.resourceStatus('Gateway/default/edge') as GatewayStatus;
    expect(conditions[1]?.message).toContain('EADDRNOTAVAIL');
    expect(addresses.map(({ value }) => value)).toEqual(['192.0.2.9']);
  });

  it('CAs for callers that are not there, or not granted, are said to be so, and nobody is let in by none', async () => {
    const cp = make();
    const ca = readFileSync(new URL('fixtures/egress.yaml', import.meta.url), 'utf8');
    const pem = JSON.parse(/ca\.crt: ("-----BEGIN[^"]*")/.exec(ca)?.[1] ?? '""') as string;
    const configMap = (namespace: string): string =>
      `\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: ca, namespace: ${namespace} }\ndata: { ca.crt: ${JSON.stringify(pem)} }\n`;
    const by = (...refs: string[]): string =>
      asking(
        `tls: { frontend: { default: { validation: { caCertificateRefs: [${refs.map((ref) => `{ group: '', kind: ConfigMap, ${ref} }`).join(', ')}] } } } }`,
      );
    await put(cp, by('name: ca'));
    const proxy = join(cp);
    const names = (): string[] => [...proxy.has.listener.keys()];
    expect(said(cp)['https 0']).toEqual([
      'Accepted=False/NoValidCACertificate',
      'Conflicted=False/NoConflicts',
      'ResolvedRefs=False/InvalidCACertificateRef',
      'Programmed=False/Invalid',
    ]);
    expect(names()).toEqual(['gateway_127.0.0.1_80']);
    await put(cp, configMap('default'));
    proxy.settle();
    expect(said(cp)['https 0']).toEqual([...FINE, 'Programmed=True/Programmed']);
    // One of two: it is served, by the one that is there.
    await put(cp, by('name: ca', 'name: ca, namespace: keys'), configMap('keys'));
    proxy.settle();
    expect(said(cp)['https 0']).toEqual([
      ...FINE.slice(0, 2),
      'ResolvedRefs=False/RefNotPermitted',
      'Programmed=True/Programmed',
    ]);
    await put(
      cp,
      '\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: keys }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: Gateway, namespace: default }], to: [{ group: "", kind: ConfigMap }] }\n',
    );
    proxy.settle();
    expect(said(cp)['https 0']).toEqual([...FINE, 'Programmed=True/Programmed']);
    const tls = cp
      .proxyConfig(proxy.node.id)
      ?.listeners.flatMap(({ filterChains }) => filterChains.flatMap((chain) => chain.tls ?? []));
    expect(tls).toMatchObject([{ trust: { kind: 'inline' }, clientCertificate: 'require' }]);
  });

  it('a certificate for backends that is not there, or not granted, is said to be so', async () => {
    const cp = make();
    const ref = (name: string): string => asking(`tls: { backend: { clientCertificateRef: { ${name} } } }`);
    await put(cp, ref('name: lost'));
    join(cp);
    expect(ofGateway(cp)[2]).toBe('ResolvedRefs=False/InvalidClientCertificateRef');
    await put(cp, ref('name: shop, namespace: keys'));
    expect(ofGateway(cp)[2]).toBe('ResolvedRefs=False/RefNotPermitted');
    await put(cp, ref('name: shop'));
    expect(ofGateway(cp)[2]).toBe('ResolvedRefs=True/ResolvedRefs');
  });
});

describe('what is said of a route', () => {
  it.each([
    [
      'a listener that is not there',
      '{ parentRefs: [{ name: edge, sectionName: tcp }] }',
      'Accepted=False/NoMatchingParent',
    ],
    ['a Gateway that is not there', '{ parentRefs: [{ name: nothing }] }', 'Accepted=False/NoMatchingParent'],
    [
      'no common hostname',
      '{ parentRefs: [{ name: edge, sectionName: http }], hostnames: [a.org] }',
      'Accepted=False/NoMatchingListenerHostname',
    ],
    [
      'a Service parent that is not there',
      "{ parentRefs: [{ group: '', kind: Service, name: nothing }] }",
      'Accepted=False/NoMatchingParent',
    ],
    [
      'a Service parent',
      "{ parentRefs: [{ group: '', kind: Service, name: shop }] }",
      'Accepted=True/Accepted',
    ],
    [
      'a listener',
      '{ parentRefs: [{ name: edge, port: 80 }], hostnames: [a.example.com] }',
      'Accepted=True/Accepted',
    ],
  ])('is said by each parent: %s', async (_, spec, accepted) => {
    const cp = make();
    await put(cp, GATEWAY, SHOP, route(spec));
    expect(saidOfRoute(cp)).toEqual([[accepted, 'ResolvedRefs=True/ResolvedRefs']]);
  });

  it('another namespace than the listeners allow', async () => {
    const cp = make();
    const spec =
      '{ parentRefs: [{ name: edge, namespace: default }], rules: [{ backendRefs: [{ name: shop, namespace: default, port: 80 }] }] }';
    await put(cp, GATEWAY, SHOP, route(spec, 'team'));
    expect(saidOfRoute(cp, 'team')).toEqual([
      ['Accepted=False/NotAllowedByListeners', 'ResolvedRefs=False/RefNotPermitted'],
    ]);
  });

  it('backends that are not there', async () => {
    const cp = make();
    await put(cp, GATEWAY, SHOP_ROUTE);
    expect(saidOfRoute(cp)).toEqual([['Accepted=True/Accepted', 'ResolvedRefs=False/BackendNotFound']]);
    await put(cp, SHOP.replace('port: 80', 'port: 81'));
    expect(saidOfRoute(cp)).toEqual([['Accepted=True/Accepted', 'ResolvedRefs=False/BackendNotFound']]);
    await put(cp, SHOP);
    expect(saidOfRoute(cp)).toEqual([['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs']]);
  });
});

describe('what the process of a Gateway gets', () => {
  it('follows the Gateway, its routes and their backends; a process of another name or namespace gets nothing', async () => {
    const cp = make();
    const [proxy, stranger] = [join(cp), join(cp, gatewayNode({}, 'other'))];
    const hosts = (): string[] =>
      cp
        .proxyConfig(proxy.node.id)
        ?.routes.flatMap((r) => r.virtualHosts.flatMap((v) => v.routes.map((one) => one.name))) ?? [];
    expect(hosts()).toEqual([]);
    await put(cp, GATEWAY, SHOP);
    expect(hosts()).not.toContain('default/shop/rule-0/match-0@*');
    await put(cp, SHOP_ROUTE);
    expect(hosts()).toContain('default/shop/rule-0/match-0@*');
    proxy.settle();
    cp.provider.open(
      nodeOf({ workload: 'shop', labels: { app: 'shop' }, ports: [8080], inbound: { port: 15001 } }),
    );
    expect(cp.proxyConfig(proxy.node.id)?.endpoints[0]?.endpoints).toMatchObject([
      { identity: 'spiffe://mesh.local/ns/default/sa/shop', mode: 'sidecar' },
    ]);
    cp.apply([], ['Gateway/default/edge']);
    cp.flush();
    expect(cp.proxyConfig(proxy.node.id)?.listeners).toEqual([]);
    expect(cp.proxyConfig(stranger.node.id)?.listeners).toEqual([]);
  });

  it('lacks a filter that a policy for the Gateway wants: the policy says so', async () => {
    const cp = make();
    await put(
      cp,
      GATEWAY,
      '\napiVersion: tulle.dev/v1alpha1\nkind: FilterPolicy\nmetadata: { name: waf }\nspec: { targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge }], filter: acme-waf, mandatory: true }\n',
    );
    const { node } = join(cp);
    expect(cp.conditions('FilterPolicy/default/waf')).toMatchObject([
      { status: 'False', reason: 'FilterAbsent' },
    ]);
    const actions = cp.proxyConfig(node.id)?.routes.flatMap((r) => r.virtualHosts.flatMap((v) => v.routes));
    expect(actions?.map(({ action }) => action)).not.toContainEqual(
      expect.objectContaining({ kind: 'forward' }),
    );
  });

  it('is refused with every fault of what it says of itself', () => {
    const wrong = {
      address: 'here',
      ports: { x: { port: 1 }, 80: { port: 0 } },
      certificates: { directory: 'certs', names: 1 },
    };
    const node = nodeOf({
      workload: 'edge',
      ports: [80],
      inbound: { port: 1 },
      gateway: wrong as unknown as GatewayMetadata,
    });
    expect(() => make().provider.open(node)).toThrow(
      /gateway\/address must be an IP.*gateway\/ports\/80.*gateway\/ports\/x.*directory must be an absolute path.*names must be a list.*neither ports nor upstreams/s,
    );
  });
});

describe('routes of a gateway', () => {
  const policy = `
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: tenants }
spec: { targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: shop }], filter: tulle.http.headers, config: { request: { remove: [a] } } }
`;
  const routesOf = (cp: ControlPlane, node: ReturnType<typeof nodeOf>, name: string) =>
    (cp.proxyConfig(node.id)?.routes ?? [])
      .flatMap(({ virtualHosts }) => virtualHosts.flatMap(({ routes }) => routes))
      .filter((one) => one.name.startsWith(`default/${name}/`));

  it('that redirect have no filter of another route', async () => {
    const cp = make();
    const moved = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: moved }
spec: { parentRefs: [{ name: edge }], hostnames: [old.example.com], rules: [{ filters: [{ type: RequestRedirect, requestRedirect: { scheme: https } }] }] }
`;
    await put(cp, GATEWAY, SHOP, SHOP_ROUTE, policy, moved);
    const node = { ...gatewayNode(), extensions: ['tulle.http.headers'] };
    join(cp, node);
    const redirects = routesOf(cp, node, 'moved');
    expect(redirects.length).toBeGreaterThan(0);
    for (const { filterConfigs } of redirects) expect(filterConfigs).toEqual({ 'default/tenants': null });
    for (const { filterConfigs } of routesOf(cp, node, 'shop')) expect(filterConfigs).toBeUndefined();
  });

  it('tell nobody outside of the mesh who called, also by a copy', async () => {
    const cp = make();
    const outside = `
apiVersion: v1
kind: Service
metadata: { name: outside }
spec: { type: ExternalName, externalName: audit.example.org, ports: [{ port: 80 }] }
`;
    const mirrored = route(
      '{ parentRefs: [{ name: edge }], rules: [{ filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: outside, port: 80 } } }], backendRefs: [{ name: shop, port: 80 }] }] }',
    );
    await put(cp, GATEWAY, SHOP, mirrored, outside);
    const node = gatewayNode();
    join(cp, node);
    const routes = routesOf(cp, node, 'shop');
    expect(routes.length).toBeGreaterThan(0);
    for (const { requestHeaders } of routes)
      expect(requestHeaders?.remove).toEqual([
        'x-forwarded-client-cert',
        'x-forwarded-for',
        'x-forwarded-proto',
      ]);
  });
});

const grpc = (spec: string, created = '2026-01-02T00:00:00Z'): string =>
  route(spec)
    .replace('HTTPRoute', 'GRPCRoute')
    .replace('name: shop,', `name: shop, creationTimestamp: '${created}',`);
const RULES =
  'rules: [{ matches: [{ method: { service: shop.Orders } }], backendRefs: [{ name: shop, port: 80 }] }]';

it('a GRPCRoute at a Gateway takes gRPC requests of its hosts, and leaves those of an older HTTPRoute to it', async () => {
  const cp = make();
  const own = grpc(
    `{ parentRefs: [{ name: edge, sectionName: http }], hostnames: [grpc.example.com], ${RULES} }`,
  );
  await put(cp, GATEWAY, SHOP, own);
  join(cp);
  const [node] = cp.status().proxies;
  const config = cp.proxyConfig(node?.id ?? '');
  const hosts = config?.routes.find(({ name }) => name.includes('|80|'))?.virtualHosts ?? [];
  expect(hosts.find(({ name }) => name === 'grpc.example.com')?.routes).toMatchObject([
    {
      match: { path: { kind: 'bytes-prefix', value: '/shop.Orders/' }, grpc: true },
      action: { kind: 'forward' },
    },
    { action: { kind: 'direct', status: 404, code: 'TULLE_ROUTE_NOT_FOUND' } },
  ]);
  const said = (key: string): string[] => {
    const status = cp.resourceStatus(key) as RouteStatus;
    return status.parents.flatMap(({ conditions }) =>
      conditions.map((c) => `${c.type}=${c.status}/${c.reason}`),
    );
  };
  const [kept, fine] = [
    'GRPCRoute/default/shop',
    ['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs'],
  ];
  expect(said(kept)).toEqual(fine);
  const older = SHOP_ROUTE.replace('name: shop,', "name: all, creationTimestamp: '2026-01-01T00:00:00Z',");
  await put(cp, older);
  expect(said(kept)[0]).toBe('Accepted=False/RouteKindConflict');
  expect(said('HTTPRoute/default/all')).toEqual(fine);
  const listeners = (cp.resourceStatus('Gateway/default/edge') as GatewayStatus).listeners;
  expect(listeners.map(({ attachedRoutes }) => attachedRoutes)).toEqual([1, 1]);
  expect(listeners[0]?.supportedKinds.map(({ kind }) => kind)).toEqual(['HTTPRoute', 'GRPCRoute']);
  await put(
    cp,
    grpc(`{ parentRefs: [{ name: edge }], hostnames: [grpc.example.com], ${RULES} }`, '2025-01-01T00:00:00Z'),
  );
  expect(said(kept)).toEqual(fine);
  expect(said('HTTPRoute/default/all')[0]).toBe('Accepted=False/RouteKindConflict');
});

it('on a port of a Service a GRPCRoute applies, and an HTTPRoute beside it says that it does not', async () => {
  const cp = make();
  const parent = "parentRefs: [{ group: '', kind: Service, name: shop }]";
  await put(
    cp,
    SHOP,
    route(`{ ${parent}, rules: [{ backendRefs: [{ name: shop, port: 80 }] }] }`),
    grpc(`{ ${parent}, ${RULES} }`),
  );
  const accepted = (key: string): string | undefined =>
    (cp.resourceStatus(key) as RouteStatus).parents[0]?.conditions[0]?.status;
  expect([accepted('HTTPRoute/default/shop'), accepted('GRPCRoute/default/shop')]).toEqual(['False', 'True']);
  cp.apply([], ['GRPCRoute/default/shop']);
  cp.flush();
  expect(accepted('HTTPRoute/default/shop')).toBe('True');
});
