import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, RouteStatus } from '../src/index.ts';
import {
  closeAll,
  FINE,
  gatewayOf,
  join,
  made,
  make,
  put,
  route,
  said,
  saidOfRoute,
  SHOP,
} from './gateway-mesh.ts';

afterEach(closeAll);

const HTTP = '{ name: http, port: 80, protocol: HTTP }';
const TO_SHOP = 'rules: [{ backendRefs: [{ name: shop, port: 80 }] }]';
const defaulted = (scope: string, ...listeners: string[]): string =>
  gatewayOf(...listeners).replace('  listeners:', `  defaultScope: ${scope}\n  listeners:`);
const TAKEN = ['Accepted=True/Accepted', 'ResolvedRefs=True/ResolvedRefs'];
const EDGE = { group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'default', name: 'edge' };

const parentsOf = (cp: ControlPlane, key: string): readonly unknown[] =>
  (cp.resourceStatus(key) as RouteStatus).parents.map(({ parentRef }) => parentRef);
const attached = (cp: ControlPlane): string | undefined =>
  Object.keys(said(cp)).find((one) => one.startsWith('http '));

describe('default Gateways', () => {
  it('have the routes that ask for them, which their status says, as long as both say so', async () => {
    const cp = make();
    await put(cp, gatewayOf(HTTP), SHOP, route(`{ useDefaultGateways: All, ${TO_SHOP} }`));
    const proxy = join(cp);
    expect(parentsOf(cp, 'HTTPRoute/default/shop')).toEqual([]);
    expect(attached(cp)).toBe('http 0');
    const served = (): boolean => [...proxy.has.cluster.keys()].some((name) => name.includes('shop'));

    await put(cp, defaulted('All', HTTP));
    proxy.settle();
    expect(parentsOf(cp, 'HTTPRoute/default/shop')).toEqual([EDGE]);
    expect(saidOfRoute(cp)).toEqual([TAKEN]);
    expect(said(cp)).toEqual({
      '': [
        'Accepted=True/Accepted',
        'Programmed=True/Programmed',
        'ResolvedRefs=True/ResolvedRefs',
        'DefaultGateway=True/DefaultGateway',
      ],
      'http 1': [...FINE, 'Programmed=True/Programmed'],
    });
    expect(served()).toBe(true);

    for (const scope of ['None', "''"]) {
      await put(cp, route(`{ useDefaultGateways: ${scope}, ${TO_SHOP} }`));
      proxy.settle();
      expect(parentsOf(cp, 'HTTPRoute/default/shop')).toEqual([]);
      expect(served()).toBe(false);
      await put(cp, route(`{ useDefaultGateways: All, ${TO_SHOP} }`));
      proxy.settle();
      expect(served()).toBe(true);
      await put(cp, defaulted(scope, HTTP));
      proxy.settle();
      expect(parentsOf(cp, 'HTTPRoute/default/shop')).toEqual([]);
      expect(said(cp)['']).toEqual([
        'Accepted=True/Accepted',
        'Programmed=True/Programmed',
        'ResolvedRefs=True/ResolvedRefs',
      ]);
      expect(served()).toBe(false);
      await put(cp, defaulted('All', HTTP));
      proxy.settle();
    }
  });

  it('are all parents of a route, beside those that it names, each once', async () => {
    const cp = make();
    const other = defaulted('All', HTTP).replace('name: edge', 'name: alt');
    await put(
      cp,
      defaulted('All', HTTP),
      other,
      SHOP,
      route(
        `{ parentRefs: [{ group: '', kind: Service, name: shop }, { name: edge }], useDefaultGateways: All, ${TO_SHOP} }`,
      ),
    );
    expect(parentsOf(cp, 'HTTPRoute/default/shop')).toEqual([
      { group: '', kind: 'Service', name: 'shop' },
      { name: 'edge' },
      { ...EDGE, name: 'alt' },
    ]);
    expect(saidOfRoute(cp)).toEqual([TAKEN, TAKEN, TAKEN]);
    await put(cp, route(`{ parentRefs: [{ name: edge, port: 80 }], useDefaultGateways: All, ${TO_SHOP} }`));
    expect(parentsOf(cp, 'HTTPRoute/default/shop')).toEqual([
      { name: 'edge', port: 80 },
      { ...EDGE, name: 'alt' },
      EDGE,
    ]);
  });

  it('take only what their listeners take', async () => {
    const cp = make();
    await put(
      cp,
      defaulted('All', HTTP),
      SHOP,
      route(`{ useDefaultGateways: All, ${TO_SHOP} }`, 'elsewhere'),
    );
    expect(saidOfRoute(cp, 'elsewhere')[0]?.[0]).toBe('Accepted=False/NotAllowedByListeners');
    await put(cp, defaulted('All', HTTP.replace(' }', ', allowedRoutes: { namespaces: { from: All } } }')));
    expect(saidOfRoute(cp, 'elsewhere')[0]?.[0]).toBe('Accepted=True/Accepted');
  });

  it.each([
    ['GRPCRoute', HTTP, ''],
    [
      'TLSRoute',
      '{ name: l, port: 443, protocol: TLS, tls: { mode: Passthrough } }',
      'hostnames: [a.example],',
    ],
    ['TCPRoute', '{ name: l, port: 90, protocol: TCP }', ''],
    ['UDPRoute', '{ name: l, port: 53, protocol: UDP }', ''],
  ])('are for a %s as well', async (kind, listener, more) => {
    const cp = make();
    await put(
      cp,
      SHOP,
      made(kind, `useDefaultGateways: All, ${more} ${TO_SHOP}`, 'r'),
      defaulted('All', listener),
    );
    expect(parentsOf(cp, `${kind}/default/r`)).toEqual([EDGE]);
    expect((cp.resourceStatus(`${kind}/default/r`) as RouteStatus).parents[0]?.conditions[0]).toMatchObject({
      type: 'Accepted',
      status: 'True',
    });
  });

  it('are no waypoints, to which no route attaches', async () => {
    const cp = make();
    await put(
      cp,
      SHOP,
      route(`{ useDefaultGateways: All, ${TO_SHOP} }`),
      defaulted('All', '{ name: mesh, port: 15008, protocol: HBONE }').replace('tulle', 'tulle-waypoint'),
    );
    expect(parentsOf(cp, 'HTTPRoute/default/shop')).toEqual([]);
    expect(said(cp)['']).toContain('DefaultGateway=False/Waypoint');
  });

  it('may be none: a route without parents is kept, and has no status of any', async () => {
    const cp = make();
    await put(cp, SHOP, gatewayOf(HTTP), route(`{ ${TO_SHOP} }`));
    expect(cp.resourceStatus('HTTPRoute/default/shop')).toEqual({ parents: [] });
    expect(attached(cp)).toBe('http 0');
  });
});
