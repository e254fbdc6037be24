import type { Endpoint, Listener, ProxyConfig } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { createFaultsByRoute } from './faults-by-route.ts';
import { createOneKindOfTls } from './one-kind-of-tls.ts';

const config = (fields: Partial<ProxyConfig>): ProxyConfig => ({
  version: '',
  listeners: [],
  routes: [],
  clusters: [],
  endpoints: [],
  ...fields,
});

describe('endpoints of a cluster that are reached in one way', () => {
  const view = createOneKindOfTls();
  const of = (
    ...modes: NonNullable<Endpoint['mode']>[]
  ): { readonly tls: boolean; readonly modes: unknown } => {
    const { clusters, endpoints } = view({
      changeId: 'c',
      config: config({
        clusters: [{ name: 'a', discovery: { kind: 'eds' }, tls: { trust: { kind: 'mesh' } } }],
        endpoints: [
          {
            name: 'a',
            endpoints: modes.map((mode, port) => ({ address: { host: '10.0.0.1', port }, mode })),
          },
        ],
      }),
    }).config;
    return { tls: clusters[0]?.tls !== undefined, modes: endpoints[0]?.endpoints.map(({ mode }) => mode) };
  };

  it('are those with mutual TLS where there is one, and in clear only where none has it', () => {
    expect(of('sidecar', 'none', 'captured')).toEqual({ tls: true, modes: ['sidecar', 'captured'] });
    expect(of('none', 'none')).toEqual({ tls: false, modes: ['none', 'none'] });
    expect(of()).toEqual({ tls: true, modes: [] });
  });
});

describe('faults of a channel', () => {
  const listener: Listener = {
    name: 'orders:80',
    address: { host: '127.0.0.1', port: 0 },
    direction: 'outbound',
    filterChains: [
      {
        name: 'app',
        handler: {
          kind: 'http',
          routes: { routeConfigName: 'orders' },
          filters: [{ name: 'slow', filter: 'tulle.http.fault', config: { delay: { durationMs: 5 } } }],
        },
      },
    ],
  };
  const routes = [
    { name: 'orders', virtualHosts: [], filterConfigs: { own: {} } },
    { name: 'other', virtualHosts: [] },
  ];

  it('stand with its routes too, and only with those', () => {
    const view = createFaultsByRoute();
    const made = view({ changeId: 'c', config: config({ listeners: [listener], routes }) }).config;
    expect(made.routes).toEqual([
      { name: 'orders', virtualHosts: [], filterConfigs: { slow: { delay: { durationMs: 5 } }, own: {} } },
      routes[1],
    ]);
    expect(made.routes[1]).toBe(routes[1]);
    // What is the same stays the same object, so that it is not written again.
    const again = view({ changeId: 'd', config: config({ listeners: [listener], routes }) }).config;
    expect(again.routes[0]).toBe(made.routes[0]);
  });
});
