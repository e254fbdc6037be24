/**
 * A sidecar as a function: what `tulle run` and the sidecar's own main start.
 * @packageDocumentation
 */
export { describeUpstream, startSidecar } from './sidecar.ts';
export type { Sidecar, SidecarStatus } from './sidecar.ts';
export type {
  ControlPlaneOption,
  SidecarOptions,
  SidecarOtlp,
  SidecarTelemetry,
  UpstreamOption,
  WorkloadPortOption,
} from './options.ts';
export { CaptureUnavailableError, WITHOUT_CAPTURE } from './capture/capture-error.ts';
export type { CaptureOptions } from './capture/capture-options.ts';
export type { CaptureStatus } from './capture/program-capture.ts';
export { describeCapture } from './capture/describe-capture.ts';
export type { ProxyRole } from './role.ts';
export { NoIdentityError } from './identity.ts';
export { PortTakenError } from './bound-ports.ts';
export { describeHolder, portHolder, type PortHolder } from './port-holder.ts';
export { describeRestart, DRAIN } from './drain.ts';
export type { Drain } from './drain.ts';
export { describeProgress } from './progress.ts';
export type { SidecarProgress } from './progress.ts';
export { makePrivateDirectory, tulleDirectories } from './directories.ts';
export type { TulleDirectories } from './directories.ts';
export type { RunningProxy } from './instance-file.ts';
export { CAPABILITIES, describeCapabilities, PROFILES } from './capabilities.ts';
export type { Capability, ProfileName } from './capabilities.ts';
export type { EngineSettings } from './engine.ts';
