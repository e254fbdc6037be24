/**
 * The flags of a sidecar, one definition for every command that starts one.
 * @packageDocumentation
 */
export { captureOf } from './capture-flags.ts';
export { DRAIN_FLAGS, drainOf } from './drain-flags.ts';
export { FlagError } from './flag-error.ts';
export { SIDECAR_FLAGS } from './flag-specs.ts';
export type { FlagSpec, FlagValues, SidecarFlags, SidecarFlagValues } from './flag-specs.ts';
export {
  sidecarOptions,
  parseHostPort,
  parseLabel,
  parsePort,
  parseUpstream,
  type FlagOptions,
} from './flag-values.ts';
export { flagsHelp, readFlags } from './read-flags.ts';
