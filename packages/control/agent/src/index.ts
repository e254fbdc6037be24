/**
 * One workload's identity for the other programs of its user on this machine: Envoy's SDS and the SPIFFE Workload API.
 * @packageDocumentation
 */
export {
  serveIdentity,
  type IdentityServer,
  type IdentityServerStatus,
  type ServeIdentityOptions,
} from './serve-identity.ts';
export {
  CERTIFICATE_PROVIDER,
  CERTIFICATE_REFRESH_MS,
  grpcBootstrap,
  type GrpcBootstrapOptions,
} from './grpc-bootstrap.ts';
export { identityDirectory, type IdentityDirectory, type IdentityPaths } from './identity-directory.ts';
export { serveXdsTunnel, type XdsTunnel, type XdsTunnelOptions } from './xds-tunnel.ts';
export { listenPrivately } from './private-socket.ts';
export type { SecretsCallStatus } from './secrets-call.ts';
export {
  AGENT_CLUSTER,
  CONTROL_PLANE_CLUSTER,
  envoyBootstrap,
  OTLP_CLUSTER,
  splitAddress,
  type EnvoyBootstrapOptions,
  type EnvoyTelemetry,
} from './envoy-bootstrap.ts';
export { ALL_BUNDLES_SECRET, CERTIFICATE_SECRET } from './secrets.ts';
