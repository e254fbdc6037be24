import { SUPPORTED_FEATURES } from '@tulle/resources';
import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, GatewayClassStatus, GatewayStatus, ListenerSetStatus } from '../src/index.ts';
import {
  closeAll,
  FINE,
  gatewayOf,
  join,
  made,
  make,
  put,
  said,
  saidOfRoute,
  SHOP,
  SHOP_ROUTE,
} from './gateway-mesh.ts';

afterEach(closeAll);

const classOf = (name: string, spec = 'controllerName: tulle.dev/gateway-controller'): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: ${name} }
spec: { ${spec} }
`;
const statusOf = (cp: ControlPlane, name: string): GatewayClassStatus | undefined =>
  cp.resourceStatus(`GatewayClass/default/${name}`) as GatewayClassStatus | undefined;
const conditionsOf = (cp: ControlPlane, name: string): string[] | undefined =>
  statusOf(cp, name)?.conditions.map((c) => `${c.type}=${c.status}/${c.reason}`);
const TAKEN = ['Accepted=True/Accepted', 'SupportedVersion=True/SupportedVersion'];

describe('a GatewayClass', () => {
  it('of Tulle is accepted, with the features that its Gateways have', async () => {
    const cp = make();
    await put(cp, classOf('tulle'), classOf('tulle-waypoint'));
    expect(conditionsOf(cp, 'tulle')).toEqual(TAKEN);
    expect(statusOf(cp, 'tulle')?.supportedFeatures).toEqual(SUPPORTED_FEATURES.map((name) => ({ name })));
    expect(statusOf(cp, 'tulle')?.conditions[0]?.observedGeneration).toBe(1);
    expect(conditionsOf(cp, 'tulle-waypoint')).toEqual(TAKEN);
    expect(statusOf(cp, 'tulle-waypoint')?.supportedFeatures).toEqual([]);
  });

  it('of another controller is left alone, and one of another name is not supported', async () => {
    const cp = make();
    await put(cp, classOf('nginx', 'controllerName: a.example/gateways'), classOf('mine'));
    expect(statusOf(cp, 'nginx')).toBeUndefined();
    expect(conditionsOf(cp, 'mine')).toEqual(['Accepted=False/Unsupported']);
  });

  it('of another name has Gateways that nobody serves, which they say, as do their ListenerSets and routes', async () => {
    const cp = make();
    const gateway = gatewayOf('{ name: http, port: 80, protocol: HTTP }').replace(
      'gatewayClassName: tulle',
      'gatewayClassName: mine',
    );
    const set = made(
      'ListenerSet',
      'parentRef: { name: edge }, listeners: [{ name: a, port: 81, protocol: HTTP }]',
      's',
    );
    const toSet = made('HTTPRoute', 'parentRefs: [{ kind: ListenerSet, name: s }], rules: [{}]', 'shop');
    const ofSet = (): string[] =>
      (cp.resourceStatus('ListenerSet/default/s') as ListenerSetStatus).conditions.map(
        (c) => `${c.type}=${c.status}/${c.reason}`,
      );
    await put(cp, gateway, SHOP, SHOP_ROUTE, set);
    const proxy = join(cp);
    // Another controller may have it.
    expect([said(cp), ofSet(), saidOfRoute(cp)]).toEqual([{ '': [] }, [], []]);
    await put(cp, classOf('mine'));
    expect(said(cp)).toEqual({ '': ['Accepted=False/Invalid', 'Programmed=False/Invalid'] });
    const { conditions } = cp.resourceStatus('Gateway/default/edge') as GatewayStatus;
    expect(conditions[0]?.message).toContain('Tulle has the classes tulle and tulle-waypoint');
    expect(ofSet()).toEqual(['Accepted=False/ParentNotAccepted', 'Programmed=False/ParentNotProgrammed']);
    expect(saidOfRoute(cp)[0]?.[0]).toBe('Accepted=False/NoMatchingParent');
    await put(cp, toSet);
    expect(saidOfRoute(cp)[0]?.[0]).toBe('Accepted=False/NoMatchingParent');
    proxy.settle();
    expect(proxy.has.listener.size).toBe(0);
  });

  it('with parameters is not accepted, nor are its Gateways until these are gone', async () => {
    const cp = make();
    const parameters =
      'controllerName: tulle.dev/gateway-controller, parametersRef: { group: a.example, kind: Thing, name: a }';
    await put(cp, gatewayOf('{ name: http, port: 80, protocol: HTTP }'), classOf('tulle'));
    const proxy = join(cp);
    expect(proxy.has.listener.size).toBe(1);
    await put(cp, classOf('tulle', parameters));
    proxy.settle();
    expect(conditionsOf(cp, 'tulle')).toEqual(['Accepted=False/InvalidParameters']);
    expect(said(cp)['']).toEqual([
      'Accepted=False/InvalidParameters',
      'Programmed=False/Invalid',
      'ResolvedRefs=True/ResolvedRefs',
    ]);
    expect(proxy.has.listener.size).toBe(0);
    await put(cp, classOf('tulle'));
    proxy.settle();
    expect(conditionsOf(cp, 'tulle')).toEqual(TAKEN);
    expect(said(cp)['http 0']).toEqual([...FINE, 'Programmed=True/Programmed']);
    expect(proxy.has.listener.size).toBe(1);
  });
});
