import type { FilterChain, Listener, ProxyConfig } from '@tulle/model';
import type { ControlPlane, SidecarMetadata } from '../src/index.ts';
import { nodeOf } from './nodes.ts';
import { simulatedProxy, type SimulatedProxy } from './simulated-proxy.ts';

export const id = (name: string, namespace = 'default'): string =>
  `spiffe://mesh.local/ns/${namespace}/sa/${name}`;

export const WAYPOINT: string = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: gate }
spec: { gatewayClassName: tulle-waypoint, listeners: [{ name: mesh, port: 15008, protocol: HBONE }] }
`;

/** Service `orders`. @param spec more of its port */
export const service = (more = '{ tulle.dev/use-waypoint: gate }', spec = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: orders, labels: ${more} }
spec: { selector: { app: orders }, ports: [{ port: 80, targetPort: 8080${spec} }] }
`;

/** A DENY policy `p` for Service `orders`. */
export const denies = (spec: string): string => `
apiVersion: tulle.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: p }
spec: { targetRefs: [{ group: '', kind: Service, name: orders }], action: DENY, rules: [${spec}] }
`;

export const hbone: NonNullable<SidecarMetadata['hbone']> = { outboundPort: 15_001, inboundPort: 15_006 };

export const behindNodeProxy = (name: string, address: string): ReturnType<typeof nodeOf> =>
  nodeOf({
    workload: name,
    labels: { app: name },
    ports: [8080, 9090],
    inbound: { address, port: 1 },
    hbone,
  });

/** A process of the waypoint. */
export const process = (
  instance = 'g',
  address = '10.0.9.1',
  namespace = 'default',
): ReturnType<typeof nodeOf> =>
  nodeOf({ workload: 'gate', namespace, gateway: { address }, instance }, instance);

/** A proxy that is connected. */
export interface Joined {
  readonly proxy: SimulatedProxy;
  /** What it should have. */
  config(): ProxyConfig;
}

export function join(cp: ControlPlane, node: ReturnType<typeof nodeOf>): Joined {
  const proxy = simulatedProxy(() => cp, node);
  proxy.connect();
  proxy.settle();
  return {
    proxy,
    config() {
      cp.flush();
      proxy.settle();
      const config = cp.proxyConfig(node.id);
      if (config === undefined) throw new Error(`${node.id} is not connected`);
      return config;
    },
  };
}

export const chainsOf = (listeners: readonly Listener[], name: string): readonly FilterChain[] =>
  listeners.find((one) => one.name === name)?.filterChains ?? [];

/** Identities that a chain of bytes lets in. */
export const letIn = (chain: FilterChain | undefined): unknown =>
  chain?.handler.kind === 'tcp'
    ? (chain.handler.filters ?? []).map(({ config }) => (config as { policies: unknown }).policies)
    : undefined;

/** What filters of a chain ask of callers. */
export const authzOf = (chain: FilterChain | undefined): unknown[] =>
  (chain?.handler.filters ?? []).flatMap(({ filter, config }) => (filter.includes('authz') ? [config] : []));
