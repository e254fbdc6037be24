// A control plane as far as a sidecar sees one: CA and ADS on one port, and a configuration made from what joins.
import { Server } from '@grpc/grpc-js';
import {
  addCaService,
  createCa,
  localIdentity,
  memoryStore,
  serveMeshGrpc,
  type Ca,
  type SecretStore,
} from '@tulle/ca';
import type { Cluster, FilterEntry, Listener, ProxyConfig } from '@tulle/model';
import { addAdsService, type AckReport, type NodeInfo, type Snapshot } from '@tulle/xds-server';

export const trustDomain = 'test.local';

interface Metadata {
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly port: number; readonly inboundPort: number }[];
  readonly inbound: { readonly address: string; readonly port: number };
  readonly upstreams: readonly {
    readonly service: string;
    readonly localPort: number;
    readonly address: string;
  }[];
}

export interface StandIn {
  readonly ca: Ca;
  readonly address: string;
  readonly acks: AckReport[];
  /** Called after each ACK or NACK. */
  onAck: () => void;
  token(name: string): Promise<string>;
  /** Filters of every inbound listener from now on; pushes. */
  setInboundFilters(filters: readonly FilterEntry[]): void;
  close(): Promise<void>;
}

/** @param port 0: any; the number of a stand-in that was closed: it comes back */
export async function standIn(port = 0, store: SecretStore = memoryStore()): Promise<StandIn> {
  const ca = await createCa({ trustDomain, store });
  const own = localIdentity(ca);
  await own.ready();
  const server = new Server();
  const grpc = await serveMeshGrpc(server, { identity: own, port });
  addCaService(server, ca, { callerIdentity: grpc.callerIdentity });
  const nodes = new Map<string, Metadata>();
  const listeners = new Map<string, () => void>();
  let version = 0;
  let filters: readonly FilterEntry[] = [];
  const acks: AckReport[] = [];
  const snapshots = new Map<string, { version: number; snapshot: Snapshot }>();
  const changed = (): void => {
    version += 1;
    for (const tell of listeners.values()) tell();
  };
  const current = (id: string): Snapshot => {
    const known = snapshots.get(id);
    if (known?.version === version) return known.snapshot;
    const snapshot = {
      changeId: `c${version}`,
      config: configFor(nodes.get(id) as Metadata, [...nodes.values()], filters, `c${version}`),
    };
    snapshots.set(id, { version, snapshot });
    return snapshot;
  };
  const self: StandIn = {
    ca,
    acks,
    address: `127.0.0.1:${grpc.port}`,
    onAck: () => {},
    token: async (name) => (await ca.createJoinToken({ namespace: 'default', serviceAccount: name })).token,
    setInboundFilters(next) {
      filters = next;
      changed();
    },
    async close() {
      ads.close();
      await grpc.close();
      server.forceShutdown();
      own.close();
      await ca.close();
    },
  };
  const ads = addAdsService(server, {
    authenticate: (call) => {
      const spiffeId = grpc.callerIdentity(call);
      return spiffeId === undefined ? undefined : { spiffeId };
    },
    provider: {
      open(node: NodeInfo) {
        nodes.set(node.id, node.metadata as unknown as Metadata);
        changed();
        return {
          current: () => current(node.id),
          subscribe(listener) {
            listeners.set(node.id, () => listener(current(node.id)));
            return () => void listeners.delete(node.id);
          },
          acked(report) {
            acks.push(report);
            self.onAck();
          },
          closed() {
            nodes.delete(node.id);
            listeners.delete(node.id);
            changed();
          },
        };
      },
    },
  });
  return self;
}

const id = (m: Metadata): string => `spiffe://${trustDomain}/ns/${m.namespace}/sa/${m.serviceAccount}`;

function configFor(
  me: Metadata,
  all: readonly Metadata[],
  filters: readonly FilterEntry[],
  version: string,
): ProxyConfig {
  const listeners: Listener[] = [];
  const clusters: Cluster[] = [];
  for (const { port, inboundPort } of me.ports) {
    const name = `inbound|${port}||${me.workload}.${me.namespace}.svc.mesh.local`;
    clusters.push({
      name,
      discovery: {
        kind: 'static',
        endpoints: [
          {
            address: { host: '127.0.0.1', port },
            mode: 'none',
            labels: { service: me.workload, workload: me.workload, namespace: me.namespace },
          },
        ],
      },
    });
    listeners.push(
      listener(`inbound-${port}`, 'inbound', { host: me.inbound.address, port: inboundPort }, name, filters),
    );
  }
  for (const { service, localPort, address } of me.upstreams) {
    const name = `outbound|80||${service}.default.svc.mesh.local`;
    clusters.push({
      name,
      tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } },
      discovery: {
        kind: 'static',
        endpoints: all
          .filter((other) => other.workload === service)
          .map((other) => ({
            address: { host: other.inbound.address, port: other.inbound.port },
            mode: 'sidecar' as const,
            identity: id(other),
            labels: {
              service,
              workload: other.workload,
              namespace: other.namespace,
              ...(other.labels['version'] === undefined ? {} : { version: other.labels['version'] }),
            },
          })),
      },
    });
    listeners.push(listener(`outbound-${service}`, 'outbound', { host: address, port: localPort }, name, []));
  }
  return { version, listeners, clusters, routes: [], endpoints: [] };
}

function listener(
  name: string,
  direction: 'inbound' | 'outbound',
  address: Listener['address'],
  cluster: string,
  filters: readonly FilterEntry[],
): Listener {
  return {
    name,
    direction,
    address,
    filterChains: [
      {
        name: 'mesh',
        ...(direction === 'inbound'
          ? { tls: { certificate: { kind: 'workload' as const }, trust: { kind: 'mesh' as const } } }
          : {}),
        handler: {
          kind: 'http',
          filters,
          routes: {
            name,
            virtualHosts: [
              {
                name: 'all',
                domains: ['*'],
                routes: [
                  {
                    name: 'all',
                    match: { path: { kind: 'prefix', value: '/' } },
                    action: { kind: 'forward', clusters: [{ name: cluster }] },
                  },
                ],
              },
            ],
          },
        },
      },
    ],
  };
}
