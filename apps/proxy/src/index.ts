/**
 * A proxy from an Envoy bootstrap as a function: what `tulle proxy` and this app's own main start.
 * @packageDocumentation
 */
export { startEnvoyProxy } from './envoy-proxy.ts';
export type { EnvoyProxy } from './envoy-proxy.ts';
export type { EnvoyProxyOptions } from './options.ts';
export { BootstrapError, loadBootstrap } from './load-bootstrap.ts';
export type { LoadedBootstrap } from './load-bootstrap.ts';
export { dryRun } from './dry-run.ts';
export { ENVOY_FLAGS, type EnvoyFlags, envoyOptions, type FlagsRead } from './flags.ts';
export { runEnvoyProxy, type ProgramIo } from './run.ts';
