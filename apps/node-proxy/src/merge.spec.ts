import type { Cluster, Listener, ProxyConfig } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { mergeConfigs, type WorkloadConfig } from './merge.ts';
import { PROXY_MARK } from './sockets.ts';

const WORKLOAD = { kind: 'workload' } as const;
const LOCAL = { kind: 'static', endpoints: [] } as const;

function configOf(more: { listeners?: Listener[]; clusters?: Cluster[] } = {}): ProxyConfig {
  return {
    version: '7',
    routes: [],
    listeners: [
      {
        name: 'outbound',
        address: { host: '127.0.0.1', port: 15_001 },
        originalDestination: true,
        filterChains: [
          { name: 'db', handler: { kind: 'tcp', clusters: [{ name: 'db' }, { name: 'local', weight: 2 }] } },
        ],
      },
      {
        name: 'tunnels',
        address: { host: '10.1.0.7', port: 15_008 },
        hbone: { tls: { certificate: WORKLOAD, clientCertificate: 'required' } },
        filterChains: [],
      } as unknown as Listener,
    ],
    clusters: [
      { name: 'db', discovery: { kind: 'eds' }, tls: { certificate: WORKLOAD } } as unknown as Cluster,
      { name: 'named', discovery: { kind: 'eds', serviceName: 'db' } },
      {
        name: 'local',
        discovery: LOCAL,
        pool: { maxConnections: 9 },
        tls: { certificate: { kind: 'files', certificate: 'c', key: 'k' } },
      } as unknown as Cluster,
    ],
    endpoints: [{ name: 'db', endpoints: [] }],
    ...more,
  };
}

const part = (name: string, config = configOf()): WorkloadConfig => ({
  key: `default.${name}`,
  network: `/run/netns/${name}`,
  spiffeId: `spiffe://mesh.local/ns/default/sa/${name}`,
  config,
});

describe('the configuration of many workloads', () => {
  const merged = mergeConfigs([part('web'), part('api')], '12');
  const listener = (name: string): Listener => merged.listeners.find((one) => one.name === name) as Listener;
  const cluster = (name: string): Cluster => merged.clusters.find((one) => one.name === name) as Cluster;

  it('is that of each, with names of its own', () => {
    expect(merged.version).toBe('12');
    expect(merged.listeners.map(({ name }) => name)).toEqual([
      'default.web/outbound',
      'default.web/tunnels',
      'default.api/outbound',
      'default.api/tunnels',
    ]);
    const names = [...merged.listeners, ...merged.clusters, ...merged.endpoints].map(({ name }) => name);
    expect(names.filter((name) => !/^default\.(?:web|api)\//.test(name))).toEqual([]);
    expect(mergeConfigs([], '1')).toEqual({
      version: '1',
      listeners: [],
      routes: [],
      clusters: [],
      endpoints: [],
    });
  });

  it('leads each to clusters and endpoints of its own alone', () => {
    for (const key of ['default.web', 'default.api']) {
      expect(listener(`${key}/outbound`).filterChains.map(({ handler }) => handler)).toEqual([
        { kind: 'tcp', clusters: [{ name: `${key}/db` }, { name: `${key}/local`, weight: 2 }] },
      ]);
      expect([cluster(`${key}/db`).discovery, cluster(`${key}/named`).discovery]).toEqual([
        { kind: 'eds', serviceName: `${key}/db` },
        { kind: 'eds', serviceName: `${key}/db` },
      ]);
      expect(cluster(`${key}/local`).discovery).toEqual(LOCAL);
    }
  });

  it('listens and calls in the network of each, with the mark that rules let pass', () => {
    for (const name of ['web', 'api']) {
      const namespace = `/run/netns/${name}`;
      expect(listener(`default.${name}/outbound`).address).toEqual({
        host: '127.0.0.1',
        port: 15_001,
        namespace,
      });
      expect(cluster(`default.${name}/db`).pool).toEqual({ network: { namespace, mark: PROXY_MARK } });
      expect(cluster(`default.${name}/local`).pool).toEqual({
        maxConnections: 9,
        network: { namespace, mark: PROXY_MARK },
      });
    }
  });

  it('shows for each its own identity, and leaves other certificates and what is asked of peers', () => {
    for (const name of ['web', 'api']) {
      const certificate = { kind: 'workload', identity: `spiffe://mesh.local/ns/default/sa/${name}` };
      expect(listener(`default.${name}/tunnels`).hbone?.tls).toEqual({
        certificate,
        clientCertificate: 'required',
      });
      expect(cluster(`default.${name}/db`).tls).toEqual({ certificate });
      expect(cluster(`default.${name}/local`).tls).toEqual({
        certificate: { kind: 'files', certificate: 'c', key: 'k' },
      });
    }
  });

  it('is refused where a workload would need layer 7, by name', () => {
    const http = { name: 'web', handler: { kind: 'http' } } as unknown as Listener['filterChains'][number];
    const listeners = [{ ...(configOf().listeners[0] as Listener), filterChains: [http] }];
    expect(() => mergeConfigs([part('web', configOf({ listeners }))], '1')).toThrow('chain web is of HTTP');
  });
});
