import type { Cluster, Listener, ProxyConfig } from '@tulle/model';
import { expect, it } from 'vitest';
import { meshNames } from './mesh-names.ts';

const chain = (name: string, address: string): Listener['filterChains'][number] => ({
  name,
  match: { destinationPort: 80, destinationCidrs: [`${address}/32`] },
  handler: { kind: 'tcp', clusters: [{ name }] },
});
const external = 'outbound|443||stripe.default.svc.mesh.local';
const config = {
  version: '1',
  routes: [],
  endpoints: [],
  listeners: [
    {
      name: 'captured',
      address: { host: '127.0.0.1', port: 15_001 },
      originalDestination: true,
      filterChains: [
        chain('outbound|80||orders.default.svc.mesh.local', '127.130.0.1'),
        {
          ...chain('outbound|80||orders.shop.svc.mesh.local', '127.130.0.2'),
          match: { destinationPort: 80, destinationCidrs: ['127.130.0.2/32', '10.96.0.10/32'] },
        },
        chain(external, '127.130.0.3'),
        {
          name: 'virtual',
          match: { destinationCidrs: ['127.128.0.0/9'] },
          handler: { kind: 'tcp', clusters: [] },
        },
      ],
    },
    {
      name: 'not-captured',
      address: { host: '127.0.0.1', port: 9001 },
      filterChains: [chain('outbound|80||other.default.svc.mesh.local', '127.130.0.4')],
    },
  ],
  clusters: [
    {
      name: external,
      discovery: {
        kind: 'dns',
        use: 'all',
        endpoints: [{ address: { host: 'API.stripe.test', port: 443 } }],
      },
    } satisfies Cluster,
  ],
} satisfies ProxyConfig;

it('are those of Kubernetes, short in one’s own namespace, and the hosts of external Services', () => {
  expect(Object.fromEntries([...meshNames(config, 'shop')].map(([name, all]) => [name, all.join()]))).toEqual(
    {
      'orders.default': '127.130.0.1',
      'orders.default.svc': '127.130.0.1',
      'orders.default.svc.mesh': '127.130.0.1',
      'orders.default.svc.mesh.local': '127.130.0.1',
      orders: '127.130.0.2',
      'orders.shop': '127.130.0.2',
      'orders.shop.svc': '127.130.0.2',
      'orders.shop.svc.mesh': '127.130.0.2',
      'orders.shop.svc.mesh.local': '127.130.0.2',
      'stripe.default': '127.130.0.3',
      'stripe.default.svc': '127.130.0.3',
      'stripe.default.svc.mesh': '127.130.0.3',
      'stripe.default.svc.mesh.local': '127.130.0.3',
      'api.stripe.test': '127.130.0.3',
    },
  );
});
