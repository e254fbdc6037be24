import { createHash } from 'node:crypto';
import type { AuthorizationPolicy } from './kinds/authorization-policy.ts';
import type { BackendTLSPolicy } from './kinds/backend-tls-policy.ts';
import type { BackendTrafficPolicy } from './kinds/backend-traffic-policy.ts';
import type { ConfigMap } from './kinds/config-map.ts';
import type { TCPRoute, TLSRoute, UDPRoute } from './kinds/connection-route.ts';
import type { EndpointSlice } from './kinds/endpoint-slice.ts';
import type { FilterPolicy } from './kinds/filter-policy.ts';
import type { Gateway } from './kinds/gateway.ts';
import type { GatewayClass } from './kinds/gateway-class.ts';
import type { GRPCRoute } from './kinds/grpc-route.ts';
import type { HTTPRoute } from './kinds/http-route.ts';
import type { ListenerSet } from './kinds/listener-set.ts';
import type { PeerAuthentication } from './kinds/peer-authentication.ts';
import type { ReferenceGrant } from './kinds/reference-grant.ts';
import type { Service } from './kinds/service.ts';
import type { TrafficPolicy } from './kinds/traffic-policy.ts';
import type { Workload } from './kinds/workload.ts';
import type { SourcePosition } from './source-position.ts';

/** Any resource, normalised: namespace filled in, status and bookkeeping dropped. Readonly, JSON-serialisable. */
export type Resource =
  | Service
  | EndpointSlice
  | GatewayClass
  | Gateway
  | ListenerSet
  | HTTPRoute
  | GRPCRoute
  | TLSRoute
  | TCPRoute
  | UDPRoute
  | ReferenceGrant
  | BackendTLSPolicy
  | BackendTrafficPolicy
  | ConfigMap
  | Workload
  | AuthorizationPolicy
  | PeerAuthentication
  | TrafficPolicy
  | FilterPolicy;

/** Name of a kind. */
export type Kind = Resource['kind'];

/** The resource of a kind. */
export type ResourceOf<K extends Kind> = Extract<Resource, { readonly kind: K }>;

/** Which resource. */
export interface ResourceRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** A resource with where it came from and how to find a field's place again. */
export interface LocatedResource<R extends Resource = Resource> {
  readonly resource: R;
  /** File, or `''`. */
  readonly file: string;
  /** Place of a field, or of its nearest ancestor that is there. `undefined` when there is no text (REST, joins). */
  locate(pointer: string): SourcePosition | undefined;
}

/** `Kind/namespace/name`: the identity of a resource. */
export function resourceKey(ref: ResourceRef): string {
  return `${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** Which resource it is. */
export function refOf(resource: Resource): ResourceRef {
  return { kind: resource.kind, namespace: resource.metadata.namespace, name: resource.metadata.name };
}

/** A resource without a text, e.g. from a joining sidecar. */
export function unlocated<R extends Resource>(resource: R): LocatedResource<R> {
  return { resource, file: '', locate: () => undefined };
}

/** A resource's version: hash of its content, whatever the order of its fields (decision D16). 16 hex digits. */
export function resourceVersion(resource: Resource): string {
  return createHash('sha256').update(canonicalJson(resource)).digest('hex').slice(0, 16);
}

/** JSON with sorted keys: equal for values that mean the same. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const entries = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(',')}}`;
}
