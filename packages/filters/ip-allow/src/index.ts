/**
 * Connection filter by network of the peer.
 * @packageDocumentation
 */
export { ipAllow } from './ip-allow.ts';
