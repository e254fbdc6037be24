import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, GatewayStatus, RouteStatus } from '../src/index.ts';
import {
  SHOP,
  SHOP_ROUTE,
  gatewayOf,
  made as madeOf,
  make,
  put,
  join,
  said,
  saidOfRoute,
  closeAll,
  FINE,
} from './gateway-mesh.ts';

afterEach(closeAll);

describe('routes of connections', () => {
  const TLS_GATEWAY = gatewayOf(
    "{ name: pass, port: 443, protocol: TLS, hostname: '*.example.com', tls: { mode: Passthrough } }",
    "{ name: ends, port: 443, protocol: TLS, hostname: '*.example.org', tls: { mode: Terminate, certificateRefs: [{ name: shop }] } }",
    '{ name: tcp, port: 25, protocol: TCP }',
  );
  const TCP_SHOP = SHOP.replace('{ port: 80 }', '{ name: tcp, port: 80 }');
  const made = (kind: string, spec: string, name = 'shop'): string => madeOf(kind, spec, name);
  const RULE = 'rules: [{ backendRefs: [{ name: shop, port: 80 }] }]';
  const PARENT = 'parentRefs: [{ name: edge }]';
  const saidOf = (cp: ControlPlane, key: string): string[] =>
    (cp.resourceStatus(key) as RouteStatus).parents.flatMap((p) =>
      p.conditions.map((c) => `${c.type}=${c.status}/${c.reason}`),
    );
  const ACCEPTED = ['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs'];

  it('attach to the listeners of their protocol, and are counted there', async () => {
    const cp = make();
    const tls = made('TLSRoute', `${PARENT}, hostnames: [a.example.com, a.example.org], ${RULE}`);
    await put(cp, TLS_GATEWAY, TCP_SHOP, tls, made('TCPRoute', `${PARENT}, ${RULE}`), SHOP_ROUTE);
    join(cp);
    expect(said(cp)).toEqual({
      '': ['Accepted=True/Accepted', 'Programmed=True/Programmed', 'ResolvedRefs=True/ResolvedRefs'],
      'pass 1': [...FINE, 'Programmed=True/Programmed'],
      'ends 1': [...FINE, 'Programmed=True/Programmed'],
      'tcp 1': [...FINE, 'Programmed=True/Programmed'],
    });
    const { listeners } = cp.resourceStatus('Gateway/default/edge') as GatewayStatus;
    expect(listeners.map(({ supportedKinds }) => supportedKinds.map(({ kind }) => kind))).toEqual([
      ['TLSRoute'],
      ['TLSRoute'],
      ['TCPRoute'],
    ]);
    expect(saidOf(cp, 'TLSRoute/default/shop')).toEqual(ACCEPTED);
    expect(saidOf(cp, 'TCPRoute/default/shop')).toEqual(ACCEPTED);
    expect(saidOfRoute(cp)[0]?.[0]).toBe('Accepted=False/NotAllowedByListeners');
  });

  it.each([
    ['another kind of listener', `parentRefs: [{ name: edge, sectionName: tcp }]`, 'NotAllowedByListeners'],
    ['a listener that is not there', `parentRefs: [{ name: edge, port: 444 }]`, 'NoMatchingParent'],
    ['no common hostname', `parentRefs: [{ name: edge, sectionName: ends }]`, 'NoMatchingListenerHostname'],
  ])('of TLS: %s', async (_, parents, reason) => {
    const cp = make();
    await put(cp, TLS_GATEWAY, TCP_SHOP, made('TLSRoute', `${parents}, hostnames: [a.example.com], ${RULE}`));
    expect(saidOf(cp, 'TLSRoute/default/shop')).toEqual([`Accepted=False/${reason}`, ACCEPTED[1]]);
  });

  it('say what is wrong with their backends: no grant, not there, a port of HTTP', async () => {
    const cp = make();
    const to = (backend: string): string =>
      made('TCPRoute', `${PARENT}, rules: [{ backendRefs: [${backend}] }]`);
    await put(cp, TLS_GATEWAY, TCP_SHOP, to('{ name: shop, namespace: other, port: 80 }'));
    expect(saidOf(cp, 'TCPRoute/default/shop')[1]).toBe('ResolvedRefs=False/RefNotPermitted');
    await put(cp, to('{ name: shop, port: 81 }'));
    expect(saidOf(cp, 'TCPRoute/default/shop')[1]).toBe('ResolvedRefs=False/BackendNotFound');
    await put(cp, to('{ name: shop, port: 80 }'), SHOP);
    expect(saidOf(cp, 'TCPRoute/default/shop')[1]).toBe('ResolvedRefs=False/UnsupportedProtocol');
    await put(cp, TCP_SHOP);
    expect(saidOf(cp, 'TCPRoute/default/shop')).toEqual(ACCEPTED);
  });

  it('leave connections to the oldest, and say so', async () => {
    const cp = make();
    const names = (hostnames: string): string => `${PARENT}, hostnames: [${hostnames}], ${RULE}`;
    await put(
      cp,
      ...[TLS_GATEWAY, TCP_SHOP, made('TCPRoute', `${PARENT}, ${RULE}`, 'b')],
      made('TCPRoute', `${PARENT}, ${RULE}`, 'a'),
      made('TLSRoute', names('a.example.com'), 'a'),
      made('TLSRoute', names('a.example.com'), 'b'),
      made('TLSRoute', names('a.example.com, b.example.com'), 'c'),
    );
    join(cp);
    expect(saidOf(cp, 'TCPRoute/default/a')).toEqual(ACCEPTED);
    expect(saidOf(cp, 'TCPRoute/default/b')[0]).toBe('Accepted=False/RouteConflict');
    expect(saidOf(cp, 'TLSRoute/default/a')).toEqual(ACCEPTED);
    expect(saidOf(cp, 'TLSRoute/default/b')[0]).toBe('Accepted=False/RouteConflict');
    expect(saidOf(cp, 'TLSRoute/default/c')).toEqual(ACCEPTED);
    expect(Object.keys(said(cp))).toEqual(['', 'pass 2', 'ends 0', 'tcp 1']);
    cp.apply([], ['TCPRoute/default/a', 'TLSRoute/default/a']);
    cp.flush();
    expect(saidOf(cp, 'TCPRoute/default/b')).toEqual(ACCEPTED);
    expect(saidOf(cp, 'TLSRoute/default/b')).toEqual(ACCEPTED);
  });

  it.each(['TCPRoute', 'TLSRoute'])(
    '%s: changes of it, and of grants, reach who serves the Gateway',
    async (kind) => {
      const cp = make();
      const to = (weight: number): string =>
        made(
          kind,
          `${PARENT}, ${kind === 'TLSRoute' ? 'hostnames: [a.example.com], ' : ''}rules: [{ backendRefs: [{ name: shop, namespace: team, port: 80, weight: ${weight} }] }]`,
        );
      await put(cp, TLS_GATEWAY, TCP_SHOP.replace('name: shop', 'name: shop, namespace: team'));
      const proxy = join(cp);
      const shares = (): unknown[] =>
        (cp.proxyConfig(proxy.node.id)?.listeners ?? []).flatMap(({ filterChains }) =>
          filterChains.flatMap(({ name, handler }) =>
            handler.kind === 'tcp' && !name.endsWith('/closed') ? handler.clusters : [],
          ),
        );
      expect(shares()).toEqual([]);
      await put(cp, to(1));
      expect(shares()).toEqual([{ name: 'outbound|80|invalid|shop.team.svc.mesh.local', weight: 1 }]);
      await put(
        cp,
        `\napiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g, namespace: team }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: ${kind}, namespace: default }], to: [{ group: "", kind: Service }] }\n`,
      );
      expect(shares()).toEqual([{ name: 'outbound|80||shop.team.svc.mesh.local', weight: 1 }]);
      await put(cp, to(2));
      expect(shares()).toEqual([{ name: 'outbound|80||shop.team.svc.mesh.local', weight: 2 }]);
      cp.apply([], [`${kind}/default/shop`]);
      cp.flush();
      expect(shares()).toEqual([]);
    },
  );

  it('listeners that nothing tells apart, and a protocol that Gateways do not have, are refused with their reasons', async () => {
    const cp = make();
    await put(
      cp,
      TLS_GATEWAY.replace(
        '- { name: tcp, port: 25, protocol: TCP }',
        [
          '- { name: tunnels, port: 53, protocol: HBONE }',
          '- { name: https, port: 443, protocol: HTTPS, hostname: "*.example.com", tls: { certificateRefs: [{ name: shop }] } }',
        ].join('\n    '),
      ),
    );
    join(cp);
    const conflict = [
      'Accepted=False/HostnameConflict',
      'Conflicted=True/HostnameConflict',
      'ResolvedRefs=True/ResolvedRefs',
      'Programmed=False/Invalid',
    ];
    expect(said(cp)).toEqual({
      '': ['Accepted=True/ListenersNotValid', 'Programmed=True/Programmed', 'ResolvedRefs=True/ResolvedRefs'],
      'pass 0': conflict,
      'ends 0': [...FINE, 'Programmed=True/Programmed'],
      'tunnels 0': [
        'Accepted=False/UnsupportedProtocol',
        'Conflicted=False/NoConflicts',
        'ResolvedRefs=True/ResolvedRefs',
        'Programmed=False/Invalid',
      ],
      'https 0': conflict,
    });
  });
});
