import type { GatewayStatus } from '@tulle/control-plane';
import { describe, expect, it } from 'vitest';
import { featureMesh, routeOf, seen } from './feature-mesh.ts';

const gateway = (spec: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: tulle, ${spec} }
`;
const ONE = 'backendRefs: [{ name: one, port: 80 }]';
const TWO = 'backendRefs: [{ name: two, port: 80 }]';

describe('listeners of a Gateway', () => {
  it('keep to themselves: a host is served by the routes of the most specific listener that covers it, and by no others', async () => {
    await using mesh = await featureMesh(
      [
        routeOf(
          `parentRefs: [{ name: edge, sectionName: all }], rules: [{ matches: [{ path: { value: /all } }], ${ONE} }]`,
          'all',
        ),
        routeOf(
          `parentRefs: [{ name: edge, sectionName: wide }], rules: [{ matches: [{ path: { value: /wide } }], ${ONE} }]`,
          'wide',
        ),
        routeOf(
          `parentRefs: [{ name: edge, sectionName: foo }], rules: [{ matches: [{ path: { value: /foo } }], ${TWO} }]`,
          'foo',
        ),
      ],
      {
        gateway: gateway(
          "listeners: [{ name: all, port: 80, protocol: HTTP }, { name: wide, port: 80, protocol: HTTP, hostname: '*.example.com' }, { name: foo, port: 80, protocol: HTTP, hostname: foo.example.com }]",
        ),
      },
    );
    const ask = async (host: string): Promise<string> => {
      const paths = ['/all', '/wide', '/foo'];
      const statuses = await Promise.all(
        paths.map(async (path) => (await mesh.request({ gateway: 'edge', host, path })).status),
      );
      return paths.filter((_, i) => statuses[i] === 200).join();
    };
    expect(await ask('foo.example.com')).toBe('/foo');
    expect(await ask('bar.example.com')).toBe('/wide');
    expect(await ask('a.foo.example.com')).toBe('/wide');
    expect(await ask('example.com')).toBe('/all');
  });

  it('are on any port, 8080 too', async () => {
    await using mesh = await featureMesh([
      routeOf(`parentRefs: [{ name: edge, port: 8080 }], rules: [{ ${ONE} }]`),
    ]);
    expect(seen(await mesh.request({ gateway: 'edge', port: 8080 })).instance).toBe('one-0');
    expect((await mesh.request({ gateway: 'edge', port: 80 })).status).toBe(404);
  });

  it('are at the addresses that the Gateway asks for, and at the own of its process where one has no value', async () => {
    await using mesh = await featureMesh([routeOf(`parentRefs: [{ name: edge }], rules: [{ ${ONE} }]`)], {
      gateway: gateway(
        'addresses: [{ value: 10.1.0.77 }, { type: IPAddress }], listeners: [{ name: http, port: 80, protocol: HTTP }]',
      ),
    });
    const status = (): GatewayStatus =>
      mesh.controlPlane.resourceStatus('Gateway/default/edge') as GatewayStatus;
    expect(status().addresses).toEqual([
      { type: 'IPAddress', value: '10.1.0.77' },
      { type: 'IPAddress', value: '10.1.0.1' },
    ]);
    expect(status().conditions.map(({ type, reason }) => [type, reason])).toEqual([
      ['Accepted', 'Accepted'],
      ['Programmed', 'Programmed'],
      ['ResolvedRefs', 'ResolvedRefs'],
    ]);
    for (const address of ['10.1.0.77', undefined])
      expect(
        (await mesh.request({ gateway: 'edge', ...(address === undefined ? {} : { address }) })).status,
      ).toBe(200);
    await mesh.apply(
      gateway(
        'addresses: [{ type: Hostname, value: a.example.com }], listeners: [{ name: http, port: 80, protocol: HTTP }]',
      ),
    );
    expect(status().conditions.map(({ type, status: holds, reason }) => [type, holds, reason])).toEqual([
      ['Accepted', 'False', 'UnsupportedAddress'],
      ['Programmed', 'False', 'Invalid'],
      ['ResolvedRefs', 'True', 'ResolvedRefs'],
    ]);
    await expect(mesh.request({ gateway: 'edge' })).rejects.toThrow();
  });
});
