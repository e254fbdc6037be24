import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, GatewayStatus, RouteStatus } from '../src/index.ts';
import {
  closeAll,
  FINE,
  gatewayNode,
  gatewayOf,
  join,
  made as madeOf,
  make,
  put,
  said,
} from './gateway-mesh.ts';
import { simulatedProxy } from './simulated-proxy.ts';

afterEach(closeAll);

const GATEWAY = gatewayOf('{ name: dns, port: 53, protocol: UDP }', '{ name: tcp, port: 53, protocol: TCP }');
const DNS = `
apiVersion: v1
kind: Service
metadata: { name: dns }
spec: { selector: { app: dns }, ports: [{ name: dns, port: 53, protocol: UDP, targetPort: 5353 }, { name: tcp-dns, port: 53 }, { name: tcp-only, port: 54 }] }
`;
const workload = (name: string, inbound: string, address = '10.0.0.1', app = 'dns'): string => `
apiVersion: tulle.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, labels: { app: ${app}, name: ${name} } }
spec: { address: ${address}, ports: [{ port: 5300 }], inbound: { ${inbound} } }
`;
const made = (kind: string, spec: string, name = 'dns'): string => madeOf(kind, spec, name);
const PARENT = 'parentRefs: [{ name: edge }]';
const to = (...backends: string[]): string => `rules: [{ backendRefs: [${backends.join(', ')}] }]`;
const RULE = to('{ name: dns, port: 53 }');
const CLEAR = 'tulle.dev/Encrypted=False/Datagrams';
const ACCEPTED = ['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs', CLEAR];
const conditions = (cp: ControlPlane, key: string): RouteStatus['parents'][number]['conditions'] =>
  (cp.resourceStatus(key) as RouteStatus).parents.flatMap((p) => p.conditions);
const saidOf = (cp: ControlPlane, name = 'dns'): string[] =>
  conditions(cp, `UDPRoute/default/${name}`).map((c) => `${c.type}=${c.status}/${c.reason}`);
const NAME = 'outbound|53/udp||dns.default.svc.mesh.local';

/** What the process of the Gateway is told of datagrams: where they come in, where they go, and to whom. */
function sent(cp: ControlPlane, proxy: { readonly node: { readonly id: string } }) {
  const { listeners = [], endpoints = [], clusters = [] } = cp.proxyConfig(proxy.node.id) ?? {};
  return {
    listeners: listeners.flatMap(({ name, udp }) => (udp === undefined ? [] : [[name, udp]])),
    clusters: clusters.filter(({ name }) => name.includes('/udp|')),
    endpoints: endpoints
      .filter(({ name }) => name.includes('/udp|'))
      .flatMap((set) => set.endpoints.map(({ address, mode }) => [address, mode] as const))
      .toSorted(([a], [b]) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  };
}

describe('routes of datagrams', () => {
  it('attach to listeners of UDP, which share their number with those of TCP, and are counted there', async () => {
    const cp = make();
    await put(cp, GATEWAY, DNS, made('UDPRoute', `${PARENT}, ${RULE}`));
    await put(cp, made('TCPRoute', `${PARENT}, ${to('{ name: dns, port: 53 }')}`));
    join(cp);
    const fine = [...FINE, 'Programmed=True/Programmed'];
    expect(said(cp)).toEqual({
      '': ['Accepted=True/Accepted', 'Programmed=True/Programmed', 'ResolvedRefs=True/ResolvedRefs'],
      'dns 1': fine,
      'tcp 1': fine,
    });
    expect(saidOf(cp)).toEqual(ACCEPTED);
  });

  it('of a listener of UDP and that of a ListenerSet on one port the first is served', async () => {
    const cp = make();
    const set = `
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: more }
spec: { parentRef: { name: edge }, listeners: [{ name: other, port: 53, protocol: UDP }, { name: free, port: 54, protocol: UDP }] }
`;
    const open = GATEWAY.replace('spec:', 'spec:\n  allowedListeners: { namespaces: { from: Same } }');
    await put(
      cp,
      open,
      DNS,
      set,
      made('UDPRoute', `parentRefs: [{ kind: ListenerSet, name: more }], ${RULE}`),
    );
    const proxy = join(cp);
    const status = cp.resourceStatus('ListenerSet/default/more') as unknown as {
      readonly listeners: readonly {
        readonly name: string;
        readonly attachedRoutes: number;
        readonly conditions: readonly { readonly type: string; readonly reason: string }[];
      }[];
    };
    expect(
      status.listeners.map(({ name, attachedRoutes, conditions }) => [
        name,
        attachedRoutes,
        conditions.find(({ type }) => type === 'Conflicted')?.reason,
      ]),
    ).toEqual([
      ['other', 0, 'ListenerConflict'],
      ['free', 1, 'NoConflicts'],
    ]);
    expect(sent(cp, proxy).listeners).toEqual([
      ['gateway_127.0.0.1_53_udp', { clusters: [{ name: 'closed_53' }] }],
      ['gateway_127.0.0.1_54_udp', { clusters: [{ name: NAME, weight: 1 }] }],
    ]);
  });

  it.each([
    ['a listener of TCP', 'parentRefs: [{ name: edge, sectionName: tcp }]', 'NotAllowedByListeners'],
    ['no such listener', 'parentRefs: [{ name: edge, port: 54 }]', 'NoMatchingParent'],
  ])('are not accepted by %s', async (_, parents, reason) => {
    const cp = make();
    await put(cp, GATEWAY, DNS, made('UDPRoute', `${parents}, ${RULE}`));
    expect(saidOf(cp)).toEqual([`Accepted=False/${reason}`, ...ACCEPTED.slice(1)]);
  });

  it('say what is wrong with their backends, whose share is dropped', async () => {
    const cp = make();
    const proxy = join(cp);
    const invalid = (port: number, namespace = 'default', name = 'dns') => [
      {
        name: `outbound|${port}/udp|invalid|${name}.${namespace}.svc.mesh.local`,
        weight: 1,
      },
    ];
    for (const [backend, reason, clusters] of [
      ['{ name: dns, namespace: other, port: 53 }', 'RefNotPermitted', invalid(53, 'other')],
      ['{ name: dns, port: 55 }', 'BackendNotFound', invalid(55)],
      ['{ name: dns, port: 54 }', 'UnsupportedProtocol', invalid(54)],
      ['{ name: outside, port: 53 }', 'UnsupportedProtocol', invalid(53, 'default', 'outside')],
    ] as const) {
      await put(
        cp,
        GATEWAY,
        DNS,
        made('UDPRoute', `${PARENT}, ${to(backend)}`),
        `
apiVersion: v1
kind: Service
metadata: { name: outside }
spec: { type: ExternalName, externalName: dns.example.com, ports: [{ port: 53, protocol: UDP }] }
`,
        `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: { name: outside }
spec: { targetRefs: [{ group: '', kind: Service, name: outside }], validation: { hostname: dns.example.com, wellKnownCACertificates: System } }
`,
      );
      expect(saidOf(cp)).toEqual([ACCEPTED[0], `ResolvedRefs=False/${reason}`, CLEAR]);
      expect(sent(cp, proxy).listeners).toEqual([['gateway_127.0.0.1_53_udp', { clusters }]]);
    }
    // Once nobody asks for TLS it is called, in clear.
    cp.apply([], ['BackendTLSPolicy/default/outside']);
    cp.flush();
    expect(saidOf(cp)).toEqual(ACCEPTED);
    expect(sent(cp, proxy).clusters).toMatchObject([
      {
        name: 'outbound|53/udp||outside.default.svc.mesh.local',
        discovery: { kind: 'dns', endpoints: [{ address: { host: 'dns.example.com', port: 53 } }] },
      },
    ]);
    expect(sent(cp, proxy).clusters[0]).not.toHaveProperty('tls');
  });

  it('and routes of others do not lead to ports of the other protocol', async () => {
    const cp = make();
    const udpOnly = DNS.replace(', { name: tcp-dns, port: 53 }', '');
    await put(cp, GATEWAY, udpOnly, made('TCPRoute', `${PARENT}, ${RULE}`));
    expect(conditions(cp, 'TCPRoute/default/dns').map(({ reason }) => reason)).toEqual([
      'Accepted',
      'UnsupportedProtocol',
    ]);
  });

  it('leave datagrams to the oldest, and say so', async () => {
    const cp = make();
    await put(cp, GATEWAY, DNS, made('UDPRoute', `${PARENT}, ${RULE}`, 'a'));
    await put(cp, made('UDPRoute', `${PARENT}, ${RULE}`, 'b'));
    expect(saidOf(cp, 'a')).toEqual(ACCEPTED);
    expect(saidOf(cp, 'b')[0]).toBe('Accepted=False/RouteConflict');
    cp.apply([], ['UDPRoute/default/a']);
    cp.flush();
    expect(saidOf(cp, 'b')).toEqual(ACCEPTED);
  });

  it('go to workloads past their sidecars, but not to those that take mutual TLS alone, which is said', async () => {
    const cp = make();
    await put(
      cp,
      GATEWAY,
      DNS,
      made('UDPRoute', `${PARENT}, ${RULE}`),
      workload('strict', 'mode: sidecar, port: 15006'),
      workload('open', 'mode: sidecar, port: 15006', '10.0.0.2'),
      workload('outside', 'mode: none', '10.0.0.3'),
    );
    const proxy = join(cp);
    const at = (host: string) => [{ host, port: 5353 }, 'none'];
    expect(sent(cp, proxy).endpoints).toEqual([at('10.0.0.3')]);
    const last = conditions(cp, 'UDPRoute/default/dns').at(-1);
    expect(last).toMatchObject({
      type: 'tulle.dev/Encrypted',
      status: 'False',
      reason: 'MutualTLSRequired',
    });
    expect(last?.message).toMatch(
      /^datagrams would go in clear, so that no datagram is sent to 2 of 3 workloads of Service default\/dns,/,
    );
    // A subset is a part of them.
    await put(
      cp,
      "\napiVersion: tulle.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: dns }\nspec: { targetRefs: [{ group: '', kind: Service, name: dns }], subsets: [{ name: one, labels: { name: strict } }] }\n",
      made(
        'UDPRoute',
        `${PARENT}, ${to('{ group: tulle.dev, kind: ServiceSubset, name: dns.one, port: 53 }')}`,
      ),
    );
    expect(conditions(cp, 'UDPRoute/default/dns').at(-1)?.message).toContain('to 1 of 1 workloads');
    await put(cp, made('UDPRoute', `${PARENT}, ${RULE}`));
    const peers = (mode: string, name: string): string => `
apiVersion: tulle.dev/v1alpha1
kind: PeerAuthentication
metadata: { name: ${name}, namespace: ${name === 'mesh' ? 'tulle-system' : 'default'} }
spec: { ${name === 'mesh' ? '' : `selector: { matchLabels: { name: ${name} } }, `}portLevelMtls: { 5353: { mode: ${mode} } } }
`;
    await put(cp, peers('PERMISSIVE', 'open'));
    expect(sent(cp, proxy).endpoints).toEqual([at('10.0.0.2'), at('10.0.0.3')]);
    await put(cp, peers('PERMISSIVE', 'mesh'));
    expect(sent(cp, proxy).endpoints).toEqual([at('10.0.0.1'), at('10.0.0.2'), at('10.0.0.3')]);
    expect(saidOf(cp)).toEqual(ACCEPTED);
    // What is asked of the port of connections is another matter.
    await put(cp, peers('STRICT', 'mesh'));
    expect(sent(cp, proxy).endpoints).toEqual([at('10.0.0.2'), at('10.0.0.3')]);
  });

  it('go to endpoints of slices by their ports of UDP', async () => {
    const cp = make();
    const slice = (ports: string): string => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: dns, labels: { kubernetes.io/service-name: dns } }
addressType: IPv4
endpoints: [{ addresses: [192.0.2.1] }]
ports: [${ports}]
`;
    await put(cp, GATEWAY, DNS, made('UDPRoute', `${PARENT}, ${RULE}`));
    await put(cp, slice('{ name: dns, port: 5353, protocol: UDP }, { name: tcp-dns, port: 5300 }'));
    const proxy = join(cp);
    expect(sent(cp, proxy).endpoints).toEqual([[{ host: '192.0.2.1', port: 5353 }, 'none']]);
    await put(cp, slice('{ name: tcp-dns, port: 5300 }'));
    expect(sent(cp, proxy).endpoints).toEqual([]);
  });

  it('go to a workload of another namespace, to which a slice leads, only as long as that lets them in', async () => {
    const cp = make();
    const peers = (mode: string): string => `
apiVersion: tulle.dev/v1alpha1
kind: PeerAuthentication
metadata: { name: dns, namespace: other }
spec: { portLevelMtls: { 5353: { mode: ${mode} } } }
`;
    await put(
      cp,
      GATEWAY,
      DNS,
      made('UDPRoute', `${PARENT}, ${RULE}`),
      workload('away', 'mode: sidecar, port: 15006').replace('name: away,', 'name: away, namespace: other,'),
      peers('PERMISSIVE'),
      `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: dns, labels: { kubernetes.io/service-name: dns } }
addressType: IPv4
endpoints: [{ addresses: [10.0.0.1], targetRef: { kind: Workload, name: away, namespace: other } }]
ports: [{ name: dns, port: 5353, protocol: UDP }]
`,
    );
    const proxy = join(cp);
    expect(sent(cp, proxy).endpoints).toEqual([[{ host: '10.0.0.1', port: 5353 }, 'none']]);
    await put(cp, peers('STRICT'));
    expect(sent(cp, proxy).endpoints).toEqual([]);
  });

  it('are not let past a filter that decides who may connect: the listener is refused', async () => {
    const cp = make();
    const filter = (target: string): string => `
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: own }
spec: { targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: edge${target} }], filter: tulle.conn.ip-allow, config: { allow: [10.0.0.0/8] } }
`;
    await put(cp, GATEWAY, DNS, made('UDPRoute', `${PARENT}, ${RULE}`), filter(''));
    const proxy = join(cp);
    expect(said(cp)['dns 1']).toEqual([
      'Accepted=False/UnsupportedProtocol',
      'Conflicted=False/NoConflicts',
      'ResolvedRefs=True/ResolvedRefs',
      'Programmed=False/Invalid',
    ]);
    expect(sent(cp, proxy).listeners).toEqual([]);
    await put(cp, filter(', sectionName: tcp'));
    expect(sent(cp, proxy).listeners).toHaveLength(1);
  });

  it('have the weights of their backends, the rest of their policies, and what is gone when nothing is left', async () => {
    const cp = make();
    const policy = `
apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: dns }
spec: { targetRefs: [{ group: '', kind: Service, name: dns, sectionName: dns }], timeouts: { idle: 5s, connect: 1s }, balancing: { policy: Maglev }, healthCheck: { tcp: {}, interval: 5s }, limits: { maxConnections: 7 } }
`;
    await put(cp, GATEWAY, DNS, policy, made('UDPRoute', `${PARENT}, ${RULE}`));
    const proxy = join(cp);
    const udp = (fields: object) => [['gateway_127.0.0.1_53_udp', fields]];
    expect(sent(cp, proxy).listeners).toEqual(
      udp({ clusters: [{ name: NAME, weight: 1 }], idleTimeoutMs: 5_000, hash: 'source-ip' }),
    );
    expect(sent(cp, proxy).clusters).toEqual([
      {
        name: NAME,
        discovery: { kind: 'eds' },
        labels: { service: 'dns', namespace: 'default' },
        balance: { policy: 'maglev' },
        panicThresholdPercent: 0,
        limits: { maxConnections: 7 },
      },
    ]);
    const two = to('{ name: dns, port: 53, weight: 3 }', '{ name: gone, port: 53 }');
    await put(cp, made('UDPRoute', `${PARENT}, ${two}`));
    expect(sent(cp, proxy).listeners).toEqual(
      udp({
        clusters: [
          { name: NAME, weight: 3 },
          { name: 'outbound|53/udp|invalid|gone.default.svc.mesh.local', weight: 1 },
        ],
        hash: 'source-ip',
      }),
    );
    cp.apply([], ['UDPRoute/default/dns']);
    cp.flush();
    expect(sent(cp, proxy).listeners).toEqual(udp({ clusters: [{ name: 'closed_53' }] }));
  });

  it('by weight are not those of an Envoy, as its listener says, which others are', async () => {
    const cp = make();
    const split = made(
      'UDPRoute',
      `${PARENT}, ${to('{ name: dns, port: 53, weight: 3 }', '{ name: dns, port: 53 }')}`,
    );
    await put(cp, GATEWAY, DNS, split);
    const envoy = simulatedProxy(
      () => cp,
      { ...gatewayNode(), userAgent: 'envoy' },
      { workloadCertificate: { kind: 'none' }, release: 'this' },
    );
    envoy.connect();
    envoy.settle();
    const of = (name: string) => {
      const status = cp.resourceStatus('Gateway/default/edge') as GatewayStatus;
      return status.listeners
        .find((one) => one.name === name)
        ?.conditions.find(({ type }) => type === 'Programmed');
    };
    expect(of('dns')).toMatchObject({ status: 'False', reason: 'Invalid' });
    expect(of('dns')?.message).toContain('Envoy leads all sessions of a listener to one cluster');
    expect(said(cp)['']).toEqual([
      'Accepted=True/Accepted',
      'Programmed=True/Programmed',
      'ResolvedRefs=True/ResolvedRefs',
    ]);
    expect(of('tcp')).toMatchObject({ status: 'True' });
    expect([...envoy.has.listener.keys()]).toEqual(['gateway_127.0.0.1_53']);
    await put(cp, made('UDPRoute', `${PARENT}, ${RULE}`));
    envoy.settle();
    expect(of('dns')).toMatchObject({ status: 'True' });
    expect([...envoy.has.listener.keys()]).toContain('gateway_127.0.0.1_53_udp');
  });
});
