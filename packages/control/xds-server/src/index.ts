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
