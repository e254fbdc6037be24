/**
 * The xDS v3 client: ADS over gRPC, delta or state of the world, and Envoy messages to the data-plane model.
 * @packageDocumentation
 */
export { createResourceDecoder, resourceTypes } from './decode/resource.ts';
export type {
  Decoded,
  DecodeOptions,
  Discovered,
  ResourceDecoder,
  ResourceModel,
  ResourceModels,
  VirtualHostModel,
} from './decode/resource.ts';
export { HONOURED } from './decode/honoured.ts';
export { createDecodeContext, decodableTypes } from './decode/context.ts';
export type { DecodeContext } from './decode/context.ts';
export type { FieldRules } from './decode/field-walk.ts';
export { decodeAddress } from './decode/address.ts';
export { decodeProvider } from './decode/tracing.ts';
export { addRetrySlots } from './session/retry-slots.ts';
export { proxyConfigOf } from './session/store.ts';
export { createXdsClient } from './client/xds-client.ts';
export type {
  Fixed,
  SourceOptions,
  XdsClient,
  XdsClientOptions,
  XdsClientState,
} from './client/xds-client.ts';
export type { ServerAddress } from './client/side-streams.ts';
export { type ClientStatusServer, serveClientStatus } from './client/client-status.ts';
export type { ResourceState } from './session/resource-state.ts';
export type { ParseFile } from './client/file-stream.ts';
export type { Collection, Roots } from './session/contract.ts';
export { canonicalName, parseResourceName, type ResourceName } from './decode/resource-name.ts';
export type { Channel } from './client/ads-call.ts';
export type { NodeDescription } from './client/envelope.ts';
export type { ApplyResult, SessionStatus } from './session/contract.ts';
export type { Refusal } from './session/refusals.ts';
export type { ExtensionModel, FindExtension } from './decode/extension.ts';
export type { FindSecret, SecretModel } from './decode/secret.ts';
export type { ResourceKind, XdsApi } from './wire.ts';
export type { DiscoverySource, GrpcServerName, Need } from './decode/discovery-source.ts';
export type { HttpServer } from './client/rest-call.ts';
export { readApiSource, readSource, type ReadSource } from './decode/config-source.ts';
