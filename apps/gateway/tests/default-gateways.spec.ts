import { describe, expect, it } from 'vitest';
import { featureMesh, routeOf, seen } from './feature-mesh.ts';

const gateway = (more: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: tulle, ${more} listeners: [{ name: http, port: 80, protocol: HTTP }] }
`;

describe('a route that asks for default Gateways', () => {
  const ROUTE = routeOf('useDefaultGateways: All, rules: [{ backendRefs: [{ name: one, port: 80 }] }]');

  it('is served by a Gateway that is one, without naming it, and by no other', async () => {
    await using mesh = await featureMesh([ROUTE], { gateway: gateway('defaultScope: All,') });
    expect(seen(await mesh.request({ gateway: 'edge' })).instance).toBe('one-0');
    await using other = await featureMesh([ROUTE], { gateway: gateway('') });
    expect((await other.request({ gateway: 'edge' })).status).toBe(404);
  });

  it('is for callers within the mesh too, where it names a Service', async () => {
    await using mesh = await featureMesh(
      [
        routeOf(
          "parentRefs: [{ group: '', kind: Service, name: one }], useDefaultGateways: All, rules: [{ backendRefs: [{ name: two, port: 80 }] }]",
        ),
      ],
      { gateway: gateway('defaultScope: All,') },
    );
    expect(seen(await mesh.request({ gateway: 'edge' })).instance).toBe('two-0');
    expect(seen(await mesh.request({ from: 'web', to: 'one' })).instance).toBe('two-0');
  });
});
