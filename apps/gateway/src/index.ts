/**
 * A gateway as a function: what `tulle gateway` and the gateway's own main start.
 * @packageDocumentation
 */
export { startGateway } from './gateway.ts';
export type { Gateway } from './gateway.ts';
export type { GatewayOptions } from './options.ts';
export { writeSelfSigned } from './self-signed.ts';
export type { SelfSignedOptions } from './self-signed.ts';
export { GATEWAY_FLAGS, gatewayOptions } from './flags.ts';
export type { GatewayFlagOptions, GatewayFlags, GatewayFlagValues } from './flags.ts';
