/**
 * The xDS v3 server: data-plane model to standard Envoy messages, and ADS over gRPC, delta and state of the world.
 * @packageDocumentation
 */
export type {
  AckReport,
  NodeInfo,
  ResourceKind,
  ResumeReport,
  SentReport,
  Snapshot,
  SnapshotHandle,
  SnapshotProvider,
  TrustBundles,
} from './provider.ts';
export { createResourceEncoder, encodeResource } from './encode/resource.ts';
export { versionOf } from './encode/wire-resource.ts';
export type { WireResource } from './encode/wire-resource.ts';
export { OLDER_OWN_FORM, OWN_FORM } from './encode/form.ts';
export type { EncodeForm, WorkloadCertificate } from './encode/form.ts';
export type { EncodedResource, ResourceEncoder, ResourceModels } from './encode/resource.ts';
export { addAdsService } from './ads/ads-service.ts';
export type { AdsService, AdsServiceOptions } from './ads/ads-service.ts';
export type { CallerCall } from './ads/caller-call.ts';
export type { AdsStreamStatus } from './ads/ads-stream.ts';
export type { DeltaStreamStatus, ResourceStatus } from './ads/delta-stream.ts';
export { nodeIdAgrees } from './ads/node.ts';
export { createDeltaStream } from './ads/delta-stream.ts';
export type { DeltaRequest, DeltaResponse, DeltaStream, DeltaStreamOptions } from './ads/delta-stream.ts';
export { deltaProtocol, stateOfTheWorldProtocol } from './ads/messages.ts';
export type { StreamProtocol, StreamRequest, StreamResponse } from './ads/messages.ts';
export type { StreamLimits } from './ads/push.ts';
export { createComparer } from './ads/differences.ts';
export type { Comparer } from './ads/differences.ts';
export { createSecretStream } from './ads/secret-stream.ts';
export type {
  SecretRequest,
  SecretResponse,
  SecretStream,
  SecretStreamOptions,
} from './ads/secret-stream.ts';
export { StreamFault } from './ads/stream-fault.ts';
export { encodeTrust, encodeValidator } from './encode/trust-secret.ts';
export { wireResource } from './encode/wire-resource.ts';
export { SECRET_TYPE_URL } from './wire.ts';
export { createXdsServer } from './raw/xds-server.ts';
export type {
  AckedOptions,
  ShownResource,
  ShownSet,
  XdsServer,
  XdsServerEvent,
  XdsServerOptions,
} from './raw/xds-server.ts';
export type { ListenAt, ServerTls } from './raw/listen.ts';
export type { NodeStatus, RawResourceStatus, StreamStatus } from './raw/node-status.ts';
export type { ChangeOptions } from './raw/raw-store.ts';
export type { RawTypeStatus } from './raw/raw-stream.ts';
export type { ResourceInput } from './raw/read-resource.ts';
export { SHORT_TYPES, shortTypeOf, typeUrlOf } from './raw/resource-types.ts';
export { addLoadReportingService } from './load/load-report-service.ts';
export type { LoadReporting, LoadReportingOptions } from './load/load-report-service.ts';
export { createLoadReports } from './load/load-reports.ts';
export type { ClusterLoad, LoadCounts, LoadReports, LocalityLoad, NodeLoad } from './load/load-reports.ts';
