export { createCa } from './create-ca.ts';
export type { Ca, Caller, CaOptions, CaPublication, CaStatus, IssuedSvid, RootRotationStatus } from './ca.ts';
export type { Holder, HolderName } from './holders.ts';
export { grantCovers, labelsFault, maxGrantedLabels, type LabelGrant } from './labels.ts';
export type { CaEvent, CaRefusedEvent, IssueKind } from './ca-events.ts';
export { addCaService, type CaService, type CaServiceOptions } from './ca-service.ts';
export { CaError, caRefusals, StoreError, type CaRefusal } from './errors.ts';
export { expiryShares, type ExpiryShare } from './expiry-alarm.ts';
export { connectionCalls, type ConnectionCalls } from './connection-calls.ts';
export { firstContact, type FirstContactOptions } from './first-contact.ts';
export {
  createIdentityClient,
  JoinRefusedError,
  type IdentityClient,
  type IdentityClientEvent,
  type IdentityClientOptions,
  type SignedCsr,
} from './identity-client.ts';
export type { HeldIdentity, Issued, KeeperEvent } from './identity-keeper.ts';
export {
  parseJoinToken,
  type JoinToken,
  type JoinTokenRequest,
  type KnownJoinToken,
  type ParsedJoinToken,
} from './join-tokens.ts';
export { localIdentity, type LocalIdentity, type LocalIdentityOptions } from './local-identity.ts';
export {
  meshChannel,
  ServerRefusedError,
  type MeshChannel,
  type MeshChannelOptions,
} from './mesh-channel.ts';
export { caLog, identityLog, refusalLog } from './log-lines.ts';
export {
  caMetrics,
  identityMetrics,
  observeCa,
  observeConnections,
  observeIdentity,
  refusalMetrics,
  type DatedIdentity,
} from './metrics.ts';
export {
  serveMeshGrpc,
  type GrpcCall,
  type MeshGrpcServer,
  type MeshGrpcServerOptions,
  type MeshGrpcServerStats,
} from './mesh-grpc-server.ts';
export { directoryStore, memoryStore, type DirectoryStoreOptions, type SecretStore } from './store.ts';
