import type { Listener, ProxyConfig } from '@tulle/model';
import { readResources, refOf, resourceKey } from '@tulle/resources';
import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, GatewayStatus, ListenerSetStatus, RouteStatus } from '../src/index.ts';
import { clock, closeAll, FINE, gatewayNode, join, make, put, SHOP } from './gateway-mesh.ts';

afterEach(closeAll);

const gateway = (
  allowed: string,
  listeners = '{ name: http, port: 80, protocol: HTTP, hostname: own.example }',
) => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: tulle, ${allowed} listeners: [${listeners}] }
`;
const OPEN = 'allowedListeners: { namespaces: { from: All } },';

const set = (name: string, listeners: string, namespace = 'team', created?: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: ${name}, namespace: ${namespace}${created === undefined ? '' : `, creationTimestamp: '${created}'`} }
spec: { parentRef: { name: edge, namespace: default }, listeners: [${listeners}] }
`;

const route = (name: string, parent: string, namespace = 'team'): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: ${namespace} }
spec: { parentRefs: [{ ${parent} }], rules: [{ filters: [{ type: RequestRedirect, requestRedirect: { hostname: ${name}.example } }] }] }
`;

const grant = (from: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: ${from.toLowerCase()}, namespace: keys }
spec: { from: [{ group: gateway.networking.k8s.io, kind: ${from}, namespace: ${from === 'Gateway' ? 'default' : 'team'} }], to: [{ group: '', kind: Secret }] }
`;

async function remove(cp: ControlPlane, yaml: string): Promise<void> {
  const { resources } = await readResources([{ text: yaml, file: 'f' }]);
  cp.apply(
    [],
    resources.map(({ resource }) => resourceKey(refOf(resource))),
  );
  cp.flush();
}

const short = (conditions: ListenerSetStatus['conditions']): string[] =>
  conditions.map((c) => `${c.type}=${c.status}/${c.reason}`);
const statusOf = (cp: ControlPlane, name: string, namespace = 'team'): ListenerSetStatus =>
  cp.resourceStatus(`ListenerSet/${namespace}/${name}`) as ListenerSetStatus;
/** `Type=Status/Reason` of a ListenerSet and of its listeners. */
const said = (cp: ControlPlane, name: string, namespace = 'team'): Record<string, string[]> => {
  const { conditions, listeners } = statusOf(cp, name, namespace);
  return Object.fromEntries([
    ['', short(conditions)],
    ...listeners.map((l): [string, string[]] => [`${l.name} ${l.attachedRoutes}`, short(l.conditions)]),
  ]) as Record<string, string[]>;
};
const attached = (cp: ControlPlane): number =>
  (cp.resourceStatus('Gateway/default/edge') as GatewayStatus).attachedListenerSets;
const acceptedBy = (cp: ControlPlane, name: string, namespace = 'team'): string[] =>
  (cp.resourceStatus(`HTTPRoute/${namespace}/${name}`) as RouteStatus).parents.map(
    ({ conditions }) => `${conditions[0]?.status}/${conditions[0]?.reason}`,
  );

const configOf = (cp: ControlPlane): ProxyConfig => cp.proxyConfig(gatewayNode().id) as ProxyConfig;

const A = '{ name: a, port: 80, protocol: HTTP, hostname: a.example }';
const CERTIFICATE = 'certificateRefs: [{ name: shop }]';
const MESH = 'options: { tulle.dev/callers: mesh }';
const TO_SET = 'targetRefs: [{ group: gateway.networking.k8s.io, kind: ListenerSet, name: s }]';
const portOf = ({ address }: Listener): number => ('port' in address ? address.port : 0);
const SERVED = [...FINE, 'Programmed=True/Programmed'];
const TAKEN = ['Accepted=True/Accepted', 'Programmed=True/Programmed'];
const conflicted = (reason: string): string[] => [
  `Accepted=False/${reason}`,
  `Conflicted=True/${reason}`,
  'ResolvedRefs=True/ResolvedRefs',
  `Programmed=False/${reason}`,
];

describe('a ListenerSet', () => {
  it.each([
    ['', 'NotAllowed'],
    ['allowedListeners: { namespaces: { from: None } },', 'NotAllowed'],
    ['allowedListeners: { namespaces: { from: Same } },', 'NotAllowed'],
    [
      'allowedListeners: { namespaces: { from: Selector, selector: { matchLabels: { kubernetes.io/metadata.name: other } } } },',
      'NotAllowed',
    ],
    [
      'allowedListeners: { namespaces: { from: Selector, selector: { matchLabels: { kubernetes.io/metadata.name: team } } } },',
      undefined,
    ],
    [OPEN, undefined],
  ])('is taken where the Gateway says so: %s', async (allowed, reason) => {
    const cp = make();
    await put(cp, gateway(allowed), set('s', A), route('r', 'kind: ListenerSet, name: s'));
    join(cp);
    if (reason === undefined) {
      expect(said(cp, 's')).toEqual({ '': TAKEN, 'a 1': SERVED });
      expect([attached(cp), acceptedBy(cp, 'r')]).toEqual([1, ['True/Accepted']]);
    } else {
      expect(said(cp, 's')).toEqual({ '': [`Accepted=False/${reason}`, `Programmed=False/${reason}`] });
      expect([attached(cp), acceptedBy(cp, 'r')]).toEqual([0, ['False/NoMatchingParent']]);
    }
    expect(JSON.stringify(configOf(cp).routes).includes('r.example')).toBe(reason === undefined);
  });

  it('of its Gateway’s own namespace is taken by `from: Same`, not by default', async () => {
    const cp = make();
    await put(cp, gateway(''), set('s', A, 'default'));
    join(cp);
    expect(said(cp, 's', 'default')['']).toEqual([
      'Accepted=False/NotAllowed',
      'Programmed=False/NotAllowed',
    ]);
    await put(cp, gateway('allowedListeners: { namespaces: { from: Same } },'));
    expect(said(cp, 's', 'default')).toEqual({ '': TAKEN, 'a 0': SERVED });
  });

  it('waits for its Gateway, and for a process that serves it', async () => {
    const cp = make();
    await put(cp, set('s', A));
    const neither = ['Accepted=False/ParentNotAccepted', 'Programmed=False/ParentNotProgrammed'];
    expect(said(cp, 's')).toEqual({ '': neither });
    clock.advance(5_000);
    await put(cp, gateway(OPEN));
    expect(said(cp, 's')).toEqual({
      '': ['Accepted=True/Accepted', 'Programmed=False/ParentNotProgrammed'],
      'a 0': [...FINE, 'Programmed=False/Pending'],
    });
    const accepted = statusOf(cp, 's').conditions[0];
    expect(accepted?.observedGeneration).toBe(1);
    const since = new Date(clock.epochMs()).toISOString().replace(/\.\d+Z/, 'Z');
    clock.advance(5_000);
    join(cp);
    expect(said(cp, 's')).toEqual({ '': TAKEN, 'a 0': SERVED });
    expect(statusOf(cp, 's').conditions[0]?.lastTransitionTime).toBe(since);
    await put(cp, route('r', 'kind: ListenerSet, name: s'));
    expect(JSON.stringify(configOf(cp).routes)).toContain('r.example');
    await put(cp, gateway(`addresses: [{ type: Hostname, value: edge.example }], ${OPEN}`));
    expect(said(cp, 's')).toEqual({ '': neither });
    await put(cp, gateway(OPEN).replace('gatewayClassName: tulle', 'gatewayClassName: other'));
    expect(said(cp, 's')).toEqual({ '': [] });
  });

  it('gives way to the Gateway, then to the older set, then to the first by name; when that goes it is served', async () => {
    const cp = make();
    const own = '{ name: own, port: 80, protocol: HTTP, hostname: own.example }';
    const both = `${A}, ${own}`;
    await put(cp, gateway(OPEN), set('young', both), set('zero', A));
    const proxy = join(cp);
    expect(said(cp, 'young')).toEqual({
      '': ['Accepted=True/ListenersNotValid', 'Programmed=True/Programmed'],
      'a 0': SERVED,
      'own 0': conflicted('HostnameConflict'),
    });
    const lost = {
      '': ['Accepted=False/ListenersNotValid', 'Programmed=False/ListenersNotValid'],
      'a 0': conflicted('HostnameConflict'),
    };
    expect(said(cp, 'zero')).toEqual(lost);
    expect(attached(cp)).toBe(1);
    // What others have is nobody's business.
    const messages = statusOf(cp, 'zero').listeners.flatMap((l) => l.conditions.map((c) => c.message));
    expect(messages.join()).not.toMatch(/young|own/);
    await put(cp, set('zero', A, 'team', '2024-01-01T00:00:00Z'));
    expect(said(cp, 'zero')).toEqual({ '': TAKEN, 'a 0': SERVED });
    expect(said(cp, 'young')).toEqual({ ...lost, 'own 0': conflicted('HostnameConflict') });
    await put(cp, route('r', 'kind: ListenerSet, name: young, sectionName: a'));
    proxy.settle();
    const routes = (): string => JSON.stringify(configOf(cp).routes);
    // It is attached all the same, so that it is there at once when it may.
    expect([acceptedBy(cp, 'r'), routes().includes('r.example')]).toEqual([['True/Accepted'], false]);
    await remove(cp, set('zero', A));
    proxy.settle();
    expect(routes()).toContain('r.example');
    expect(attached(cp)).toBe(1);
  });

  it('conflicts by protocol, and by port where nothing else tells connections apart', async () => {
    const cp = make();
    await put(
      cp,
      gateway(OPEN, '{ name: http, port: 80, protocol: HTTP }, { name: bytes, port: 81, protocol: TCP }'),
      set('s', '{ name: raw, port: 80, protocol: TCP }, { name: bytes, port: 81, protocol: TCP }'),
    );
    join(cp);
    expect(said(cp, 's')).toEqual({
      '': ['Accepted=False/ListenersNotValid', 'Programmed=False/ListenersNotValid'],
      'raw 0': conflicted('ProtocolConflict'),
      'bytes 0': conflicted('ListenerConflict'),
    });
    const { listeners, conditions } = cp.resourceStatus('Gateway/default/edge') as GatewayStatus;
    expect([conditions, ...listeners.map((l) => l.conditions)].map(short)).toEqual([
      [...TAKEN, 'ResolvedRefs=True/ResolvedRefs'],
      SERVED,
      SERVED,
    ]);
  });

  it('takes no server name from a listener of its Gateway that it conflicts with', async () => {
    const cp = make();
    await put(
      cp,
      gateway(
        OPEN,
        "{ name: l, port: 443, protocol: TLS, hostname: '*.example', tls: { mode: Passthrough } }",
      ),
      set('s', '{ name: l, port: 443, protocol: HTTP, hostname: a.example }'),
      `
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: { name: r }
spec: { parentRefs: [{ name: edge }], hostnames: [a.example], rules: [{ backendRefs: [{ name: shop, port: 80 }] }] }
`,
    );
    join(cp);
    expect(said(cp, 's')['l 0']).toEqual(conflicted('ProtocolConflict'));
    const [listener] = configOf(cp).listeners;
    expect(listener?.filterChains.map(({ match }) => match?.serverNames)).toEqual([
      ['a.example'],
      ['*.example'],
    ]);
  });

  it.each([
    ['', CERTIFICATE, 'hostname: a.example,', MESH],
    ['hostname: own.example,', MESH, '', CERTIFICATE],
  ])('gives way where both would have whatever name is left: %s', async (own, tls, theirs, theirTls) => {
    const cp = make();
    await put(
      cp,
      gateway(OPEN, `{ name: l, port: 443, protocol: HTTPS, ${own} tls: { ${tls} } }`),
      set('s', `{ name: l, port: 443, protocol: HTTPS, ${theirs} tls: { ${theirTls} } }`),
    );
    const names = { certificates: { directory: '/certs', names: ['default/shop', 'team/shop'] } };
    join(cp, gatewayNode(names));
    expect(said(cp, 's')['l 0']).toEqual(conflicted('HostnameConflict'));
    expect(configOf(cp).listeners.map(({ filterChains }) => filterChains.length)).toEqual([1]);
  });

  it('has no say over the connections of others that come to its port', async () => {
    const cp = make();
    const theirs =
      '{ name: bytes, port: 444, protocol: TLS, hostname: a.example, tls: { mode: Passthrough } }';
    await put(
      cp,
      gateway(
        OPEN,
        '{ name: bytes, port: 444, protocol: TLS, hostname: own.example, tls: { mode: Passthrough } }',
      ),
      set('s', `${theirs}, ${theirs.replaceAll('444', '445').replace('bytes', 'alone')}`),
      `
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: seen, namespace: team }
spec: { ${TO_SET}, filter: example.guard }
---
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: lacking, namespace: team }
spec: { ${TO_SET}, filter: example.absent, mandatory: true }
`,
    );
    const node = gatewayNode();
    join(cp, {
      ...node,
      metadata: { ...node.metadata, filterPhases: { 'example.guard': 'connection' } },
      extensions: [...node.extensions, 'example.guard@1.0.0'],
    });
    const at = (port: number): unknown => {
      const listener = configOf(cp).listeners.find((one) => portOf(one) === port);
      return [
        listener?.filterChains.map(({ name }) => name),
        listener?.connectionFilters?.map((f) => f.name),
      ];
    };
    expect(at(444)).toEqual([['bytes/closed'], undefined]);
    expect(at(445)).toEqual([[], ['team/seen']]);
  });

  it('uses certificates of its own namespace, and others by grants for it, not by those for its Gateway', async () => {
    const cp = make();
    const tls = (ref: string): string =>
      `{ name: tls, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ ${ref} }] } }`;
    await put(cp, gateway(OPEN), set('s', tls('name: shop')));
    const names = { certificates: { directory: '/certs', names: ['team/shop', 'keys/shop'] } };
    const proxy = join(cp, gatewayNode(names));
    expect(said(cp, 's')).toEqual({ '': TAKEN, 'tls 0': SERVED });
    expect(JSON.stringify(configOf(cp).listeners)).toContain('/certs/team/shop/tls.crt');
    await put(cp, set('s', tls('name: shop, namespace: keys')), grant('Gateway'));
    expect(said(cp, 's')['tls 0']).toContain('ResolvedRefs=False/RefNotPermitted');
    await put(cp, grant('ListenerSet'));
    proxy.settle();
    expect(said(cp, 's')['tls 0']).toEqual(SERVED);
    expect(JSON.stringify(configOf(cp).listeners)).toContain('/certs/keys/shop/tls.crt');
  });

  it('and its Gateway have routes of their own, of the namespaces that they say', async () => {
    const cp = make();
    await put(
      cp,
      gateway(OPEN, '{ name: l, port: 80, protocol: HTTP, hostname: own.example }'),
      set('s', '{ name: l, port: 80, protocol: HTTP, hostname: a.example }'),
      SHOP,
      route('at-set', 'kind: ListenerSet, name: s, sectionName: l'),
      route('at-gateway', 'name: edge', 'default'),
      route('at-none', 'name: edge, sectionName: none', 'default'),
      route('elsewhere', 'kind: ListenerSet, name: s, namespace: team', 'default'),
      route('lost', 'kind: ListenerSet, name: gone'),
    );
    join(cp);
    expect(acceptedBy(cp, 'at-set')).toEqual(['True/Accepted']);
    expect(acceptedBy(cp, 'at-gateway', 'default')).toEqual(['True/Accepted']);
    expect(acceptedBy(cp, 'at-none', 'default')).toEqual(['False/NoMatchingParent']);
    expect(acceptedBy(cp, 'elsewhere', 'default')).toEqual(['False/NotAllowedByListeners']);
    expect(acceptedBy(cp, 'lost')).toEqual(['False/NoMatchingParent']);
    expect(said(cp, 's')).toEqual({ '': TAKEN, 'l 1': SERVED });
    const { listeners } = cp.resourceStatus('Gateway/default/edge') as GatewayStatus;
    expect(listeners.map(({ name, attachedRoutes }) => [name, attachedRoutes])).toEqual([['l', 1]]);
    const hosts = configOf(cp).routes.flatMap(({ virtualHosts }) => virtualHosts);
    const at = (domain: string): string =>
      JSON.stringify(hosts.find(({ domains }) => domains.includes(domain))?.routes);
    expect(at('a.example')).toContain('at-set.example');
    expect(at('a.example')).not.toContain('at-gateway.example');
    expect(at('own.example')).toContain('at-gateway.example');
    expect(at('own.example')).not.toContain('at-set.example');
  });
});
