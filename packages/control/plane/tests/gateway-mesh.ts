import { readResources } from '@tulle/resources';
import { expect } from 'vitest';
import {
  createControlPlane,
  type ControlPlane,
  type GatewayMetadata,
  type GatewayStatus,
  type RouteStatus,
} from '../src/index.ts';
import { manualClock } from './manual-clock.ts';
import { nodeOf } from './nodes.ts';
import { simulatedProxy, type SimulatedProxy } from './simulated-proxy.ts';

/** Gateway `edge`. @param listeners flow YAML, one each */
export const gatewayOf = (...listeners: string[]): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: tulle
  listeners:
${listeners.map((listener) => `    - ${listener}`).join('\n')}
`;

/** A resource of the Gateway API. @param spec flow YAML without braces */
export const made = (kind: string, spec: string, name: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: ${name} }
spec: { ${spec} }
`;

/** A Gateway, what it leads to, and the route between them. */
export const GATEWAY: string = gatewayOf(
  "{ name: http, port: 80, protocol: HTTP, hostname: '*.example.com' }",
  '{ name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: shop }] } }',
);

export const SHOP: string = `
apiVersion: v1
kind: Service
metadata: { name: shop }
spec: { selector: { app: shop }, ports: [{ port: 80 }] }
`;

export const route = (spec: string, namespace = 'default'): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop, namespace: ${namespace} }
spec: ${spec}
`;

export const SHOP_ROUTE: string = route(
  '{ parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: shop, port: 80 }] }] }',
);

const open: ControlPlane[] = [];

/** Ends the control planes that {@link make} made. */
export async function closeAll(): Promise<void> {
  for (const cp of open.splice(0)) await cp.close();
}

export const clock: ReturnType<typeof manualClock> = manualClock();

export function make(): ControlPlane {
  const cp = createControlPlane({ trustDomain: 'mesh.local', clock });
  open.push(cp);
  return cp;
}

export async function put(cp: ControlPlane, ...yaml: string[]): Promise<void> {
  const read = await readResources([{ text: yaml.join('---'), file: 'f' }]);
  expect(read.diagnostics).toEqual([]);
  cp.apply(
    read.resources.map((r) => r.resource),
    [],
  );
  cp.flush();
}

export const gatewayNode = (more: GatewayMetadata = {}, namespace = 'default'): ReturnType<typeof nodeOf> =>
  nodeOf({
    workload: 'edge',
    namespace,
    gateway: { certificates: { directory: '/certs', names: ['default/shop'] }, ...more },
  });

export function join(cp: ControlPlane, node: ReturnType<typeof nodeOf> = gatewayNode()): SimulatedProxy {
  const proxy = simulatedProxy(() => cp, node);
  proxy.connect();
  proxy.settle();
  return proxy;
}

/** `Type=Status/Reason` of a Gateway and of its listeners. */
export function said(cp: ControlPlane): Record<string, string[]> {
  const status = cp.resourceStatus('Gateway/default/edge') as GatewayStatus;
  const short = (conditions: GatewayStatus['conditions']): string[] =>
    conditions.map((c) => `${c.type}=${c.status}/${c.reason}`);
  return Object.fromEntries([
    ['', short(status.conditions)],
    ...status.listeners.map((l) => [`${l.name} ${l.attachedRoutes}`, short(l.conditions)]),
  ]) as Record<string, string[]>;
}

export function saidOfRoute(cp: ControlPlane, namespace = 'default'): string[][] {
  const status = cp.resourceStatus(`HTTPRoute/${namespace}/shop`) as RouteStatus;
  return status.parents.map((p) => p.conditions.map((c) => `${c.type}=${c.status}/${c.reason}`));
}

/** The conditions of a listener with nothing wrong, but for `Programmed`. */
export const FINE: readonly string[] = [
  'Accepted=True/Accepted',
  'Conflicted=False/NoConflicts',
  'ResolvedRefs=True/ResolvedRefs',
];
