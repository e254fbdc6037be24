/**
 * The control plane: resources of any source become, for each proxy, what it needs and nothing else.
 * @packageDocumentation
 */
export { showsSecret } from './api-access.ts';
export { createControlPlane } from './control-plane.ts';
export type { ApplyResult, ControlPlane, ControlPlaneOptions } from './control-plane-types.ts';
export type { Condition } from './condition.ts';
export type { FilterPolicyStatus } from './filter-policy-status.ts';
export type { MeshStatus, ProxyStatus, ServiceStatus } from './mesh-status.ts';
export type { LeftOut, MayClaim } from './endpoint-right.ts';
export type { ChangeRecord } from './changes.ts';
export type { KindStatus } from './proxy-session.ts';
export type { GatewayMetadata, NodePort, NodeUpstream, SidecarMetadata } from './node.ts';
export type {
  GatewayStatus,
  GatewayClassStatus,
  ListenerSetStatus,
  PolicyStatus,
  ResourceStatus,
  RouteStatus,
} from './status/resource-status.ts';
export type { StatusCondition } from './status/transitions.ts';
export type { MtlsPort } from './mtls-status.ts';
export type { PlaintextClient, PlaintextReport } from './plaintext-report.ts';
export { fileState, memoryState } from './state-file.ts';
export type { SavedState, StateStore } from './state-file.ts';
export type { Held } from './world.ts';
export { createApi } from './api.ts';
export type { Api, ApiOptions } from './api.ts';
export type { CaHooks } from './ca-api.ts';
export { addLoadReportingService, createLoadReports, createXdsServer } from '@tulle/xds-server';
export type {
  LoadReports,
  NodeLoad,
  NodeStatus,
  ResourceInput,
  XdsServer,
  XdsServerEvent,
  XdsServerOptions,
} from '@tulle/xds-server';
