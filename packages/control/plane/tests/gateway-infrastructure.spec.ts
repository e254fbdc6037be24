import { afterEach, describe, expect, it } from 'vitest';
import type { ControlPlane, GatewayStatus } from '../src/index.ts';
import { FINE, GATEWAY, clock, closeAll, gatewayNode, join, make, put, said } from './gateway-mesh.ts';
import { WAYPOINT, process } from './waypoint-mesh.ts';

afterEach(closeAll);

const asking = (infrastructure: string): string =>
  GATEWAY.replace('  listeners:', `  infrastructure: { ${infrastructure} }\n  listeners:`);
const PARAMETERS = 'parametersRef: { group: a.example, kind: Settings, name: big }';
const NOT_PROPAGATED = 'tulle.dev/InfrastructurePropagated=False/NothingMade';
const REJECTED = [
  'Accepted=False/InvalidParameters',
  'Programmed=False/Invalid',
  'ResolvedRefs=True/ResolvedRefs',
];
const messages = (cp: ControlPlane, name = 'edge'): string[] =>
  (cp.resourceStatus(`Gateway/default/${name}`) as GatewayStatus).conditions.map(
    ({ message }) => message ?? '',
  );

describe('infrastructure of a Gateway', () => {
  it('labels and annotations are said to go to nothing, and the Gateway is served', async () => {
    const cp = make();
    await put(cp, asking('labels: { team: a }, annotations: { note: b }'));
    const proxy = join(cp);
    expect([...proxy.has.listener.keys()]).toEqual(['gateway_127.0.0.1_443', 'gateway_127.0.0.1_80']);
    expect(said(cp)).toEqual({
      '': [
        'Accepted=True/Accepted',
        'Programmed=True/Programmed',
        'ResolvedRefs=True/ResolvedRefs',
        NOT_PROPAGATED,
      ],
      'http 0': [...FINE, 'Programmed=True/Programmed'],
      'https 0': [...FINE, 'Programmed=True/Programmed'],
    });
    expect(messages(cp)[3]).toContain('labels and annotations of spec.infrastructure go to nothing');
    await put(cp, asking('annotations: { note: b }'));
    expect(messages(cp)[3]).toMatch(/^annotations of/);
    await put(cp, asking('labels: {}'));
    expect(said(cp)['']).toEqual([
      'Accepted=True/Accepted',
      'Programmed=True/Programmed',
      'ResolvedRefs=True/ResolvedRefs',
    ]);
  });

  it('parameters of any kind are refused in status, and the Gateway is served by nobody until they are gone', async () => {
    const cp = make();
    await put(cp, GATEWAY);
    const proxy = join(cp);
    expect(proxy.has.listener.size).toBe(2);
    await put(cp, asking(PARAMETERS));
    proxy.settle();
    expect(proxy.has.listener.size).toBe(0);
    expect(said(cp)['']).toEqual(REJECTED);
    expect(messages(cp).slice(0, 2)).toEqual([
      expect.stringContaining('names Settings.a.example big'),
      expect.stringContaining('names Settings.a.example big'),
    ]);
    await put(cp, asking("parametersRef: { group: '', kind: ConfigMap, name: big }, labels: { a: b }"));
    expect(said(cp)['']).toEqual([...REJECTED, NOT_PROPAGATED]);
    expect(messages(cp)[0]).toContain('names ConfigMap big');
    clock.advance(1_000);
    await put(cp, GATEWAY);
    proxy.settle();
    expect(proxy.has.listener.size).toBe(2);
    expect(said(cp)['']).toEqual([
      'Accepted=True/Accepted',
      'Programmed=True/Programmed',
      'ResolvedRefs=True/ResolvedRefs',
    ]);
  });

  it('is said of a waypoint as well', async () => {
    const cp = make();
    const waypoint = (infrastructure: string): string =>
      WAYPOINT.replace('listeners:', `infrastructure: { ${infrastructure} }, listeners:`);
    const ofWaypoint = (): string[] =>
      (cp.resourceStatus('Gateway/default/gate') as GatewayStatus).conditions.map(
        ({ type, status, reason }) => `${type}=${status}/${reason}`,
      );
    await put(cp, waypoint('labels: { team: a }'));
    const proxy = join(cp, process());
    expect(proxy.has.listener.size).toBe(1);
    expect(ofWaypoint()).toEqual([
      'Accepted=True/Accepted',
      'Programmed=True/Programmed',
      'ResolvedRefs=True/ResolvedRefs',
      NOT_PROPAGATED,
    ]);
    await put(cp, waypoint(PARAMETERS));
    proxy.settle();
    expect(proxy.has.listener.size).toBe(0);
    expect(ofWaypoint()).toEqual(REJECTED);
  });

  it('keeps its listeners from ListenerSets too, which name why', async () => {
    const cp = make();
    await put(
      cp,
      asking(PARAMETERS).replace(
        '  listeners:',
        '  allowedListeners: { namespaces: { from: Same } }\n  listeners:',
      ),
      '\napiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: { name: more }\nspec: { parentRef: { name: edge }, listeners: [{ name: x, port: 81, protocol: HTTP }] }\n',
    );
    expect(join(cp, gatewayNode()).has.listener.size).toBe(0);
    const { conditions } = cp.resourceStatus('ListenerSet/default/more') as GatewayStatus;
    expect(conditions.map(({ reason, message }) => [reason, message])).toEqual([
      ['ParentNotAccepted', expect.stringContaining('parametersRef')],
      ['ParentNotProgrammed', expect.stringContaining('parametersRef')],
    ]);
  });
});
